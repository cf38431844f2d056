//! Speech-to-speech wire protocols as codecs: frames in, events out.
//!
//! No sockets, no clock, no tasks: `server` owns the socket and feeds a [`Codec`] what came in; the codec says what to
//! send and what it means ([`engine::link::LinkEvent`]). Models, voices, limits and prices are data ([`Profiles`],
//! [`PriceBook`]), because vendors retire models faster than we release.
//!
//! ```text
//! server: socket ── frames ──> Codec::frame ──> events ──> engine          (control)
//!                                          └──> audio  ──> media playout   (audio: another queue)
//!         socket <── Send ─── Codec::{open, command, audio} <── LinkCommand, participant's audio
//! ```
//!
//! One folder per vendor dialect, the same files in each: `wire` (its JSON), `codec` (its rules), `error` (its errors
//! by what can be done), `usage` (its bill in our components). A vendor with binary frames, without turn events or
//! without token usage fits the same trait: see [`Frame`] and [`engine::link::Capabilities`].

pub mod chat;
mod codec;
mod openai;
mod price;
mod profile;
mod secret;
pub mod transcriptions;

pub use codec::{Closed, Codec, CodecOutput, Counters, Endpoint, Frame, codec};
pub use price::{PriceBook, PriceError};
pub use profile::{Dialect, Profile, ProfileError, Profiles};
pub use secret::Secret;
