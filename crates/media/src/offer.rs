//! What a browser may offer, and what it is told when it offers something else.

use thiserror::Error;

/// Our answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The session description to send back.
    pub sdp: String,
    /// Our ICE user fragment: the key under which the peer's first datagrams are found (see [`crate::demux::ufrag`]).
    pub ufrag: String,
}

/// Why an offer was refused. Each text says what happened, what it means and what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OfferError {
    /// Not a session description at all.
    #[error(
        "The body is not a WebRTC session description ({0}). No call was set up. Send the `sdp` of RTCPeerConnection.createOffer() as application/sdp."
    )]
    NotSdp(String),
    /// No audio section.
    #[error(
        "The offer has no audio. An interview needs a microphone. Add an audio track before createOffer(), for example with addTrack() of a getUserMedia({{audio: true}}) stream."
    )]
    NoAudio,
    /// Only video.
    #[error(
        "The offer has video but no audio. An interview needs a microphone, and video is not used. Add an audio track and leave video out."
    )]
    VideoOnly,
    /// Audio without Opus.
    #[error(
        "The offer's audio does not include Opus, the only codec used here (RFC 7874 makes it mandatory in browsers). Do not remove opus from the codec preferences."
    )]
    NoOpus,
    /// Audio that does not go both ways.
    #[error(
        "The offer's audio is `{0}`, so one side could not be heard. An interview needs `sendrecv`: add the microphone's track to the connection before createOffer()."
    )]
    OneWay(&'static str),
    /// A description that parses, but lacks something that a connection needs.
    #[error(
        "The offer cannot be answered: {0}. No call was set up. Send an unmodified offer of RTCPeerConnection.createOffer()."
    )]
    Unusable(String),
}
