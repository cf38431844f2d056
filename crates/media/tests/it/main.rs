//! Two peers in virtual time over a seeded link: no sockets, no sleeps, no clock but the harness'.
#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod call;
mod connecting;
mod going_on;
mod listening;
mod offers;
mod playing;
mod recording;
mod restarting;
mod sound;
