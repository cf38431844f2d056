//! Coding of transcripts: what goes into one call, what is asked, and what of the answer is believed.
//!
//! Pure, like all of `engine`: `server` makes the calls. An answer is data of a stranger: each segment's part is checked
//! on its own, what is right is kept, and only what is missing or wrong is asked again ([`next_calls`]).

mod check;
mod prompt;
mod segment;

pub use check::{Answer, Coding, QuoteAt, Refusal, Sentiment, Topics, Verdict, check};
pub use prompt::{Code, ContextLine, PROMPT_VERSION, SCHEMA_VERSION, instructions, message};
pub use segment::{Segment, Spoken, segments};

/// Calls for the same segments before what is still wrong is given up: together, together again, one by one.
pub const ROUNDS_MAX: u32 = 3;

/// Forms calls of at most `size` segments each, in speech order.
#[must_use]
pub fn batches(segments: &[u32], size: usize) -> Vec<Vec<u32>> {
    segments.chunks(size.max(1)).map(<[u32]>::to_vec).collect()
}

/// What to ask next about segments that were refused in `round` (counted from 1): all of them in one call after the first
/// round, each on its own after the second, nothing after the last.
#[must_use]
pub fn next_calls(refused: &[u32], round: u32) -> Vec<Vec<u32>> {
    match round {
        _ if refused.is_empty() || round >= ROUNDS_MAX => Vec::new(),
        0 | 1 => vec![refused.to_vec()],
        _ => batches(refused, 1),
    }
}

/// Halves of a call that was too large; nothing can be halved any more once it is a single segment.
#[must_use]
pub fn halves(segments: &[u32]) -> Option<[Vec<u32>; 2]> {
    if segments.len() < 2 {
        return None;
    }
    let (first, second) = segments.split_at(segments.len() / 2);
    Some([first.to_vec(), second.to_vec()])
}
