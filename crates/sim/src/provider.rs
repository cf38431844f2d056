//! The far end of the provider's wire protocol.
