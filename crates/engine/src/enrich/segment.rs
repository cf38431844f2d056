//! From turns to segments, the unit that is coded.

use crate::ids::{PhaseId, TurnNo};
use crate::link::Speaker;

/// A longer turn is split at sentence ends: topics and sentiment of two minutes of talk are a mixture of everything.
/// Chosen by feel: about 45 seconds of speech.
const SEGMENT_WORDS_MAX: usize = 120;

/// Parts of one turn at most; what is beyond is not coded. Ten hours of talk without a word in between.
pub const PARTS_MAX: u32 = 1_000;

fn number(turn: TurnNo, part_no: u32) -> u32 {
    turn.0.saturating_mul(PARTS_MAX).saturating_add(part_no)
}

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
    /// The turn's number times [`PARTS_MAX`], and which part of the turn it is, from 1: the same whenever the transcript is cut,
    /// however much was said by then. In speech order.
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
        let words: usize = parts.iter().map(|part| part.words).sum();
        let span_ms = turn.end_ms.saturating_sub(turn.start_ms);
        let at = |before: usize| turn.start_ms + span_ms * (before as u64) / (words.max(1) as u64);
        let mut before = 0;
        for (part_no, part) in (1..PARTS_MAX).zip(parts) {
            let after = before + part.words;
            found.push(Segment {
                no: number(turn.turn, part_no),
                turn: turn.turn,
                phase: turn.phase.clone(),
                start_ms: at(before),
                end_ms: at(after),
                text: turn
                    .text
                    .get(part.start..part.end)
                    .unwrap_or_default()
                    .to_owned(),
            });
            before = after;
        }
    }
    found
}

/// A stretch of a text, by bytes, from its first word to its last.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
    words: usize,
}

/// Splits at sentence ends into parts of at most [`SEGMENT_WORDS_MAX`] words; a sentence that is longer is split at words.
/// Parts are stretches of the text as it is, so that what is verbatim in a segment is verbatim in its turn.
fn split(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for piece in sentences(text).flat_map(|(at, sentence)| pieces(at, sentence)) {
        match parts.last_mut() {
            Some(part) if part.words + piece.words <= SEGMENT_WORDS_MAX => {
                part.end = piece.end;
                part.words += piece.words;
            }
            _ => parts.push(piece),
        }
    }
    parts
}

/// Sentences with the byte at which each begins. A full stop within a number or a name ends nothing.
fn sentences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    let ends = text.char_indices().filter_map(move |(at, c)| {
        let after = at + c.len_utf8();
        let next = text.get(after..).and_then(|rest| rest.chars().next());
        let ends = match c {
            '.' | '?' | '!' => next.is_none_or(char::is_whitespace),
            '\u{3002}' | '\u{ff1f}' | '\u{ff01}' => true,
            _ => next.is_none(),
        };
        ends.then_some(after)
    });
    ends.filter_map(move |end| {
        let sentence = (start, text.get(start..end)?);
        start = end;
        Some(sentence)
    })
}

/// A sentence that begins at byte `at`, in stretches that are not too long.
fn pieces(at: usize, sentence: &str) -> Vec<Part> {
    let words: Vec<(usize, usize)> = sentence
        .split_whitespace()
        .map(|word| {
            let start = at + word.as_ptr().addr() - sentence.as_ptr().addr();
            (start, start + word.len())
        })
        .collect();
    let part = |words: &[(usize, usize)]| {
        let ((start, _), (_, end)) = (words.first()?, words.last()?);
        Some(Part {
            start: *start,
            end: *end,
            words: words.len(),
        })
    };
    words.chunks(SEGMENT_WORDS_MAX).filter_map(part).collect()
}
