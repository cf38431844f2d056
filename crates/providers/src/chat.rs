//! Chat completions with strict structured output: the one call that enrichment makes.
//!
//! Pure like the codecs: [`Request::body`] and [`endpoint`] say what to post, [`parse_reply`] says what the answer means.
//! Chat completions rather than the Responses API because every local server has it (vLLM, llama.cpp, Ollama); what
//! differs between them is [`Quirks`].

mod headers;
mod reply;
mod request;

pub use headers::{RateLimits, Window};
pub use reply::{ChatError, ChatErrorCategory, Finish, Reply, RetryHint, parse_error, parse_reply};
pub use request::{
    Message, Quirks, Request, Role, Schema, Structured, TokenLimit, VendorFields, endpoint,
};
