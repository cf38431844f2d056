//! Tests of the repository and of the binary as a person runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abandoned;
mod chaos;
mod command;
mod deploy;
mod killed;
mod load;
mod tidy;
