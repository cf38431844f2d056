//! Where things are kept, and the bounds of the store's queues and waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file. Made, with its folder, if it does not exist. `-wal`, `-shm` and `.lock` files stand beside it.
    Sqlite(PathBuf),
    /// A database of PostgreSQL 13 or newer, as a `postgres://` address. It must exist; its tables are made. Several nodes
    /// may use it, each under a name of its own ([`StoreConfig::node`]).
    Postgres(Address),
}

impl Database {
    /// What stands there: an address of PostgreSQL, or else the path of a file.
    #[must_use]
    pub fn at(place: PathBuf) -> Database {
        let postgres = |text: &&str| {
            ["postgres://", "postgresql://"]
                .iter()
                .any(|scheme| text.starts_with(scheme))
        };
        match place.to_str().filter(postgres) {
            Some(address) => Database::Postgres(Address(address.to_owned())),
            None => Database::Sqlite(place),
        }
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Database::Sqlite(path) => path.display().fmt(f),
            Database::Postgres(address) => address.fmt(f),
        }
    }
}

/// An address of PostgreSQL. Shown without user, password and parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub(crate) String);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let place = place.split_once('?').map_or(place, |(place, _)| place);
        write!(f, "postgres://{place}")
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How a store is opened. [`StoreConfig::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The database.
    pub database: Database,
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
    /// Told how long each commit took, from its word to its being durable.
    pub on_commit: OnCommit,
}

/// Who is told of commits.
#[derive(Clone, Default)]
pub struct OnCommit(Option<Arc<dyn Fn(Duration) + Send + Sync>>);

impl OnCommit {
    /// Tells this one, on the writer's task: it must not wait.
    #[must_use]
    pub fn tell(who: impl Fn(Duration) + Send + Sync + 'static) -> OnCommit {
        OnCommit(Some(Arc::new(who)))
    }

    pub(crate) fn committed(&self, took: Duration) {
        if let Some(who) = &self.0 {
            who(took);
        }
    }
}

impl std::fmt::Debug for OnCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "OnCommit(some)"
        } else {
            "OnCommit(none)"
        })
    }
}

impl StoreConfig {
    /// A store at these places (see [`Database::at`]), with the default bounds.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, recordings: impl Into<PathBuf>) -> StoreConfig {
        StoreConfig {
            database: Database::at(database.into()),
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
            on_commit: OnCommit::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Database;

    #[test]
    fn an_address_is_told_from_a_path_and_shown_without_its_password() {
        let shown = |place: &str| Database::at(place.into()).to_string();
        for (place, expected) in [
            ("demo-data/colloquy.db", "demo-data/colloquy.db"),
            ("postgres.db", "postgres.db"),
            (
                "postgres://colloquy:p%40ss@db.example:5432/study?sslmode=require",
                "postgres://db.example:5432/study",
            ),
            (
                "postgresql:///study?host=/run&password=secret",
                "postgres:///study",
            ),
            ("postgres://u:a@b@db/study", "postgres://db/study"),
        ] {
            assert_eq!(shown(place), expected);
        }
        let debugged = format!("{:?}", Database::at("postgres://u:secret@db/study".into()));
        assert!(!debugged.contains("secret"), "{debugged}");
    }
}
