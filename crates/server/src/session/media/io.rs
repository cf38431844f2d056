//! What goes into the media task and what comes out, besides datagrams and frames of audio.

use std::time::Instant;

use engine::ids::{ItemId, PeerNo};
use engine::session::MediaFact;
use media::{Answer, OfferError};
use tokio::sync::oneshot;

use crate::session::fresh;
use crate::session::link::Heard;
use crate::session::restart::Asked;

/// What the session task tells the media task. Dropping the sender finishes the recording and ends the task.
pub(in crate::session) enum Order {
    /// Answer an offer with a new peer in place of the old one.
    Accept {
        /// The new peer's number.
        peer: PeerNo,
        /// The offer.
        sdp: String,
        /// Gets the answer.
        reply: oneshot::Sender<Result<Answer, OfferError>>,
    },
    /// Answer an ICE restart.
    Restart(Asked),
    /// From now on the participant is heard by this link.
    Listen(fresh::Sender<Heard>),
    /// Stop playing.
    Cut,
    /// Play nothing more of this utterance.
    DropUtterance(ItemId),
    /// Send this to the page.
    Tell(String),
    /// Close this peer, after a moment in which the page can still hear.
    ClosePeer(PeerNo),
    /// The participant hung up: close this peer now.
    HangUp(PeerNo),
    /// Finish the recording, then end.
    Finish,
}

/// Interviewer audio, from a link.
#[derive(Debug)]
pub(in crate::session) enum Spoken {
    /// Some of it.
    Audio {
        /// The utterance.
        item: ItemId,
        /// Samples at the profile's output rate.
        pcm: Vec<i16>,
        /// When it came in.
        at: Instant,
    },
    /// That was all of it.
    Done {
        /// The utterance.
        item: ItemId,
    },
}

/// What the media task tells the session task.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session) enum Report {
    /// A peer is being connected. Comes before any of its facts.
    Accepted(PeerNo),
    /// Something happened.
    Fact(PeerNo, MediaFact),
    /// The page sent this.
    Text(String),
}
