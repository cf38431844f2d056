//! The grant: the single-use secret with which a tab that dropped out comes back. What is stored of it and where its
//! session stands decide whether it is good; the link of the invitation stays the way back in any case.

use std::time::Duration;

use crate::ids::SessionId;
use crate::session::State;

/// What is stored of a grant.
///
/// ```text
///            an offer is answered                 an offer comes with it, or without: the next one is issued
///   unknown ─────────────────────> Issued ───────────────────────────────────────────────────────────────> Used
///      ^                              ^  └── its session closes, or nobody has run it ──> expired            │ │
///      │                              │      for longer than the window (nothing is stored)                │ │
///      │                              └──────────────── the offer that it came with was refused ───────────┘ │
///      └────────────────────────────────────────────────────────────── many newer ones of the session ───────┘
/// ```
///
/// A session has one good grant at most: of two tabs, the one that connected last has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The session that it opens.
    pub session: SessionId,
    /// Whether it was used.
    pub wear: Wear,
}

/// Whether a grant was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wear {
    /// Nobody has come back with it yet.
    Issued,
    /// Somebody has, or a newer one has taken its place.
    Used,
}

/// Where the session of the link stands that a grant is presented with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub session: SessionId,
    /// Its state.
    pub state: State,
    /// Who runs it.
    pub keeper: Keeper,
}

/// Who runs a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A task, which closes it when its window is over: until then whoever comes is in time.
    Task,
    /// Nobody, since that moment in microseconds UTC: it waits for its participant.
    Nobody {
        /// When it was paused, or taken over from a process that had died.
        since_us: i64,
    },
}

/// Why a grant does not open a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It was never issued: forged, mistyped, or so old that it was forgotten.
    Unknown,
    /// It was redeemed before, or a newer one has taken its place.
    Used,
    /// Its session is over, or waited for longer than the window.
    Expired,
    /// It belongs to another session than the link.
    Foreign,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Refusal; 4] = [
        Refusal::Unknown,
        Refusal::Used,
        Refusal::Expired,
        Refusal::Foreign,
    ];

    /// The name in API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Unknown => "unknown",
            Refusal::Used => "used",
            Refusal::Expired => "expired",
            Refusal::Foreign => "foreign",
        }
    }
}

/// Whether a grant opens a session at `now_us`, in microseconds UTC. The last moment of the window counts; a clock that
/// was set back makes a window longer and never shorter.
///
/// # Errors
///
/// The reason, the first that applies in the order foreign, used, expired: of another session's grant nothing is told.
pub fn judge(
    record: Option<&Record>,
    standing: &Standing,
    now_us: i64,
    window: Duration,
) -> Result<(), Refusal> {
    let Some(record) = record else {
        return Err(Refusal::Unknown);
    };
    if record.session != standing.session {
        return Err(Refusal::Foreign);
    }
    if record.wear == Wear::Used {
        return Err(Refusal::Used);
    }
    if is_open(standing, now_us, window) {
        Ok(())
    } else {
        Err(Refusal::Expired)
    }
}

fn is_open(standing: &Standing, now_us: i64, window: Duration) -> bool {
    match (standing.state, standing.keeper) {
        // An interview that has not begun has no window: it simply begins.
        (State::Invited | State::Waiting, _) | (State::Active | State::Paused, Keeper::Task) => {
            true
        }
        (State::Active | State::Paused, Keeper::Nobody { since_us }) => {
            i128::from(now_us) - i128::from(since_us) <= window_us(window)
        }
        (State::Closing | State::Ended, _) => false,
    }
}

fn window_us(window: Duration) -> i128 {
    i128::try_from(window.as_micros()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Limits;

    const SINCE_US: i64 = 1_795_392_000_000_000;
    const WINDOW_US: i64 = 120_000_000;
    const NOBODY: Keeper = Keeper::Nobody { since_us: SINCE_US };

    fn record(session: &str, wear: Wear) -> Record {
        Record {
            session: session.into(),
            wear,
        }
    }

    fn verdict(
        record: Option<&Record>,
        state: State,
        keeper: Keeper,
        after_us: i64,
    ) -> Result<(), Refusal> {
        let standing = Standing {
            session: "S1".into(),
            state,
            keeper,
        };
        let now_us = SINCE_US + after_us;
        judge(record, &standing, now_us, Limits::default().recovery)
    }

    #[test]
    fn an_issued_grant_is_good_in_these_states_and_for_so_long() {
        let good: [(State, Keeper, i64, bool); 20] = [
            (State::Invited, Keeper::Task, 0, true),
            (State::Invited, NOBODY, WINDOW_US + 1, true),
            (State::Waiting, Keeper::Task, WINDOW_US + 1, true),
            (State::Waiting, NOBODY, WINDOW_US + 1, true),
            (State::Active, Keeper::Task, WINDOW_US + 1, true),
            (State::Active, NOBODY, 0, true),
            (State::Active, NOBODY, WINDOW_US, true),
            (State::Active, NOBODY, WINDOW_US + 1, false),
            (State::Paused, Keeper::Task, 0, true),
            (State::Paused, Keeper::Task, WINDOW_US + 1, true),
            (State::Paused, NOBODY, 0, true),
            (State::Paused, NOBODY, WINDOW_US - 1, true),
            (State::Paused, NOBODY, WINDOW_US, true),
            (State::Paused, NOBODY, WINDOW_US + 1, false),
            // The clock was set back by an hour, and forward by one.
            (State::Paused, NOBODY, -3_600_000_000, true),
            (State::Paused, NOBODY, 3_600_000_000, false),
            (State::Closing, Keeper::Task, 0, false),
            (State::Closing, NOBODY, 0, false),
            (State::Ended, Keeper::Task, 0, false),
            (State::Ended, NOBODY, 0, false),
        ];
        let issued = record("S1", Wear::Issued);
        for (state, keeper, after_us, is_good) in good {
            let expected = if is_good {
                Ok(())
            } else {
                Err(Refusal::Expired)
            };
            assert_eq!(
                verdict(Some(&issued), state, keeper, after_us),
                expected,
                "{state:?} {keeper:?} after {after_us} us"
            );
        }
    }

    #[test]
    fn forged_foreign_and_used_grants_open_nothing_whatever_the_session_does() {
        for state in State::ALL {
            for keeper in [Keeper::Task, NOBODY] {
                for after_us in [0, WINDOW_US, WINDOW_US + 1] {
                    let cases = [
                        (None, Refusal::Unknown),
                        (Some(record("S2", Wear::Issued)), Refusal::Foreign),
                        (Some(record("S2", Wear::Used)), Refusal::Foreign),
                        (Some(record("S1", Wear::Used)), Refusal::Used),
                    ];
                    for (record, refusal) in cases {
                        assert_eq!(
                            verdict(record.as_ref(), state, keeper, after_us),
                            Err(refusal),
                            "{record:?} {state:?} {keeper:?} after {after_us} us"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let standing = Standing {
            session: "S1".into(),
            state: State::Paused,
            keeper: Keeper::Nobody { since_us: i64::MIN },
        };
        let issued = record("S1", Wear::Issued);
        assert_eq!(
            judge(Some(&issued), &standing, i64::MAX, Duration::ZERO),
            Err(Refusal::Expired)
        );
        assert_eq!(
            judge(Some(&issued), &standing, i64::MAX, Duration::MAX),
            Ok(())
        );
    }
}
