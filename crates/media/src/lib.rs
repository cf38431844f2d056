//! Media without sockets: the WebRTC peer, Opus, playout, voice activity, recording.
//!
//! Everything here is sans-IO: datagrams and moments go in, datagrams, audio, facts and recording chunks come out.
//! Nothing reads a clock, opens a socket or spawns. `server` owns one [`Desk`] per session; `sim` uses [`Peer`] from
//! the other side.

pub mod clip;
mod clock;
pub mod demux;
mod desk;
pub mod excerpt;
mod fragment;
mod gap;
mod jitter;
mod listen;
mod net;
mod offer;
pub mod opus;
mod peer;
mod playout;
pub mod record;
mod stats;
pub mod stereo;
pub mod vad;

pub use desk::{Desk, DeskConfig, DeskError, DeskFact, DeskOutput, Recording};
pub use fragment::{FRAGMENT_TYPE, FragmentError, IceFragment};
pub use net::{Certificate, Datagram, NetConfig, Proto};
pub use offer::{Answer, OfferError};
pub use peer::{AnswerError, Peer, PeerConfig, PeerGone, PeerOutput, RestartError};
pub use record::{Beginning, Chunk};
pub use stats::{DeskStats, LatencySamples};
