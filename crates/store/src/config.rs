//! Where things are kept, and the bounds of the store's queues and waits.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;

/// How a store is opened. [`StoreConfig::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The database file. Made, with its folder, if it does not exist. `-wal`, `-shm` and `.lock` files stand beside it.
    pub database: PathBuf,
    /// The folder of the recordings. Made if it does not exist.
    pub recordings: PathBuf,
    /// The name under which this process leases jobs.
    pub node: String,
    /// Read-only connections. Chosen by feel: reads are short and SQLite readers share the page cache of the system.
    pub readers: u32,
    /// Writes that may wait for the writer. Beyond it a write waits for room, see `queue_wait`.
    pub queue: usize,
    /// How long a write waits for room in the queue before it fails with [`crate::StoreError::Busy`].
    pub queue_wait: Duration,
    /// How long a write waits to become durable before its fate counts as unknown.
    pub commit_wait: Duration,
    /// How long the writer gathers further writes into the same transaction. 5 ms measured: p99 of 11 ms at 1,000
    /// events/s with `synchronous=FULL` (reference/enrichment.md, 4.1).
    pub gather: Duration,
    /// Writes in one transaction at most, so that the first of a burst does not wait for all of it.
    pub group_max: usize,
    /// Largest size of the database in pages of 4 KiB; none means as large as the disk allows.
    pub pages_max: Option<u32>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl StoreConfig {
    /// A store at these places, with the default bounds.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, recordings: impl Into<PathBuf>) -> StoreConfig {
        StoreConfig {
            database: database.into(),
            recordings: recordings.into(),
            node: "node".to_owned(),
            readers: 4,
            queue: 4_096,
            queue_wait: Duration::from_secs(5),
            commit_wait: Duration::from_secs(30),
            gather: Duration::from_millis(5),
            group_max: 512,
            pages_max: None,
            clock: Clock::System,
        }
    }
}
