//! OpenAI Realtime, GA events, over WebSocket (and every server that speaks the same, our simulator included).

mod codec;
mod error;
mod usage;
mod wire;

pub(crate) use codec::OpenAiCodec;
pub(crate) use usage::TranscriptionUsage;
