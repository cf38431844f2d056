//! What every vendor's codec looks like from outside.

use std::fmt;

use engine::ids::ItemId;
use engine::link::{LinkCommand, LinkConfig, LinkEvent};

use crate::openai;
use crate::profile::{Dialect, Profile};
use crate::secret::Secret;

/// One provider link as a pure state machine. Made by [`codec`], used for one connection, then thrown away.
///
/// Order of calls: [`endpoint`](Codec::endpoint), then either [`closed`](Codec::closed) at once (the upgrade was refused)
/// or [`open`](Codec::open), then any mix of the others, then [`closed`](Codec::closed).
///
/// Whatever happens, exactly one [`LinkEvent::Gone`] comes out, and it is the last event. It may come out of
/// [`frame`](Codec::frame) (the vendor said that the session is over, or talks garbage): then close the socket; the call of
/// [`closed`](Codec::closed) that follows yields nothing more.
pub trait Codec: Send {
    /// Where to connect, and with which headers.
    fn endpoint(&self) -> Endpoint;

    /// The socket is connected: configures the session and replays its history.
    /// [`LinkEvent::Ready`] follows when the vendor has confirmed it.
    fn open(&mut self, config: &LinkConfig, out: &mut Vec<CodecOutput>);

    /// Carries out a command. What cannot be sent yet is kept, within a bound, and sent in order.
    fn command(&mut self, command: &LinkCommand, out: &mut Vec<CodecOutput>);

    /// The participant's audio at the profile's `input_rate_hz`, in pieces of any length; sent in pieces of 40 ms.
    fn audio(&mut self, pcm: &[i16], out: &mut Vec<CodecOutput>);

    /// Sends participant audio that does not fill a piece. For when no more comes for a while: muted, or lost.
    fn flush(&mut self, out: &mut Vec<CodecOutput>);

    /// A frame came in.
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<CodecOutput>);

    /// The connection ended or never came about. Yields [`LinkEvent::Gone`] unless that was said before.
    fn closed(&mut self, closed: Closed<'_>, out: &mut Vec<CodecOutput>);

    /// What was tolerated so far, for metrics.
    fn counters(&self) -> Counters;
}

/// Makes the codec of a profile's dialect.
///
/// `base_url` is the root of the vendor's API, such as `https://api.openai.com/v1` or `http://127.0.0.1:4000/v1`
/// (`http` or `ws`, with or without a slash at the end). Without a key no authorization is sent (local servers).
#[must_use]
pub fn codec(profile: &Profile, key: Option<&Secret>, base_url: &str) -> Box<dyn Codec> {
    match profile.dialect {
        Dialect::OpenAiRealtime => Box::new(openai::OpenAiCodec::new(profile, key, base_url)),
    }
}

/// Where to connect. Its `Debug` leaves the values of headers out: one of them is the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `ws://` or `wss://` for links, `http://` or `https://` for calls.
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("headers", &names)
            .finish()
    }
}

/// A frame of the socket, whole (fragments put together).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame. Some vendors send their JSON in these.
    Binary(&'a [u8]),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed<'a> {
    /// The upgrade to WebSocket was answered with something else than 101.
    Refused {
        /// The answer's status.
        http_status: u16,
        /// The answer's body, or its beginning.
        body: &'a str,
    },
    /// The vendor sent a close frame.
    Frame {
        /// Its code; 1005 if it had none.
        code: u16,
        /// Its reason; may be empty.
        reason: &'a str,
    },
    /// The network failed: no connection, TLS, reset, timeout, end of stream.
    Io {
        /// What the operating system or library said.
        detail: &'a str,
    },
    /// We closed it.
    ByUs,
}

/// What a codec wants done. Carry out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecOutput {
    /// Send this text frame.
    Send(String),
    /// Tell the session.
    Event(LinkEvent),
    /// Play this, at the profile's `output_rate_hz`.
    Audio {
        /// The utterance that it belongs to.
        item: ItemId,
        /// Samples, one channel.
        pcm: Vec<i16>,
    },
    /// All audio of this utterance has been handed over.
    AudioDone {
        /// The utterance.
        item: ItemId,
    },
}

/// Things that are tolerated but should not go unnoticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events of a type that this codec does not know.
    pub unknown_events: u64,
    /// Events of a response that was cancelled or that we never saw begin.
    pub dropped_events: u64,
    /// Errors that mean a harmless race.
    pub benign_errors: u64,
    /// Frames that made no sense.
    pub malformed_frames: u64,
}
