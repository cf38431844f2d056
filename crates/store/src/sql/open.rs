//! Opening either database, and connecting again.

use std::fs::File;

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::db::{Db, Pool};
use super::{postgres, sqlite};
use crate::config::{Database, StoreConfig};
use crate::error::StoreError;

/// An open database.
pub(crate) struct Opened {
    pub(crate) writer: Db,
    pub(crate) again: Again,
    pub(crate) readers: Pool,
    /// Of SQLite: held for as long as the writer may write.
    pub(crate) lock: Option<File>,
}

/// How the writer connects again.
pub(crate) enum Again {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<postgres::Node>),
}

impl Again {
    pub(super) async fn connect(&self) -> Result<Db, StoreError> {
        match self {
            Again::Sqlite(options) => Ok(Db::Sqlite(options.connect().await?)),
            Again::Postgres(node) => Ok(Db::Postgres(node.connect().await?)),
        }
    }
}

/// Opens the database, creating and migrating what is needed.
pub(crate) async fn open(config: &StoreConfig) -> Result<Opened, StoreError> {
    match &config.database {
        Database::Sqlite(path) => sqlite::open(config, path).await,
        Database::Postgres(address) => postgres::open(config, address).await,
    }
}

/// Lets go of a connection, with what is due before.
pub(super) async fn close(db: Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite(db) => sqlite::close(db).await,
        Db::Postgres(db) => Ok(sqlx::Connection::close(db).await?),
    }
}
