//! One session's audio. The desk outlives its peers: recording and playout go on while a participant reconnects.

use std::net::SocketAddr;
use std::time::Instant;

use engine::ids::ItemId;

use crate::net::{Datagram, NetConfig, Proto};
use crate::offer::{Answer, OfferError};
use crate::opus::OpusError;
use crate::record::Chunk;
use crate::stats::{DeskStats, LatencySamples};

/// Whether the session is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Both tracks, in chunks.
    On,
    /// Nothing is kept.
    Off,
}

/// Settings of a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskConfig {
    /// Sample rate of the model's audio, both ways.
    pub model_rate_hz: u32,
    /// Effort of the Opus encoder, 0 to 10.
    pub opus_complexity: u8,
    /// Target of the Opus encoder.
    pub opus_bitrate_bps: u32,
    /// Whether the session is recorded.
    pub recording: Recording,
}

impl Default for DeskConfig {
    fn default() -> Self {
        DeskConfig {
            model_rate_hz: 24_000,
            opus_complexity: 5,
            opus_bitrate_bps: 28_000,
            recording: Recording::On,
        }
    }
}

/// A desk could not be made.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeskError {
    /// The Opus library refused the settings.
    #[error("the audio codec could not be set up: {0}")]
    Opus(#[from] OpusError),
}

/// What a desk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskOutput {
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
    /// 20 ms of the participant at the model's rate.
    ParticipantAudio(Vec<i16>),
    /// Something happened.
    Fact(DeskFact),
    /// Text from the page.
    Text(String),
    /// A piece of the recording, to be kept.
    Chunk(Chunk),
}

/// Something that happened in the media. Moments are when it was heard or played, not when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskFact {
    /// ICE and DTLS are done.
    Up,
    /// The connection is gone for good.
    Lost,
    /// The first audio packet of this peer.
    AudioFlowing {
        /// When it arrived.
        at: Instant,
    },
    /// The participant began to speak.
    SpeechStarted {
        /// When speech began.
        at: Instant,
    },
    /// The participant stopped speaking.
    SpeechEnded {
        /// When the last speech was heard.
        at: Instant,
    },
    /// The first audio of an utterance left.
    PlayoutStarted {
        /// The utterance.
        item: ItemId,
        /// When.
        at: Instant,
    },
    /// An utterance was played to its end, or was cut.
    PlayoutEnded {
        /// The utterance.
        item: ItemId,
        /// When the last of it was played.
        at: Instant,
        /// Milliseconds of it that were played.
        played_ms: u32,
        /// Whether it was cut before its end.
        cut: bool,
    },
}

/// One session's audio.
pub struct Desk {
    deadline: Instant,
}

impl Desk {
    /// Makes a desk without a peer.
    ///
    /// # Errors
    /// When the codec refuses the settings.
    pub fn new(origin: Instant, config: DeskConfig) -> Result<Desk, DeskError> {
        let _ = config;
        Ok(Desk { deadline: origin })
    }

    /// Answers an offer. Replaces any older peer, whose connection is closed.
    ///
    /// # Errors
    /// When the offer cannot become an interview. The older peer is then kept.
    pub fn accept(
        &mut self,
        now: Instant,
        offer_sdp: &str,
        net: &NetConfig,
    ) -> Result<Answer, OfferError> {
        let _ = (now, offer_sdp, net);
        Err(OfferError::NoAudio)
    }

    /// Closes the peer, if there is one.
    pub fn close_peer(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        let _ = (now, out);
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut Vec<DeskOutput>) {
        let _ = (now, datagram, out);
    }

    /// Queues audio of an utterance at the model's rate: any length, faster than real time. After it, ask
    /// [`Desk::deadline`] again: the first frame is due at once.
    pub fn interviewer_audio(&mut self, now: Instant, item: &ItemId, pcm: &[i16]) {
        let _ = (now, item, pcm);
    }

    /// No more audio comes for this utterance.
    pub fn interviewer_done(&mut self, now: Instant, item: &ItemId) {
        let _ = (now, item);
    }

    /// Stops playing within one frame. Everything queued ends with `PlayoutEnded { cut: true }`.
    pub fn cut(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        let _ = (now, out);
    }

    /// Plays nothing more of this utterance, and nothing of it that still arrives.
    pub fn drop_utterance(&mut self, item: &ItemId) {
        let _ = item;
    }

    /// Sends text to the page; kept (bounded) until the data channel opens.
    pub fn send_text(&mut self, now: Instant, text: &str, out: &mut Vec<DeskOutput>) {
        let _ = (now, text, out);
    }

    /// Ends the recording with its last chunk.
    pub fn finish(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        let _ = (now, out);
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        let _ = (now, out);
    }

    /// When [`Desk::timeout`] is due next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> DeskStats {
        DeskStats::default()
    }

    /// Takes the latency samples that were gathered since the last call (bounded; the oldest are dropped).
    pub fn take_latency(&mut self) -> LatencySamples {
        LatencySamples::default()
    }
}
