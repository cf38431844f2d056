//! The line that a participant hears while the interviewer owes words and cannot say them: one moment, please.
//!
//! It cannot come from the provider, which is what is away. English is spoken; every other language has a tone, which
//! means the same everywhere, until its sentence has been recorded. The page says it in words as well.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::plan::HoldLine;
use media::clip;

const ENGLISH: &[u8] = include_bytes!("../voices/en-hold.opus");
const ENGLISH_WORDS: &str =
    "One moment, please. I'm having a small connection problem, and I'll be right back.";
/// What stands in the transcript for the tone.
const TONE_WORDS: &str = "[tone: one moment]";

/// The English line at the rates that were asked for. Decoding takes milliseconds, and an outage asks for all sessions at
/// once.
static DECODED: Mutex<BTreeMap<u32, Vec<i16>>> = Mutex::new(BTreeMap::new());

/// Samples of the line in this language (BCP 47), at this rate.
pub(crate) fn pcm(language: &str, rate_hz: u32) -> Vec<i16> {
    if !is_english(language) {
        return clip::tone(rate_hz);
    }
    // Held while it is decoded, once per rate; a panic in there leaves the table as it was.
    let mut decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    let line = decoded.entry(rate_hz).or_insert_with(|| {
        // A rate that libopus refuses, the desk refuses as well: there is no session then.
        clip::read(ENGLISH, rate_hz).unwrap_or_else(|_| clip::tone(rate_hz))
    });
    line.clone()
}

/// What the engine is told of the line in this language.
pub(crate) fn line(language: &str) -> HoldLine {
    // Any rate will do: the length is the same.
    const RATE_HZ: u32 = 8_000;
    let samples = pcm(language, RATE_HZ).len() as u64;
    let words = if is_english(language) {
        ENGLISH_WORDS
    } else {
        TONE_WORDS
    };
    HoldLine {
        text: words.to_owned(),
        audio_ms: u32::try_from(samples * 1_000 / u64::from(RATE_HZ)).unwrap_or(u32::MAX),
    }
}

fn is_english(language: &str) -> bool {
    language.split('-').next() == Some("en")
}

#[cfg(test)]
mod tests {
    use super::{line, pcm};

    #[test]
    fn english_is_spoken_and_other_languages_have_a_tone() {
        let (english, french) = (line("en-GB"), line("fr"));
        assert!(english.text.starts_with("One moment"));
        assert!((4_000..5_000).contains(&english.audio_ms), "{english:?}");
        assert_eq!(
            (french.text.as_str(), french.audio_ms),
            ("[tone: one moment]", 600)
        );
        assert!(pcm("en", 24_000).len() > 24_000 * 4);
    }
}
