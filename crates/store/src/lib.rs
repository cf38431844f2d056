//! Everything durable, and the only crate that knows SQL or object storage.
