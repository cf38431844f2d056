//! Opening SQLite: one process, one schema, known pragmas.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::db::{Db, Pool};
use super::open::{Again, Opened};
use crate::config::StoreConfig;
use crate::error::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long SQLite waits for a lock that another program holds (a backup, a shell).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const READ_WAIT: Duration = Duration::from_secs(10);

/// Opens the database, creating and migrating it as needed.
pub(super) async fn open(config: &StoreConfig, database: &Path) -> Result<Opened, StoreError> {
    if let Some(folder) = database
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| not_writable(folder, &error))?;
    }
    let lock = lock(database)?;
    let writer_options = writer_options(config, database);
    let mut writer = writer_options
        .connect()
        .await
        .map_err(|error| on_connect(database, error))?;
    migrate(&mut writer, database).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(config.readers.max(1))
        .acquire_timeout(READ_WAIT)
        .connect_lazy_with(reader_options(database));
    Ok(Opened {
        writer: Db::Sqlite(writer),
        again: Again::Sqlite(Box::new(writer_options)),
        readers: Pool::Sqlite(readers),
        lock: Some(lock),
    })
}

/// Pragmas: reference/enrichment.md, 4.1. FULL costs nothing under group commit, and a power loss then loses nothing that
/// was acknowledged.
fn writer_options(config: &StoreConfig, database: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // 16 MiB: a queue of 30,000 jobs and its indexes fit; more was resident memory for nothing.
        .pragma("cache_size", "-4096")
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", "1000")
        .pragma("journal_size_limit", "67108864")
        .thread_name(|_| "store-writer".to_owned());
    match config.pages_max {
        Some(pages) => options.pragma("max_page_count", pages.to_string()),
        None => options,
    }
}

/// Readers get a small cache each: the pages that matter are in the system's cache already.
fn reader_options(database: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", "-2048")
        .pragma("temp_store", "MEMORY")
        .thread_name(|number| format!("store-reader-{number}"))
}

/// Takes the lock file beside the database. The system gives it back when this process ends, however it ends.
fn lock(database: &Path) -> Result<File, StoreError> {
    let path = beside(database, ".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| not_writable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            database: database.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(not_writable(&path, &error)),
    }
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

async fn migrate(writer: &mut SqliteConnection, database: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    let found = schema_version(writer).await?;
    if found > known {
        return Err(StoreError::NewerDatabase {
            database: database.display().to_string(),
            found,
            known,
        });
    }
    let Err(error) = MIGRATIONS.run(writer).await else {
        return Ok(());
    };
    if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
        return Err(error.into());
    }
    let database = database.display();
    Err(StoreError::corrupt(format!(
        "the schema of {database} cannot be brought up to date: {error}"
    )))
}

/// The newest migration that was applied; 0 for a new database.
async fn schema_version(writer: &mut SqliteConnection) -> Result<i64, StoreError> {
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *writer)
            .await?;
    if tables == 0 {
        return Ok(0);
    }
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *writer)
        .await?;
    Ok(newest.unwrap_or(0))
}

fn on_connect(database: &Path, error: sqlx::Error) -> StoreError {
    // SQLITE_CANTOPEN (14) and SQLITE_READONLY (8), with their extended codes.
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<i32>().ok());
    match code {
        Some(code) if matches!(code & 0xff, 8 | 14) => StoreError::NotWritable {
            path: database.to_owned(),
            detail: error.to_string(),
        },
        _ => error.into(),
    }
}

pub(crate) fn not_writable(path: &Path, error: &std::io::Error) -> StoreError {
    if crate::objects::is_full(error) {
        return StoreError::Full {
            what: path.display().to_string(),
            place: path.display().to_string(),
        };
    }
    StoreError::NotWritable {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

/// Writes the WAL back into the database and lets go of both.
pub(super) async fn close(mut writer: SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut writer)
        .await?;
    writer.close().await?;
    Ok(())
}
