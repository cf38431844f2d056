//! What goes into a desk and what comes out.

use std::net::SocketAddr;
use std::time::Instant;

use engine::ids::ItemId;

use crate::net::Proto;
use crate::opus::OpusError;
use crate::record::{Beginning, Chunk};

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
    /// Where the recording goes on.
    pub beginning: Beginning,
    /// What the page of a peer is told when another one takes its place; empty: nothing. A peer that is lost anyway does
    /// not hear it, and one that is not (a second tab) must not try to come back.
    pub farewell: &'static str,
}

impl Default for DeskConfig {
    fn default() -> Self {
        DeskConfig {
            model_rate_hz: 24_000,
            opus_complexity: 2,
            opus_bitrate_bps: 40_000,
            recording: Recording::On,
            beginning: Beginning::default(),
            farewell: "",
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
    /// Nothing of this peer arrived for a second or more, although its audio had been flowing. Told when it flows again.
    NetworkGap {
        /// The last packet before it.
        from: Instant,
        /// The first one after it.
        to: Instant,
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
    /// The first frame of an utterance that a person can hear left: with the first audio, or after silence.
    PlayoutAudible {
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
