//! What goes into a peer and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::net::{Certificate, Proto};

/// What a peer that offers (a synthetic participant) needs to know.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The address of its UDP socket.
    pub local: SocketAddr,
    /// Its certificate; none makes one.
    pub cert: Option<Certificate>,
}

/// What a peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerOutput {
    /// Send this.
    Transmit {
        /// How.
        proto: Proto,
        /// From which of our addresses.
        source: SocketAddr,
        /// To whom.
        destination: SocketAddr,
        /// The bytes, without framing.
        bytes: Vec<u8>,
    },
    /// ICE and DTLS are done.
    Up,
    /// The connection is over. Nothing follows but transmits.
    Lost,
    /// An audio packet, as it arrived: not in order, not without holes.
    Audio {
        /// RTP sequence number, extended.
        seq: u64,
        /// RTP timestamp at 48 kHz, extended: the lower 32 bits are those of the packet.
        rtp_time: u64,
        /// One Opus packet.
        payload: Arc<[u8]>,
        /// When it arrived.
        at: Instant,
    },
    /// Text from the data channel.
    Text(String),
}

/// The other side's answer makes no sense.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the answer to our offer cannot be used: {0}")]
pub struct AnswerError(pub String);
