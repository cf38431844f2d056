//! What journal entries make of a session's row. Pure: the state column is a fold over the journal and nothing else.

use engine::journal::{Entry, Measure, MoveCause, Outcome};
use engine::session::State;

/// What a group of entries changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) state: State,
    pub(crate) phase: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) cost_micro_usd: i64,
    pub(crate) first_voice_ms: Option<u64>,
    pub(crate) began: Progress,
    pub(crate) duration_ms: Option<u64>,
}

/// Whether the interview began with these entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Unchanged,
    Began,
}

impl Projection {
    /// Folds entries over a session in `state` whose last phase is `phase`.
    pub(crate) fn of(state: State, phase: Option<String>, entries: &[Entry]) -> Projection {
        let mut projection = Projection {
            state,
            phase,
            outcome: None,
            cost_micro_usd: 0,
            first_voice_ms: None,
            began: Progress::Unchanged,
            duration_ms: None,
        };
        for entry in entries {
            projection.apply(entry);
        }
        projection
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::PeerUp { .. } => {
                if self.state == State::Invited {
                    self.state = State::Waiting;
                }
            }
            Entry::PhaseEntered { phase, cause, .. } => {
                self.phase = Some(phase.as_str().to_owned());
                if matches!(self.state, State::Invited | State::Waiting) {
                    self.state = State::Active;
                }
                if *cause == MoveCause::Start {
                    self.began = Progress::Began;
                }
            }
            Entry::Paused { .. } => self.enter(State::Paused),
            Entry::Resumed { .. } => {
                self.enter(if self.phase.is_some() {
                    State::Active
                } else {
                    State::Waiting
                });
            }
            Entry::Closing { .. } => self.enter(State::Closing),
            Entry::Ended {
                outcome,
                timeline_ms,
            } => {
                self.state = State::Ended;
                self.outcome = Some(*outcome);
                self.duration_ms = Some(*timeline_ms);
            }
            Entry::Charged { charges } => {
                let sum = charges
                    .iter()
                    .fold(0_i64, |sum, charge| sum.saturating_add(charge.cost.0));
                self.cost_micro_usd = self.cost_micro_usd.saturating_add(sum);
            }
            Entry::Measured {
                measure: Measure::FirstVoice,
                ms,
            } => {
                self.first_voice_ms.get_or_insert(*ms);
            }
            Entry::Measured {
                measure: Measure::ResponseLatency,
                ..
            }
            | Entry::PeerLost { .. }
            | Entry::LinkUp { .. }
            | Entry::LinkGone { .. }
            | Entry::LinkFault { .. }
            | Entry::MoveRefused { .. }
            | Entry::TopicCovered { .. }
            | Entry::Nudged { .. }
            | Entry::SilencePrompted { .. }
            | Entry::Turn(_)
            | Entry::Muted { .. } => {}
        }
    }

    /// What is over stays over, and what is closing does not go back.
    fn enter(&mut self, state: State) {
        let settled = match self.state {
            State::Ended => true,
            State::Closing => state != State::Closing,
            State::Invited | State::Waiting | State::Active | State::Paused => false,
        };
        if !settled {
            self.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_after(entries: &[Entry]) -> State {
        Projection::of(State::Invited, None, entries).state
    }

    #[test]
    fn the_state_column_follows_the_journal() {
        let entered = Entry::PhaseEntered {
            phase: "warmup".into(),
            cause: MoveCause::Start,
            timeline_ms: 0,
        };
        let up = Entry::PeerUp {
            peer: engine::ids::PeerNo(1),
        };
        let paused = Entry::Paused { timeline_ms: 1 };
        let resumed = Entry::Resumed { timeline_ms: 2 };
        let closing = Entry::Closing {
            outcome: Outcome::Complete,
            timeline_ms: 3,
        };
        let ended = Entry::Ended {
            outcome: Outcome::Complete,
            timeline_ms: 4,
        };
        let check = |entries: &[&Entry], state: State| {
            let entries: Vec<Entry> = entries.iter().map(|entry| (*entry).clone()).collect();
            assert_eq!(state_after(&entries), state, "{entries:?}");
        };
        check(&[], State::Invited);
        check(&[&up], State::Waiting);
        check(&[&up, &paused, &resumed], State::Waiting);
        check(&[&up, &entered], State::Active);
        check(&[&up, &entered, &paused], State::Paused);
        check(&[&up, &entered, &paused, &resumed], State::Active);
        check(&[&up, &entered, &closing], State::Closing);
        check(&[&up, &entered, &closing, &paused], State::Closing);
        check(&[&up, &entered, &closing, &ended], State::Ended);
        check(
            &[&up, &entered, &closing, &ended, &paused, &up],
            State::Ended,
        );
    }
}
