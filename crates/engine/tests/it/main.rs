//! The engine, driven from outside: facts in, outputs out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at what it asks about"
)]

mod admission;
mod analysis;
mod believing;
mod care;
mod drive;
mod ends;
mod enrich;
mod every;
mod fleet;
mod interview;
mod limiter;
mod links;
mod moves;
mod pauses;
mod replay;
mod restore;
mod trouble;
mod turns;
mod vitals;
mod walk;
