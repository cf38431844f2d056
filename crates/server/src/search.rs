//! Finding words as people think of them: upper and lower case, accents and white space do not matter.

use std::ops::Range;

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// What is looked for, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needle(Vec<char>);

impl Needle {
    /// None if nothing is left to look for.
    pub(crate) fn new(phrase: &str) -> Option<Needle> {
        let letters = folded(phrase.trim());
        let folded: Vec<char> = letters.into_iter().map(|letter| letter.folded).collect();
        (!folded.is_empty()).then_some(Needle(folded))
    }

    /// Where it stands in a text, by characters (Unicode code points); places do not overlap.
    pub(crate) fn places(&self, text: &str) -> Vec<Range<u32>> {
        let text = folded(text);
        let length = self.0.len();
        let mut places = Vec::new();
        let mut at = 0;
        while let Some(window) = text.get(at..at + length) {
            let hit = window
                .iter()
                .map(|letter| letter.folded)
                .eq(self.0.iter().copied());
            if let (true, Some(first), Some(last)) = (hit, window.first(), window.last()) {
                places.push(first.from..last.to);
                at += length;
            } else {
                at += 1;
            }
        }
        places
    }
}

/// A character as it is compared, and the characters of the text that it stands for.
#[derive(Clone, Copy, Debug)]
struct Letter {
    folded: char,
    from: u32,
    to: u32,
}

/// The text as it is compared. Runs of white space are one space.
fn folded(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::new();
    for (from, original) in (0..).zip(text.chars()) {
        let to = from + 1;
        if original.is_whitespace() {
            match letters.last_mut() {
                Some(last) if last.folded == ' ' => last.to = to,
                _ => letters.push(Letter {
                    folded: ' ',
                    from,
                    to,
                }),
            }
            continue;
        }
        // A mark of its own belongs to the letter before it.
        let marked = letters
            .last_mut()
            .filter(|last| is_combining_mark(original) && drops_marks(last.folded));
        if let Some(last) = marked {
            last.to = to;
            continue;
        }
        for lower in narrow(original).to_lowercase() {
            let mut push = |folded| letters.push(Letter { folded, from, to });
            if drops_marks(lower) {
                decompose_canonical(lower, |part| {
                    if !is_combining_mark(part) {
                        push(part);
                    }
                });
            } else {
                push(lower);
            }
        }
    }
    letters
}

/// Latin, Greek, Cyrillic, Hebrew and Arabic, where an accent or a vowel sign is often left out. Elsewhere (kana, Hangul,
/// the scripts of India) a mark makes another sound, and another word.
fn drops_marks(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{52F}' | '\u{590}'..='\u{6FF}' | '\u{1E00}'..='\u{1FFF}')
}

/// Full-width forms as the letters that they are (Unicode block Halfwidth and Fullwidth Forms).
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::Needle;

    fn found(phrase: &str, text: &str) -> Vec<String> {
        let places = Needle::new(phrase).map(|needle| needle.places(text));
        let part = |place: std::ops::Range<u32>| {
            let (start, end) = (place.start as usize, place.end as usize);
            text.chars().skip(start).take(end - start).collect()
        };
        places.unwrap_or_default().into_iter().map(part).collect()
    }

    #[test]
    fn case_accents_and_white_space_do_not_matter_and_what_is_shown_is_what_was_said() {
        assert_eq!(
            found("resume", "My Résumé, and a RESUME."),
            ["Résumé", "RESUME"]
        );
        assert_eq!(found("größe", "Die GROSSE Größe"), ["Größe"]);
        assert_eq!(found("at  home", "I am at\nhome."), ["at\nhome"]);
        assert_eq!(found("cafe\u{301}", "a café"), ["café"]);
        let decomposed = found("cafe", "a cafe\u{301}!");
        assert_eq!(decomposed, ["cafe\u{301}"], "with its accent");
        assert_eq!(found("abc", "ＡＢＣ"), ["ＡＢＣ"]);
        assert_eq!(found("ёлка", "Елка"), ["Елка"]);
    }

    #[test]
    fn scripts_without_spaces_and_emoji_are_found_at_their_characters() {
        assert_eq!(found("仕事", "私の仕事は仕事です"), ["仕事", "仕事"]);
        assert_eq!(found("🙂", "fine 🙂 fine"), ["🙂"]);
        assert_eq!(found("مرحبا", "قال مرحبا"), ["مرحبا"]);
    }

    #[test]
    fn where_a_mark_makes_another_word_it_is_not_found() {
        for (phrase, text) in [
            ("かき", "かぎ"),
            ("ハン", "パン"),
            ("하", "한"),
            ("की", "का"),
            ("しか", "しが"),
        ] {
            assert!(found(phrase, text).is_empty(), "{phrase} in {text}");
            assert_eq!(found(phrase, phrase), [phrase]);
        }
    }

    #[test]
    fn nothing_is_found_nowhere_and_places_do_not_overlap() {
        assert_eq!(Needle::new("  "), None);
        assert_eq!(found("aa", "aaaa").len(), 2);
        assert!(found("longer than the text", "text").is_empty());
    }
}
