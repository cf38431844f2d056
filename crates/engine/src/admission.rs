//! Who may begin an interview now, and who waits in line.
//!
//! A place is free while fewer interviews run than the cap and the machine is not strained. Participants who find none stand in a
//! line and keep their place by asking again; who is silent for [`SILENT_AT_MOST`] has left. The first in line gets the next free
//! place, whoever asks first. Who comes back to an interview that had begun is never asked to wait: that is decided before.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::SessionId;
use crate::time::Mono;

/// Pages ask every few seconds; after this they are gone.
pub const SILENT_AT_MOST: Duration = Duration::from_secs(20);
/// A longer line keeps nobody's place: it is an attack, or an invitation that went to far too many.
const LINE_MAX: usize = 2_000;
/// A strained machine is calm again when it is so much below what strains it.
const CPU_CALMER: f64 = 0.1;
const LATE_CALMER: f64 = 0.2;

/// What strains a machine: above one of these no new interview begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bearable {
    /// Share of all cores that this process uses.
    pub cpu: f64,
    /// Share of moments at which media threads were late by more than a frame (20 ms).
    pub late: f64,
}

impl Bearable {
    /// Nothing strains it.
    pub const EVERYTHING: Bearable = Bearable {
        cpu: f64::INFINITY,
        late: f64::INFINITY,
    };
}

/// What somebody who wants to begin is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Begin.
    Admitted,
    /// Wait.
    Waits {
        /// Counted from 1: who is next.
        position: u32,
        /// How many stand in line, this one included.
        waiting: u32,
    },
}

/// Whether the machine can carry more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strain {
    /// It can.
    Calm,
    /// Those who are there need all of it.
    Strained,
}

/// How much room there is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Whoever comes is let in.
    Open,
    /// The machine carries no more for now, or a tenth of the places is left at most.
    Busy,
    /// All places are taken.
    Full,
}

impl Room {
    /// While so many of at most so many interviews run.
    #[must_use]
    pub fn of(live: usize, cap: usize, strain: Strain) -> Room {
        match strain {
            _ if live >= cap => Room::Full,
            Strain::Strained => Room::Busy,
            Strain::Calm if live.saturating_mul(10) >= cap.saturating_mul(9) => Room::Busy,
            Strain::Calm => Room::Open,
        }
    }

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Room::Open => "open",
            Room::Busy => "busy",
            Room::Full => "full",
        }
    }
}

/// The door.
#[derive(Clone, Debug)]
pub struct Door {
    cap: usize,
    bearable: Bearable,
    strain: Strain,
    /// In the order in which they came, each with the moment at which they asked last.
    line: VecDeque<(SessionId, Mono)>,
}

impl Door {
    /// Lets so many in.
    #[must_use]
    pub fn new(cap: usize, bearable: Bearable) -> Door {
        Door {
            cap,
            bearable,
            strain: Strain::Calm,
            line: VecDeque::new(),
        }
    }

    /// Somebody wants to begin while `live` interviews run.
    pub fn ask(&mut self, now: Mono, who: &SessionId, live: usize) -> Verdict {
        self.forget_silent(now);
        let known = self.line.iter().position(|(other, _)| other == who);
        let place = match known {
            Some(place) => {
                if let Some((_, asked)) = self.line.get_mut(place) {
                    *asked = now;
                }
                place
            }
            None => self.line.len(),
        };
        if place < self.room(live) {
            if known.is_some() {
                self.line.remove(place);
            }
            return Verdict::Admitted;
        }
        if known.is_none() && self.line.len() < LINE_MAX {
            self.line.push_back((who.clone(), now));
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Verdict::Waits {
            position: count(place + 1),
            waiting: count(self.line.len().max(place + 1)),
        }
    }

    /// How the machine does: share of all cores in use, and share of moments at which media threads were late by more than a
    /// frame.
    pub fn told(&mut self, cpu: f64, late: f64) -> Strain {
        let bearable = self.bearable;
        self.strain = match self.strain {
            Strain::Calm if cpu > bearable.cpu || late > bearable.late => Strain::Strained,
            Strain::Strained
                if cpu < bearable.cpu - CPU_CALMER && late < bearable.late * LATE_CALMER =>
            {
                Strain::Calm
            }
            same @ (Strain::Calm | Strain::Strained) => same,
        };
        self.strain
    }

    /// How the machine did when it was looked at last.
    #[must_use]
    pub fn strain(&self) -> Strain {
        self.strain
    }

    /// How many stand in line.
    pub fn waiting(&mut self, now: Mono) -> usize {
        self.forget_silent(now);
        self.line.len()
    }

    fn room(&self, live: usize) -> usize {
        let free = self.cap.saturating_sub(live);
        match self.strain {
            Strain::Calm => free,
            // If nobody is there the strain is not ours, and would never end by waiting.
            Strain::Strained if live == 0 => free.min(1),
            Strain::Strained => 0,
        }
    }

    fn forget_silent(&mut self, now: Mono) {
        self.line
            .retain(|(_, asked)| now.since(*asked) <= SILENT_AT_MOST);
    }
}
