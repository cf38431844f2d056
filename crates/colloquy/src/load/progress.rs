//! How far it is: one line that is written over on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use super::people::Counts;
use crate::output;

/// From one line to the next where lines stay.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The display.
pub(super) struct Display {
    began: Instant,
    is_terminal: bool,
    printed: Option<Instant>,
}

impl Display {
    pub(super) fn new(began: Instant) -> Display {
        Display {
            began,
            is_terminal: std::io::stdout().is_terminal(),
            printed: None,
        }
    }

    /// Shows where everybody stands, if it is time to.
    pub(super) fn show(&mut self, counts: Counts, stage: &str) {
        let now = Instant::now();
        if self.is_terminal {
            output::over(line(counts, stage, now - self.began));
        } else if self.printed.is_none_or(|last| now - last >= LINE_EVERY) {
            self.printed = Some(now);
            output::line(line(counts, stage, now - self.began));
        }
    }

    /// Shows it for the last time, and leaves it there.
    pub(super) fn done(&mut self, counts: Counts, stage: &str) {
        self.printed = None;
        self.show(counts, stage);
        if self.is_terminal {
            output::line("");
        }
    }
}

fn line(counts: Counts, stage: &str, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!(
        "  {:>2}:{:02} {stage:<8} joined {}/{}  in line {}  connected {}  talking {}  dropped {}  returned {}  failed {}  over {}",
        seconds / 60,
        seconds % 60,
        counts.joined,
        counts.sessions,
        counts.in_line,
        counts.connected,
        counts.talking,
        counts.dropped,
        counts.returned,
        counts.failed,
        counts.over,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_everybody_stands() {
        let counts = Counts {
            sessions: 10,
            joined: 9,
            connected: 8,
            talking: 7,
            dropped: 2,
            returned: 1,
            ..Counts::default()
        };
        let line = line(counts, "held", Duration::from_secs(75));
        assert!(line.starts_with("   1:15 held"), "{line}");
        assert!(
            line.contains(
                "joined 9/10  in line 0  connected 8  talking 7  dropped 2  returned 1  failed 0"
            ),
            "{line}"
        );
    }
}
