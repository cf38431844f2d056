//! The session machine.

pub mod io;

pub use io::{Input, MediaFact, Notice, Output, Request, State};
