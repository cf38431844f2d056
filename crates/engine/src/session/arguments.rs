//! Reads the arguments of a tool call: a JSON object whose members are all text, such as `{"to":"exploration"}`.
//!
//! Our tools take nothing else, so this refuses everything else, and `engine` stays free of a JSON library.

/// Why arguments could not be read. Its text is for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Not an object of text members.
    NotAnObjectOfText,
    /// The member is not there.
    Missing(&'static str),
}

impl Malformed {
    /// What the model is told.
    pub(crate) fn reason(&self) -> String {
        match self {
            Malformed::NotAnObjectOfText => {
                "The arguments are not a JSON object of strings.".to_owned()
            }
            Malformed::Missing(key) => format!("The arguments have no {key:?}."),
        }
    }
}

/// Reads one member. Other members are ignored if they are text too.
///
/// # Errors
///
/// [`Malformed`], if the text is not such an object or has no such member.
pub(crate) fn text_member(json: &str, key: &'static str) -> Result<String, Malformed> {
    let mut found = None;
    read_object(json, |name, value| {
        if name == key && found.is_none() {
            found = Some(value);
        }
    })
    .ok_or(Malformed::NotAnObjectOfText)?;
    found.ok_or(Malformed::Missing(key))
}

/// Writes text as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    rest: &'a str,
}

fn read_object(json: &str, mut member: impl FnMut(String, String)) -> Option<()> {
    let mut reader = Reader { rest: json };
    reader.expect('{')?;
    if reader.expect('}').is_some() {
        return reader.end();
    }
    loop {
        let name = reader.string()?;
        reader.expect(':')?;
        let value = reader.string()?;
        member(name, value);
        if reader.expect(',').is_none() {
            break;
        }
    }
    reader.expect('}')?;
    reader.end()
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        self.skip_space();
        self.rest.is_empty().then_some(())
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn string(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                c if u32::from(c) < 0x20 => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        match self.next()? {
            c @ ('"' | '\\' | '/') => Some(c),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => self.unicode(),
            _ => None,
        }
    }

    /// `\uXXXX`, or a pair of surrogates (RFC 8259, section 7).
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        self.rest = self.rest.strip_prefix("\\u")?;
        let low = self.hex4()?;
        if !(0xDC00..0xE000).contains(&low) {
            return None;
        }
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = self.rest.get(4..)?;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expect: Result<&str, Malformed>) {
        assert_eq!(text_member(json, "to"), expect.map(str::to_owned), "{json}");
    }

    #[test]
    fn a_member_is_found_among_others_and_through_white_space() {
        check(r#"{"to":"main"}"#, Ok("main"));
        check(" {\n \"why\" : \"done\" ,\t\"to\" : \"end\" } ", Ok("end"));
        check(r#"{"to":"first","to":"second"}"#, Ok("first"));
    }

    #[test]
    fn escapes_are_read_as_json_means_them() {
        check(
            r#"{"to":"a\"b\\c\/d\n\u00e9\ud83d\ude00"}"#,
            Ok("a\"b\\c/d\né😀"),
        );
        check(r#"{"\u0074o":"x"}"#, Ok("x"));
    }

    #[test]
    fn anything_but_an_object_of_text_is_malformed() {
        for json in [
            "",
            "null",
            "[]",
            "\"to\"",
            "{",
            "{\"to\"}",
            "{\"to\":}",
            "{\"to\":1}",
            "{\"to\":null}",
            "{\"to\":{}}",
            "{\"to\":\"x\"",
            "{\"to\":\"x\"}}",
            "{\"to\":\"x\",}",
            "{to:\"x\"}",
            "{\"to\":\"\\x\"}",
            "{\"to\":\"\\ud83d\"}",
            "{\"to\":\"\\ud83d\\u0041\"}",
            "{\"to\":\"\\u+123\"}",
            "{\"to\":\"a\nb\"}",
            "{\"to\":\"\\u00é\"}",
        ] {
            check(json, Err(Malformed::NotAnObjectOfText));
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        check("{}", Err(Malformed::Missing("to")));
        check(r#"{"topic":"x"}"#, Err(Malformed::Missing("to")));
    }

    #[test]
    fn what_is_quoted_can_be_read_again() {
        let text = "a\"b\\c\nd\u{1}é😀";
        check(&format!("{{\"to\":{}}}", quoted(text)), Ok(text));
    }
}
