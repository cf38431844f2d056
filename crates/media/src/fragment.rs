//! The body of an ICE restart in both directions: an SDP fragment (RFC 8840, 9) with new credentials and candidates.

use std::fmt;

use thiserror::Error;

/// The media type of a fragment (RFC 8840, 10.2).
pub const FRAGMENT_TYPE: &str = "application/trickle-ice-sdpfrag";

/// Longest fragment looked at. A browser with a dozen interfaces sends 3 kB.
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;
/// Lengths of a user fragment and of a password, in characters (RFC 8839, 5.4).
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
const PWD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;

/// One side's part of an ICE restart.
#[derive(Clone, PartialEq, Eq)]
pub struct IceFragment {
    /// User fragment.
    pub ufrag: String,
    /// Password. Whoever knows it can redirect the media.
    pub pwd: String,
    /// Which media section it is about; with BUNDLE the first stands for all.
    pub mid: String,
    /// Candidate attributes without `a=`, as they were written.
    pub candidates: Vec<String>,
}

/// Why a text is not the fragment of an ICE restart. Each says what happened, what it means and what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FragmentError {
    /// Too long to be read.
    #[error(
        "The body has {0} bytes, which is too long for an ICE restart. Nothing was changed. Send the credentials and \
         candidates only."
    )]
    TooLong(usize),
    /// A line that no fragment has.
    #[error(
        "Line {0} of the body is neither an attribute (a=) nor a media section (m=), so it is not an SDP fragment \
         (RFC 8840). Nothing was changed. Send the a=ice-ufrag, a=ice-pwd, m= and a=mid lines of the new offer."
    )]
    NotFragment(usize),
    /// Something that a restart needs is missing.
    #[error(
        "The body has no {0}, which an ICE restart needs. Nothing was changed. Take it from the offer that \
         createOffer() makes after restartIce()."
    )]
    Missing(&'static str),
    /// Something has characters or a length that RFC 8839 does not allow.
    #[error(
        "The body's {0} is not one (RFC 8839, 5.4). Nothing was changed. Send the line of the browser's offer unchanged."
    )]
    Malformed(&'static str),
    /// Two sections with different credentials.
    #[error(
        "The body has more than one {0}. There is one connection for all media (BUNDLE), so nothing was changed. \
         Send the lines of the first media section."
    )]
    Several(&'static str),
}

impl IceFragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// When it is not one, or not that of a restart.
    pub fn parse(text: &str) -> Result<IceFragment, FragmentError> {
        if text.len() > FRAGMENT_BYTES_MAX {
            return Err(FragmentError::TooLong(text.len()));
        }
        let (mut ufrag, mut pwd, mut mid) = (None, None, None);
        let mut sections = 0;
        let mut candidates = Vec::new();
        for (index, line) in text.lines().map(str::trim_end).enumerate() {
            if line.is_empty() {
                continue;
            }
            if line.starts_with("m=") {
                sections += 1;
                continue;
            }
            let attribute = line
                .strip_prefix("a=")
                .ok_or(FragmentError::NotFragment(index + 1))?;
            match attribute.split_once(':') {
                Some(("ice-ufrag", value)) => once(&mut ufrag, value, "a=ice-ufrag")?,
                Some(("ice-pwd", value)) => once(&mut pwd, value, "a=ice-pwd")?,
                Some(("mid", value)) if sections == 1 => once(&mut mid, value, "a=mid")?,
                Some(("candidate", _)) => candidates.push(attribute.to_owned()),
                // Options, groups and later sections say nothing that a restart needs.
                Some(_) | None => {}
            }
        }
        if sections == 0 {
            return Err(FragmentError::Missing("m= line"));
        }
        let ufrag = ufrag.ok_or(FragmentError::Missing("a=ice-ufrag"))?;
        let pwd = pwd.ok_or(FragmentError::Missing("a=ice-pwd"))?;
        let mid = mid.ok_or(FragmentError::Missing("a=mid"))?;
        if !(UFRAG_CHARS.contains(&ufrag.len()) && is_ice(ufrag)) {
            return Err(FragmentError::Malformed("a=ice-ufrag"));
        }
        if !(PWD_CHARS.contains(&pwd.len()) && is_ice(pwd)) {
            return Err(FragmentError::Malformed("a=ice-pwd"));
        }
        if mid.is_empty() || !mid.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FragmentError::Malformed("a=mid"));
        }
        Ok(IceFragment {
            ufrag: ufrag.to_owned(),
            pwd: pwd.to_owned(),
            mid: mid.to_owned(),
            candidates,
        })
    }
}

/// Browsers repeat the credentials in each bundled section; then they are the same.
fn once<'a>(
    slot: &mut Option<&'a str>,
    value: &'a str,
    name: &'static str,
) -> Result<(), FragmentError> {
    match slot.replace(value) {
        Some(before) if before != value => Err(FragmentError::Several(name)),
        Some(_) | None => Ok(()),
    }
}

/// ice-char (RFC 8839, 5.4).
fn is_ice(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

impl fmt::Display for IceFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Port and payload type are those that RFC 8840, 9 wants where nothing is offered.
        write!(f, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{}\r\n", self.mid)?;
        write!(
            f,
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
            self.ufrag, self.pwd
        )?;
        for candidate in &self.candidates {
            write!(f, "a={candidate}\r\n")?;
        }
        f.write_str("a=end-of-candidates\r\n")
    }
}

/// Without the password and the addresses, which do not belong in a log.
impl fmt::Debug for IceFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IceFragment(mid {}, {} candidates)",
            self.mid,
            self.candidates.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PWD: &str = "0123456789abcdefghij+/";

    fn good() -> IceFragment {
        IceFragment {
            ufrag: "EsAw".to_owned(),
            pwd: PWD.to_owned(),
            mid: "0".to_owned(),
            candidates: vec!["candidate:1 1 udp 2130706431 198.51.100.1 39132 typ host".to_owned()],
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_hides_its_password_from_logs() {
        let text = good().to_string();
        assert_eq!(IceFragment::parse(&text), Ok(good()));
        assert!(!format!("{:?}", good()).contains(PWD));
    }

    #[test]
    fn the_fragments_of_browsers_are_understood() {
        let candidate = "candidate:1 1 udp 2130706431 198.51.100.1 39132 typ host";
        let credentials = format!("a=ice-ufrag:EsAw\na=ice-pwd:{PWD}\n");
        for text in [
            // As in RFC 9725, 4.3.3.
            format!(
                "a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                 a=ice-ufrag:EsAw\r\na=ice-pwd:{PWD}\r\na={candidate}\r\na=end-of-candidates\r\n"
            ),
            // Credentials of the session.
            format!("{credentials}m=audio 9 RTP/AVP 0\na=mid:0\na={candidate}\n"),
            // Of each section, the same.
            format!(
                "m=audio 9 RTP/AVP 0\na=mid:0\n{credentials}a={candidate}\n\nm=application 9 X 0\na=mid:1\n{credentials}"
            ),
        ] {
            assert_eq!(IceFragment::parse(&text), Ok(good()), "{text}");
        }
    }

    #[test]
    fn what_is_no_restart_is_refused_with_its_reason() {
        let text = good().to_string();
        let without = |prefix: &str| -> String {
            let lines = text.lines().filter(|line| !line.starts_with(prefix));
            lines.flat_map(|line| [line, "\n"]).collect()
        };
        let with = |from: &str, to: &str| text.replace(from, to);
        let table = [
            (String::new(), FragmentError::Missing("m= line")),
            ("v=0\r\n".to_owned(), FragmentError::NotFragment(1)),
            (format!("{text}hello"), FragmentError::NotFragment(7)),
            (
                "{\"ufrag\":\"EsAw\"}".to_owned(),
                FragmentError::NotFragment(1),
            ),
            (without("m="), FragmentError::Missing("m= line")),
            (without("a=mid"), FragmentError::Missing("a=mid")),
            (
                without("a=ice-ufrag"),
                FragmentError::Missing("a=ice-ufrag"),
            ),
            (without("a=ice-pwd"), FragmentError::Missing("a=ice-pwd")),
            (with("EsAw", "EsA"), FragmentError::Malformed("a=ice-ufrag")),
            (
                with("EsAw", &"E".repeat(257)),
                FragmentError::Malformed("a=ice-ufrag"),
            ),
            (
                with("EsAw", "Es:Aw"),
                FragmentError::Malformed("a=ice-ufrag"),
            ),
            (
                with("EsAw", "Es\u{e4}w"),
                FragmentError::Malformed("a=ice-ufrag"),
            ),
            (with(PWD, "short"), FragmentError::Malformed("a=ice-pwd")),
            (
                with(PWD, &format!("{PWD} ?")),
                FragmentError::Malformed("a=ice-pwd"),
            ),
            (with("a=mid:0", "a=mid:"), FragmentError::Malformed("a=mid")),
            (
                format!("{text}m=video 9 RTP/AVP 0\r\na=ice-ufrag:Other\r\n"),
                FragmentError::Several("a=ice-ufrag"),
            ),
            (
                format!("{text}{}", "a=x\r\n".repeat(4_000)),
                FragmentError::TooLong(text.len() + 20_000),
            ),
        ];
        for (text, error) in table {
            assert_eq!(IceFragment::parse(&text), Err(error), "{text:.200}");
        }
    }
}
