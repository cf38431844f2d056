//! What can go wrong with durable things, by what the caller can do about it.

use std::path::PathBuf;

/// Why an operation was not carried out. Unless a variant says otherwise nothing of the operation was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A newer owner has the session, or the lease of a job was lost. Stop writing: whatever was done belongs to nobody.
    #[error("{what} has a newer owner: this one was fenced off and must stop writing")]
    Fenced {
        /// Which session or job.
        what: String,
    },
    /// There is no such thing.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// It contradicts what is already on record.
    #[error("{what}")]
    Conflict {
        /// What contradicts what.
        what: String,
    },
    /// No room: the disk (or a quota) under the database or the recordings is full.
    #[error(
        "no room left for {what}: the disk, a quota or the configured size limit is used up. Nothing that was committed \
         is lost; writing goes on by itself as soon as there is room. Free some space on the disk of {place}"
    )]
    Full {
        /// What could not be written.
        what: String,
        /// Where the room is missing.
        place: String,
    },
    /// Too many writes were waiting for too long. Nothing was written; try again.
    #[error(
        "the write queue stayed full for {waited_ms} ms: the disk is slower than what is being written. Nothing of this \
         write was kept; try again"
    )]
    Busy {
        /// How long was waited for room in the queue.
        waited_ms: u64,
    },
    /// The database cannot be reached, was closed, or did not answer. Whether the write was kept may be unknown.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What happened.
        detail: String,
    },
    /// What was read makes no sense: a damaged file, or one that something else wrote to.
    #[error(
        "the store holds something that cannot be right: {detail}. Restore the last backup, or report this as a bug"
    )]
    Corrupt {
        /// What was found, without the words of people.
        detail: String,
    },
    /// Another process (or another `Store` in this one) has the database open.
    #[error(
        "the database {} is already in use by another Colloquy process. Two owners would write over each other, so this \
         one stops. Stop the other process, or give this one its own database path",
        database
    )]
    InUse {
        /// The database.
        database: String,
    },
    /// A newer release of Colloquy wrote this database.
    #[error(
        "the database {} is at schema version {found}, this release knows versions up to {known}. A newer release has \
         written it and it cannot be read safely. Start that release, or restore a backup from before the upgrade",
        database
    )]
    NewerDatabase {
        /// The database.
        database: String,
        /// Its schema version.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// A file or folder cannot be made or written.
    #[error(
        "cannot write to {}: {detail}. The database and the recordings need a folder that this process may write to. \
         Create it, change its owner or permissions, or configure another path",
        path.display()
    )]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        detail: String,
    },
}

impl StoreError {
    pub(crate) fn session_missing(id: &engine::ids::SessionId) -> StoreError {
        StoreError::NotFound {
            what: format!("session {id}"),
        }
    }

    pub(crate) fn corrupt(detail: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            detail: detail.into(),
        }
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> StoreError {
        StoreError::Unavailable {
            detail: detail.into(),
        }
    }
}
