//! Decides everything: what a session does next, when a phase ends, what a token costs, which segments go into which call.
//!
//! Pure. No IO, no clock, no randomness of its own: time and secrets are arguments ([`time::Mono`]). What it decides comes
//! out as values ([`session::Output`]) that `server` carries out. A session's inputs can therefore be written down and
//! replayed to byte-identical outputs.
//!
//! ```text
//! facts ──> session::Session::handle(now, Input, &mut Vec<Output>) ──> what must now be done
//!              ├── phase:   who may move the interview, and when time moves it
//!              ├── turns:   what was said, and how much of it was heard
//!              ├── latency: time to first voice, response latency
//!              └── meter:   usage priced in micro-dollars against the budget
//! ```

pub mod admission;
pub mod analysis;
pub mod cost;
pub mod enrich;
pub mod grant;
pub mod ids;
pub mod journal;
pub mod link;
pub mod plan;
pub mod session;
pub mod time;
pub mod trouble;
pub mod vitals;
