//! The only place that prints: results to stdout, problems to stderr.

use std::fmt::Display;

/// One line for the person who ran the command.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// One line about something wrong.
#[expect(
    clippy::print_stderr,
    reason = "problems do not belong into the output of a command"
)]
pub(crate) fn wrong(text: impl Display) {
    eprintln!("{text}");
}

/// Why the command failed, with its causes.
pub(crate) fn problem(error: &anyhow::Error) {
    wrong(format!("colloquy: {error:#}"));
}

/// A line that takes the place of the one before, on a terminal.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub(crate) fn over(text: impl Display) {
    use std::io::Write as _;
    print!("\r\x1b[2K{text}");
    // Who closed our output reads no more of it.
    let _ = std::io::stdout().flush();
}
