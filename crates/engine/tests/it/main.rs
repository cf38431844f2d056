//! The engine, driven from outside: facts in, outputs out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod drive;
mod ends;
mod every;
mod interview;
mod links;
mod moves;
mod pauses;
mod replay;
mod turns;
mod walk;
