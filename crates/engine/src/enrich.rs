//! Coding of transcripts: what goes into one call, what is asked, and what of the answer is believed.
//!
//! Pure, like all of `engine`: `server` makes the calls. An answer is data of a stranger: each segment's part is checked
//! on its own, what is right is kept, and only what is missing or wrong is asked again ([`after_refusal`]).

mod check;
mod limiter;
mod order;
mod prompt;
mod segment;

pub use check::{Answer, Coding, QuoteAt, Refusal, Sentiment, Topics, Verdict, check};
pub use limiter::{Allowance, Answered, Limiter, Permit, Reported, Stop, Verdict as CallVerdict};
pub use order::{Order, Waiting, rank_of_running};
pub use prompt::{Code, ContextLine, PROMPT_VERSION, SCHEMA_VERSION, instructions, message};
pub use segment::{PARTS_MAX, Segment, Spoken, segments};

/// How often a segment is asked about before it is given up: with others, with those that were refused too, with half as many
/// of them, alone.
pub const ROUNDS_MAX: u32 = 4;

/// How many segments share a call in each round, if `size` do in the first.
#[must_use]
pub fn sizes(size: u32) -> [u32; ROUNDS_MAX as usize] {
    let size = size.max(1);
    [size, size, size.div_ceil(2), 1]
}

/// The round in which a segment is asked about again that was refused in `round`; none after the last.
#[must_use]
pub const fn after_refusal(round: u32) -> Option<u32> {
    if round < ROUNDS_MAX {
        Some(round + 1)
    } else {
        None
    }
}

/// The round for the segments of a call that was too large: one in which fewer share a call. None for a call that was about one
/// segment alone.
#[must_use]
pub fn after_too_large(round: u32, asked: usize, size: u32) -> Option<u32> {
    let sizes = sizes(size);
    let smaller = |candidate: &u32| (sizes[*candidate as usize - 1] as usize) < asked;
    (round.max(1) + 1..=ROUNDS_MAX).find(smaller)
}
