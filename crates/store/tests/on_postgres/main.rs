//! The same claims as in `it`, on a real PostgreSQL, and those about several nodes on one database.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

#[path = "../it/bench.rs"]
mod bench;
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../it/corrections.rs"]
mod corrections;
#[path = "../it/crash.rs"]
mod crash;
#[path = "../it/damage.rs"]
mod damage;
#[path = "../it/grants.rs"]
mod grants;
#[path = "../it/grouping.rs"]
mod grouping;
#[path = "../it/jobs.rs"]
mod jobs;
mod nodes;
mod outage;
#[path = "../it/recordings.rs"]
mod recordings;
#[path = "../it/results.rs"]
mod results;
#[path = "../it/sessions.rs"]
mod sessions;
#[path = "../it/walk.rs"]
mod walk;
#[path = "../it/work.rs"]
mod work;

/// Where a store in this folder keeps what is not a recording: a database of that name.
pub(crate) async fn place(folder: &std::path::Path) -> std::path::PathBuf {
    let name = folder.file_name().unwrap().to_str().unwrap();
    cluster::cluster().database(name).await.into()
}
