//! Whole-server stories: a booted server with temporary folders and ports of its own, the provider simulator at the far
//! end of the wire, participants over real sockets on loopback.
#![expect(clippy::unwrap_used, reason = "tests")]

mod api;
mod bad_inputs;
mod bugs;
#[path = "../../../store/tests/cluster/mod.rs"]
mod cluster;
mod endpoint;
mod evaluation;
mod finished;
mod full_disk;
mod harness;
mod postgres;
mod provider_trouble;
mod reaper;
mod relay;

mod returning;
mod second;
mod session_faults;
mod session_story;
mod streaming;
mod webhooks;
mod work;
