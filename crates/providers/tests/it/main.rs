//! Tests of the crate from outside: frames in, events out.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod audio;
mod chat;
mod data;
mod endings;
mod errors;
mod history;
mod schema;
mod support;
mod talking;
mod turns;
mod usage;
