//! The JSON on the wire: what we send is built here, what comes is read here, and nothing else knows a field's name.

pub(super) mod client;
pub(super) mod server;
