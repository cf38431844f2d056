//! The states of a session, with what belongs to each, and which may follow which.

use crate::journal::Outcome;
use crate::session::State;
use crate::time::Mono;

/// Where a session stands.
///
/// ```text
///                 offer              peer up, audio flowing,
///                                    link ready
///   Invited ────────────> Waiting ────────────────────────> Active ──┐ <─┐
///      │                     │                                │      │   │ peer up again
///      │ operator            │ join timer, provider refused   │      │   │ within the window
///      │                     │                                │      v   │
///      │                     │      end, time, budget, silence│     Paused
///      │                     │                                │        │ window over
///      └──────────────┬──────┴────────────────────────────────┴────────┘
///                     v
///                  Closing{outcome} ──────────────────────────────> Ended{outcome}
///                             statement played, nothing can be said,
///                             or its timer
/// ```
///
/// A session that is left to the next process (`Parked`) is paused for everybody else: the journal holds it, and
/// [`super::restore`] makes a paused one of it.
///
/// Which phase an active session is in belongs to the phase machine ([`super::phase`]), because it outlives a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The link was sent; nobody came yet.
    Invited,
    /// A peer is being connected, a provider link opened.
    Waiting,
    /// The interview runs.
    Active,
    /// The participant's media is gone.
    Paused {
        /// The last moment at which the participant may be back; it still counts.
        deadline: Mono,
        /// What happens when nobody comes.
        absence: Absence,
    },
    /// The closing statement is spoken.
    Closing {
        /// Why.
        outcome: Outcome,
        /// How far it got.
        statement: Statement,
    },
    /// Over.
    Ended {
        /// Why.
        outcome: Outcome,
    },
    /// Left, paused, to the next process.
    Parked,
}

/// What is known of a participant who is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Dropped out a moment ago: when the window is over the interview is closed.
    Dropped,
    /// Gone since an earlier process: when this try is over the session is parked again.
    Away,
}

/// How far the closing statement got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// The model has not said it yet.
    Due,
    /// The model has said it; it may still be playing.
    Said,
}

impl Stage {
    /// The state without its data.
    pub(crate) const fn state(self) -> State {
        match self {
            Stage::Invited => State::Invited,
            Stage::Waiting => State::Waiting,
            Stage::Active => State::Active,
            Stage::Paused { .. } | Stage::Parked => State::Paused,
            Stage::Closing { .. } => State::Closing,
            Stage::Ended { .. } => State::Ended,
        }
    }

    /// Why it ended or is ending.
    pub(crate) const fn outcome(self) -> Option<Outcome> {
        match self {
            Stage::Closing { outcome, .. } | Stage::Ended { outcome } => Some(outcome),
            Stage::Invited
            | Stage::Waiting
            | Stage::Active
            | Stage::Paused { .. }
            | Stage::Parked => None,
        }
    }
}

/// Whether a session may go from one state to another. Checked at every change: a wrong one is a bug and panics, which
/// ends this session and no other.
#[must_use]
pub const fn is_transition_valid(from: State, to: State) -> bool {
    match (from, to) {
        (State::Invited, State::Waiting)
        | (State::Waiting, State::Active)
        | (State::Active, State::Paused)
        | (State::Paused, State::Active)
        | (State::Invited | State::Waiting | State::Active | State::Paused, State::Closing)
        | (State::Closing, State::Ended) => true,
        (
            State::Invited
            | State::Waiting
            | State::Active
            | State::Paused
            | State::Closing
            | State::Ended,
            State::Invited
            | State::Waiting
            | State::Active
            | State::Paused
            | State::Closing
            | State::Ended,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_last_can_be_closed_and_nothing_leaves_the_last() {
        for from in State::ALL {
            let closable = !matches!(from, State::Closing | State::Ended);
            assert_eq!(
                is_transition_valid(from, State::Closing),
                closable,
                "{from:?}"
            );
            assert!(!is_transition_valid(State::Ended, from));
            assert_eq!(
                is_transition_valid(from, State::Ended),
                from == State::Closing,
                "{from:?}"
            );
            assert!(
                !is_transition_valid(from, from),
                "a change to the same state is none"
            );
        }
    }
}
