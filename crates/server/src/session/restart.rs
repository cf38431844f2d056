//! ICE restart of a live session's peer: what is asked, what is answered, and the way to whoever has the peer.

use std::fmt;
use std::str::FromStr;

use engine::ids::{PeerNo, SessionId};
use media::IceFragment;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::registry::{ANSWERED_WITHIN, Registry};
use super::task::Command;

/// A peer between two of its restarts. As text (`2`, `2.1`, `2.2`) it is the entity tag of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Which peer.
    pub peer: PeerNo,
    /// How often it was restarted.
    pub restarts: u32,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.restarts {
            0 => write!(f, "{}", self.peer),
            restarts => write!(f, "{}.{restarts}", self.peer),
        }
    }
}

/// A text that no generation is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoGeneration;

impl FromStr for Generation {
    type Err = NoGeneration;

    fn from_str(text: &str) -> Result<Generation, NoGeneration> {
        let (peer, restarts) = text.split_once('.').unwrap_or((text, "0"));
        let parsed = Generation {
            peer: PeerNo(peer.parse().map_err(|_| NoGeneration)?),
            restarts: restarts.parse().map_err(|_| NoGeneration)?,
        };
        // Entity tags are compared letter by letter: `02`, `+2` and `2.0` are none of ours.
        if parsed.to_string() == text {
            Ok(parsed)
        } else {
            Err(NoGeneration)
        }
    }
}

/// Which generations whoever asks is ready to restart (`If-Match`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is now.
    Any,
    /// One of these.
    OneOf(Vec<Generation>),
}

impl Expected {
    /// Whether this is one of them.
    #[must_use]
    pub fn holds(&self, now: Generation) -> bool {
        match self {
            Expected::Any => true,
            Expected::OneOf(known) => known.contains(&now),
        }
    }
}

/// A restart was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// Our part.
    pub fragment: IceFragment,
    /// What the peer is from now on.
    pub generation: Generation,
}

/// Why a restart was not answered. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestartRefusal {
    /// The session is not running here, or not any more.
    #[error("this interview is not running")]
    NotLive,
    /// There is no such peer (any more).
    #[error("this connection is gone")]
    Gone,
    /// The peer is not what whoever asks took it for.
    #[error("this connection is {0} by now")]
    Stale(Generation),
    /// The credentials are not new.
    #[error("these credentials are those that the connection has")]
    NotNew,
    /// The session did not answer in time.
    #[error("the interview cannot be reached right now")]
    Unavailable,
}

/// A restart on its way to whoever has the peer.
pub(super) struct Asked {
    /// Which peer.
    pub(super) peer: PeerNo,
    /// What it must be.
    pub(super) expected: Expected,
    /// The other side's part.
    pub(super) fragment: IceFragment,
    /// Gets the answer.
    pub(super) reply: oneshot::Sender<Result<Restarted, RestartRefusal>>,
}

impl Registry {
    /// Restarts the ICE of a peer: its path changes and nothing above it.
    ///
    /// # Errors
    /// See [`RestartRefusal`]; a refused restart changes nothing.
    pub async fn restart_peer(
        &self,
        id: &SessionId,
        peer: PeerNo,
        expected: Expected,
        fragment: IceFragment,
    ) -> Result<Restarted, RestartRefusal> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            peer,
            expected,
            fragment,
            reply,
        };
        self.command(id, Command::Restart(asked))
            .await
            .map_err(|_| RestartRefusal::NotLive)?;
        match timeout(ANSWERED_WITHIN, answer).await {
            Ok(Ok(answered)) => answered,
            // Whoever had the peer went before it came to this.
            Ok(Err(_gone)) => Err(RestartRefusal::NotLive),
            Err(_elapsed) => Err(RestartRefusal::Unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_as_it_is_written_and_in_no_other_way() {
        for (peer, restarts, text) in [
            (2, 0, "2"),
            (2, 1, "2.1"),
            (10, 4_294_967_295, "10.4294967295"),
        ] {
            let generation = Generation {
                peer: PeerNo(peer),
                restarts,
            };
            assert_eq!(generation.to_string(), text);
            assert_eq!(text.parse(), Ok(generation));
        }
        for text in [
            "",
            "x",
            "2.",
            ".1",
            "2.0",
            "02",
            "2.01",
            "+2",
            "-1",
            "2.1.1",
            " 2",
            "4294967296",
        ] {
            assert_eq!(text.parse::<Generation>(), Err(NoGeneration), "{text:?}");
        }
    }
}
