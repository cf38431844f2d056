//! The store against a real database in a temporary folder.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

mod bench;
mod corrections;
mod crash;
mod damage;
mod full;
mod grants;
mod grouping;
mod jobs;
mod opening;
mod recordings;
mod results;
mod sessions;
mod walk;
mod work;

/// Where a store in this folder keeps what is not a recording: a file.
pub(crate) async fn place(folder: &std::path::Path) -> std::path::PathBuf {
    std::future::ready(folder.join("colloquy.db")).await
}
