//! What journal entries make of a session's row. Pure: the state column is a fold over the journal and nothing else.

use engine::journal::{Entry, Measure, MoveCause, Outcome};
use engine::session::State;

/// What entries change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Projection {
    pub(crate) state: State,
    pub(crate) phase: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) cost_micro_usd: i64,
    pub(crate) first_voice_ms: Option<u64>,
    pub(crate) started_at_us: Option<i64>,
    pub(crate) ended_at_us: Option<i64>,
    pub(crate) duration_ms: Option<u64>,
    /// Turns among the entries, each time that they were written.
    pub(crate) turns_put: u64,
}

impl Projection {
    /// Nothing changed yet: a session in `state` whose last phase is `phase`.
    pub(crate) fn new(state: State, phase: Option<String>) -> Projection {
        Projection {
            state,
            phase,
            outcome: None,
            cost_micro_usd: 0,
            first_voice_ms: None,
            started_at_us: None,
            ended_at_us: None,
            duration_ms: None,
            turns_put: 0,
        }
    }

    /// Folds one entry in, which is committed at `at_us`.
    pub(crate) fn apply(&mut self, entry: &Entry, at_us: i64) {
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
                    self.started_at_us.get_or_insert(at_us);
                }
            }
            Entry::Turn(_) => self.turns_put = self.turns_put.saturating_add(1),
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
                self.outcome.get_or_insert(*outcome);
                self.ended_at_us.get_or_insert(at_us);
                self.duration_ms.get_or_insert(*timeline_ms);
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
            | Entry::Muted { .. }
            | Entry::NetworkGap { .. } => {}
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
        {
            let mut projection = Projection::new(State::Invited, None);
            entries.iter().for_each(|entry| projection.apply(entry, 0));
            projection.state
        }
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
