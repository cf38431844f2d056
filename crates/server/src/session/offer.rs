//! What an offer needs, and what becomes of it.

use std::sync::Arc;

use engine::ids::{PeerNo, SessionId};
use engine::plan::Plan;
use media::OfferError;
use providers::Profile;
use store::{SessionRow, StoreError};

use super::tally::Way;
use crate::study::Study;

/// What a session needs to begin.
pub struct Start {
    /// Whose.
    pub session_id: SessionId,
    /// Its study.
    pub study: Arc<Study>,
    /// The study as this session runs it.
    pub plan: Plan,
    /// The provider profile that was chosen for it.
    pub profile: Profile,
    /// By what its participant comes.
    pub way: Way,
    /// Whether the interview had begun before.
    pub begun: Begun,
}

/// Whether an interview had begun. Who comes back to one is never asked to wait in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It had.
    Before,
    /// It begins now.
    Now,
}

impl Begun {
    /// By what is on record.
    #[must_use]
    pub fn of(row: &SessionRow) -> Begun {
        match row.started_at_us {
            Some(_) => Begun::Before,
            None => Begun::Now,
        }
    }
}

/// An offer was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The answer.
    pub sdp: String,
    /// The new peer.
    pub peer: PeerNo,
}

/// Why an offer was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OfferRefusal {
    /// The offer itself.
    #[error("{0}")]
    Bad(OfferError),
    /// As many sessions as allowed are running, or as the machine can carry.
    #[error(
        "as many interviews as this server may hold are running; this one is number {position} in line"
    )]
    Full {
        /// Counted from 1.
        position: u32,
        /// How many stand in line.
        waiting: u32,
    },
    /// The process is about to end.
    #[error("this server is about to restart; try again in a minute")]
    Draining,
    /// The session is over, or ending.
    #[error("this interview is over")]
    Ended,
    /// The store.
    #[error("the interview cannot be written down right now ({0}); try again in a minute")]
    Store(#[from] StoreError),
    /// The session did not answer in time, or its audio cannot be set up.
    #[error("the interview cannot be connected right now; try again in a minute")]
    Unavailable,
}

/// There is no such session on this process, or it is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this interview is not running")]
pub struct NotLive;
