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
