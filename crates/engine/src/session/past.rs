//! What a session's journal says of it, for the process that goes on with it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a reader picks the entries that it needs; a new kind says nothing about the past until somebody reads it"
)]

use std::time::Duration;

use crate::cost::MicroUsd;
use crate::ids::{LinkNo, PeerNo, PhaseId, TopicId, TurnNo};
use crate::journal::{Entry, MoveCause};
use crate::link::Speaker;

use super::care::is_own_line;

/// What the journal, and what hangs on it, says of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Where the recording's timeline goes on: not before anything that is on it already, in milliseconds.
    pub timeline_ms: u64,
    /// The last connection.
    pub peer: Option<PeerNo>,
    /// The last link.
    pub link: Option<LinkNo>,
    /// The sum of the ledger.
    pub cost: MicroUsd,
    /// The last turn that has a number.
    pub turn: Option<TurnNo>,
    /// The conversation: everything that was heard, in any order, our own lines excepted.
    pub turns: Vec<PastTurn>,
    /// How its end came about, if it had come.
    pub end: PastEnd,
    /// How far the interview got; none if it had not begun.
    pub interview: Option<PastInterview>,
}

/// How a session came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PastEnd {
    /// It had not.
    #[default]
    NotYet,
    /// Nobody came back after a pause. Whoever does later may go on.
    Lapsed,
    /// In any other way: it is over for good.
    Final,
}

/// A turn that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTurn {
    /// Its number.
    pub turn: TurnNo,
    /// Who spoke.
    pub speaker: Speaker,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// What was heard of it.
    pub text: String,
}

/// How far an interview got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastInterview {
    /// The phase that it is in.
    pub phase: PhaseId,
    /// Phases entered, in their order.
    pub visited: Vec<PhaseId>,
    /// Questions covered, in their order.
    pub covered: Vec<TopicId>,
    /// Time in the current phase, pauses not counted.
    pub spent: Duration,
    /// Time since the interview began, time without a process not counted.
    pub elapsed: Duration,
    /// Whether the model was told in this phase that time is short.
    pub nudged: bool,
}

/// The clock of the current phase, while the journal is read.
#[derive(Clone, Copy)]
enum PhaseClock {
    Runs { from_ms: u64 },
    Stands,
}

impl Past {
    /// Reads a journal, oldest entry first. What it does not say did not happen: an utterance that was being played when
    /// the process died is not among the turns.
    ///
    /// Times are taken from the recording's timeline, not from the wall clock, which may have been set back meanwhile.
    #[must_use]
    pub fn read<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Past {
        let mut past = Past::default();
        let mut began_ms = 0;
        let mut clock = PhaseClock::Stands;
        let mut paused = false;
        for entry in entries {
            past.note_names(entry);
            if let Some(at_ms) = timeline_ms(entry) {
                past.timeline_ms = past.timeline_ms.max(at_ms);
            }
            match entry {
                Entry::PhaseEntered {
                    phase,
                    cause,
                    timeline_ms,
                } => {
                    if *cause == MoveCause::Start {
                        began_ms = *timeline_ms;
                    }
                    past.enter(phase);
                    clock = PhaseClock::Runs {
                        from_ms: *timeline_ms,
                    };
                }
                Entry::Closing { .. } => {
                    past.end = if paused {
                        PastEnd::Lapsed
                    } else {
                        PastEnd::Final
                    };
                }
                Entry::Paused { timeline_ms } => {
                    paused = true;
                    past.stop_clock(clock, *timeline_ms);
                    clock = PhaseClock::Stands;
                }
                Entry::Resumed { timeline_ms } => {
                    (paused, past.end) = (false, PastEnd::NotYet);
                    clock = PhaseClock::Runs {
                        from_ms: *timeline_ms,
                    };
                }
                Entry::Turn(turn) => {
                    past.turn = past.turn.max(Some(turn.turn));
                    if !is_own_line(&turn.item) {
                        past.turns.push(PastTurn {
                            turn: turn.turn,
                            speaker: turn.speaker,
                            start_ms: turn.start_ms,
                            text: turn.text.clone(),
                        });
                    }
                }
                Entry::Charged { charges } => {
                    past.cost = charges
                        .iter()
                        .fold(past.cost, |sum, charge| sum.plus(charge.cost));
                }
                _ => {}
            }
        }
        let end_ms = past.timeline_ms;
        past.stop_clock(clock, end_ms);
        if let Some(interview) = &mut past.interview {
            interview.elapsed = Duration::from_millis(end_ms.saturating_sub(began_ms));
        }
        past
    }

    /// Numbers of connections and links, questions covered, the nudge.
    fn note_names(&mut self, entry: &Entry) {
        match entry {
            Entry::PeerUp { peer } | Entry::PeerLost { peer } => {
                self.peer = self.peer.max(Some(*peer));
            }
            Entry::LinkUp { link, .. }
            | Entry::LinkGone { link, .. }
            | Entry::LinkFault { link, .. } => self.link = self.link.max(Some(*link)),
            Entry::TopicCovered { topic, .. } => {
                if let Some(interview) = &mut self.interview {
                    interview.covered.push(topic.clone());
                }
            }
            Entry::Nudged { .. } => {
                if let Some(interview) = &mut self.interview {
                    interview.nudged = true;
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: &PhaseId) {
        let (mut visited, covered) = self
            .interview
            .take()
            .map_or_else(Default::default, |past| (past.visited, past.covered));
        if !visited.contains(phase) {
            visited.push(phase.clone());
        }
        self.interview = Some(PastInterview {
            phase: phase.clone(),
            visited,
            covered,
            spent: Duration::ZERO,
            elapsed: Duration::ZERO,
            nudged: false,
        });
    }

    fn stop_clock(&mut self, clock: PhaseClock, at_ms: u64) {
        if let (PhaseClock::Runs { from_ms }, Some(interview)) = (clock, &mut self.interview) {
            let run = Duration::from_millis(at_ms.saturating_sub(from_ms));
            interview.spent = interview.spent.saturating_add(run);
        }
    }
}

/// The last moment of the timeline that an entry speaks of.
fn timeline_ms(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::PhaseEntered { timeline_ms, .. }
        | Entry::TopicCovered { timeline_ms, .. }
        | Entry::Muted { timeline_ms, .. }
        | Entry::Paused { timeline_ms }
        | Entry::Resumed { timeline_ms }
        | Entry::Closing { timeline_ms, .. }
        | Entry::Ended { timeline_ms, .. } => Some(*timeline_ms),
        Entry::NetworkGap { to_ms, .. } => Some(*to_ms),
        Entry::Turn(turn) => Some(turn.end_ms),
        _ => None,
    }
}
