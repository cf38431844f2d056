//! How an operation meets the writer.

use std::future::Future;

use super::db::Db;
use crate::error::StoreError;

/// An operation that the writer can carry out within its transaction.
pub(crate) trait Operation: Send + Sync + 'static {
    /// What it brings back.
    type Out: Send + 'static;

    /// Carries it out. May be called again after its effects were rolled back.
    fn apply(&self, db: &mut Db) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}
