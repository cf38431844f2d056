//! OpenAI Realtime, GA events, over WebSocket.

mod codec;

pub(crate) use codec::OpenAiCodec;
