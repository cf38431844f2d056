//! One WebRTC connection, and the only caller of str0m: every public method mutates it once and drains it.

use std::net::SocketAddr;
use std::time::Instant;

use crate::net::{Certificate, Datagram, NetConfig, Proto};
use crate::offer::{Answer, OfferError};

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
        /// RTP timestamp at 48 kHz, extended.
        rtp_time: u64,
        /// One Opus packet.
        payload: Vec<u8>,
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

/// One WebRTC connection.
pub struct Peer {
    deadline: Instant,
}

impl Peer {
    /// Answers a browser's offer: ICE-lite, audio and the data channel only.
    ///
    /// # Errors
    /// When the offer cannot become an interview.
    pub fn accept(
        now: Instant,
        offer_sdp: &str,
        net: &NetConfig,
    ) -> Result<(Peer, Answer), OfferError> {
        let _ = (offer_sdp, net);
        Ok((
            Peer { deadline: now },
            Answer {
                sdp: String::new(),
                ufrag: String::new(),
            },
        ))
    }

    /// Makes an offer, as a browser would: full ICE, one audio track both ways, a data channel `colloquy`.
    #[must_use]
    pub fn offer(now: Instant, config: &PeerConfig) -> (Peer, String) {
        let _ = config;
        (Peer { deadline: now }, String::new())
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// When it is not an answer to that offer.
    pub fn answer(&mut self, now: Instant, sdp: &str) -> Result<(), AnswerError> {
        let _ = (now, sdp);
        Ok(())
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut Vec<PeerOutput>) {
        let _ = (now, datagram, out);
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        let _ = (now, out);
    }

    /// When [`Peer::timeout`] is due next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends one Opus packet. The timestamp is that of its first sample at 48 kHz.
    pub fn send_audio(
        &mut self,
        now: Instant,
        rtp_time_48k: u32,
        payload: &[u8],
        out: &mut Vec<PeerOutput>,
    ) {
        let _ = (now, rtp_time_48k, payload, out);
    }

    /// Sends text on the data channel; kept (bounded) until it opens.
    pub fn send_text(&mut self, now: Instant, text: &str, out: &mut Vec<PeerOutput>) {
        let _ = (now, text, out);
    }

    /// Says goodbye, so that the other side need not wait for a timeout.
    pub fn close(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        let _ = (now, out);
    }
}
