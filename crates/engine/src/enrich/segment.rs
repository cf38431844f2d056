//! From turns to segments, the unit that is coded.

use crate::ids::{PhaseId, TurnNo};
use crate::link::Speaker;

/// A longer turn is split at sentence ends: topics and sentiment of two minutes of talk are a mixture of everything.
/// Chosen by feel: about 45 seconds of speech.
const SEGMENT_WORDS_MAX: usize = 120;

/// A turn, as coding sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Which turn.
    pub turn: TurnNo,
    /// Who spoke.
    pub speaker: Speaker,
    /// In which phase.
    pub phase: PhaseId,
    /// On the recording's timeline.
    pub start_ms: u64,
    /// On the recording's timeline.
    pub end_ms: u64,
    /// What was heard.
    pub text: String,
}

/// What the participant said in one turn, or in a part of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Counted from 1 in speech order.
    pub no: u32,
    /// The turn that it is (a part) of.
    pub turn: TurnNo,
    /// In which phase.
    pub phase: PhaseId,
    /// On the recording's timeline; parts of a turn share its time in proportion to their words.
    pub start_ms: u64,
    /// On the recording's timeline.
    pub end_ms: u64,
    /// Its words.
    pub text: String,
}

/// The participant's turns as segments, in speech order. Empty turns have none.
#[must_use]
pub fn segments(turns: &[Spoken]) -> Vec<Segment> {
    let mut found = Vec::new();
    for turn in turns
        .iter()
        .filter(|turn| turn.speaker == Speaker::Participant)
    {
        let parts = split(&turn.text);
        let words: usize = parts.iter().map(|part| words(part)).sum();
        let span_ms = turn.end_ms.saturating_sub(turn.start_ms);
        let at = |before: usize| turn.start_ms + span_ms * (before as u64) / (words.max(1) as u64);
        let mut before = 0;
        for part in parts {
            let after = before + self::words(&part);
            let no = u32::try_from(found.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            found.push(Segment {
                no,
                turn: turn.turn,
                phase: turn.phase.clone(),
                start_ms: at(before),
                end_ms: at(after),
                text: part,
            });
            before = after;
        }
    }
    found
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Splits at sentence ends into parts of at most [`SEGMENT_WORDS_MAX`] words; a sentence that is longer is split at words.
fn split(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut count = 0;
    for sentence in sentences(text) {
        for piece in pieces(sentence) {
            let more = words(&piece);
            if count > 0 && count + more > SEGMENT_WORDS_MAX {
                parts.push(part.trim().to_owned());
                part.clear();
                count = 0;
            }
            part.push_str(&piece);
            part.push(' ');
            count += more;
        }
    }
    parts.push(part.trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '?', '!', '\u{3002}', '\u{ff1f}', '\u{ff01}'])
        .map(str::trim)
}

fn pieces(sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    words
        .chunks(SEGMENT_WORDS_MAX)
        .map(|chunk| chunk.join(" "))
        .collect()
}
