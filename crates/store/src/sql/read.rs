//! Reads. They run on their own connections and never wait for the writer.

mod jobs;
mod results;
mod sessions;

use super::db::{Pool, query};
use crate::error::StoreError;

/// A pool of connections for reading.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(super) pool: Pool,
}

impl Reader {
    pub(crate) fn new(pool: Pool) -> Reader {
        Reader { pool }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

/// Rows of a page when the caller does not say, and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 500;

fn page(limit: u32) -> i64 {
    i64::from(if limit == 0 {
        PAGE
    } else {
        limit.min(PAGE_MAX)
    })
}
