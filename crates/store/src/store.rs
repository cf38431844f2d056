//! The handle that everyone else holds.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use engine::ids::{SessionId, StudyId};
use engine::journal::Entry;
use serde_json::Value;

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::job::{JobFilter, JobRow, Lane, Lease, NewJob, Retry};
use crate::results::{Completion, RecordingRow, SegmentRow};
use crate::rows::{
    ChunkRow, CoveredTopic, Epoch, JournalRow, LedgerRow, NewChunk, NewSession, NewStudy, PhaseRow,
    SessionFilter, SessionRow, StudyRow, TurnRow,
};

/// What the writer has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed.
    pub transactions: u64,
    /// Operations committed in them.
    pub operations: u64,
    /// Operations refused or failed.
    pub failed: u64,
    /// Of these: for want of room.
    pub full: u64,
    /// Writes that wait for the writer now.
    pub queued: u64,
}

/// Everything durable. Cheap to clone; all clones are one store.
#[derive(Clone, Debug)]
pub struct Store {}

/// The skeleton: signatures first, so that others can build against them.
#[expect(
    unused_variables,
    clippy::unused_async,
    reason = "the skeleton; replaced by the next commit"
)]
impl Store {
    /// Opens, creating and migrating as needed.
    ///
    /// # Errors
    /// `InUse`, `NewerDatabase`, `NotWritable`, `Corrupt`, each with its remedy.
    pub async fn open(config: StoreConfig) -> Result<Store, StoreError> {
        pending()
    }
    /// Writes what is queued, then lets go of the files. Later writes are refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        pending()
    }
    /// What the writer has done.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
    /// Now, by the store's clock.
    pub fn now_us(&self) -> i64 {
        0
    }
    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        pending()
    }

    /// Keeps a study; the same source is the same version.
    pub async fn put_study(&self, study: NewStudy) -> Result<StudyRow, StoreError> {
        pending()
    }
    /// The latest version of each study.
    pub async fn studies(&self) -> Result<Vec<StudyRow>, StoreError> {
        pending()
    }
    /// One version of a study; none takes the latest.
    pub async fn study(
        &self,
        id: &StudyId,
        version: Option<u32>,
    ) -> Result<Option<StudyRow>, StoreError> {
        pending()
    }

    /// Creates sessions, all or none.
    pub async fn create_sessions(&self, sessions: Vec<NewSession>) -> Result<(), StoreError> {
        pending()
    }
    /// One session.
    pub async fn session(&self, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        pending()
    }
    /// The session of a link.
    pub async fn session_by_link(
        &self,
        link_hash: &[u8; 32],
    ) -> Result<Option<SessionRow>, StoreError> {
        pending()
    }
    /// Sessions, newest first.
    pub async fn sessions(&self, filter: SessionFilter) -> Result<Vec<SessionRow>, StoreError> {
        pending()
    }
    /// Sessions that began and were not finished: at boot, what a crash left behind.
    pub async fn unfinished_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        pending()
    }
    /// Records the participant's decision; the same one again changes nothing, another one is a conflict.
    pub async fn record_consent(
        &self,
        id: &SessionId,
        accepted: bool,
        text_digest: [u8; 32],
    ) -> Result<SessionRow, StoreError> {
        pending()
    }
    /// Makes `node` the owner; older epochs are fenced off.
    pub async fn claim_session(&self, id: &SessionId, node: &str) -> Result<Epoch, StoreError> {
        pending()
    }
    /// Writes entries and their projections; resolves with the last seq when durable.
    pub async fn append(
        &self,
        id: &SessionId,
        epoch: Epoch,
        entries: Vec<Entry>,
    ) -> Result<u64, StoreError> {
        pending()
    }
    /// Last entries (may be none), jobs that follow and release of ownership, in one transaction. Idempotent.
    pub async fn finish_session(
        &self,
        id: &SessionId,
        epoch: Epoch,
        last: Vec<Entry>,
        jobs: Vec<NewJob>,
    ) -> Result<(), StoreError> {
        pending()
    }
    /// The journal.
    pub async fn journal(&self, id: &SessionId) -> Result<Vec<JournalRow>, StoreError> {
        pending()
    }
    /// Turns in speech order.
    pub async fn turns(&self, id: &SessionId) -> Result<Vec<TurnRow>, StoreError> {
        pending()
    }
    /// Phases in the order in which they were entered.
    pub async fn phases(&self, id: &SessionId) -> Result<Vec<PhaseRow>, StoreError> {
        pending()
    }
    /// Topics that were covered.
    pub async fn covered(&self, id: &SessionId) -> Result<Vec<CoveredTopic>, StoreError> {
        pending()
    }
    /// Charges, summed by component.
    pub async fn ledger(&self, id: &SessionId) -> Result<Vec<LedgerRow>, StoreError> {
        pending()
    }

    /// Keeps a piece of a recording: the object first, its index row after.
    pub async fn put_chunk(&self, id: &SessionId, chunk: NewChunk) -> Result<(), StoreError> {
        pending()
    }
    /// Pieces that are indexed.
    pub async fn chunks(&self, id: &SessionId) -> Result<Vec<ChunkRow>, StoreError> {
        pending()
    }
    /// Numbers of the pieces that are really there, indexed or not, ascending.
    pub async fn chunk_numbers(&self, id: &SessionId) -> Result<Vec<u32>, StoreError> {
        pending()
    }
    /// One piece.
    pub async fn read_chunk(&self, id: &SessionId, no: u32) -> Result<Bytes, StoreError> {
        pending()
    }
    /// Keeps an object, replacing an older one of that name.
    pub async fn put_object(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        pending()
    }
    /// An object or a part of it, and its whole length.
    pub async fn get_object(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<(Bytes, u64), StoreError> {
        pending()
    }

    /// Puts jobs; those that are on record are left as they are.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<(), StoreError> {
        pending()
    }
    /// Leases up to `limit` jobs.
    pub async fn claim(
        &self,
        lane: Lane,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        pending()
    }
    /// Keeps a lease for longer, counted from now.
    pub async fn heartbeat(&self, lease: &Lease, length: Duration) -> Result<(), StoreError> {
        pending()
    }
    /// Results, cost, follow-up jobs and done, in one transaction.
    pub async fn complete(&self, lease: &Lease, completion: Completion) -> Result<(), StoreError> {
        pending()
    }
    /// Gives a job back or up.
    pub async fn fail(
        &self,
        lease: &Lease,
        error: &str,
        retry: Retry,
        costs_attempt: bool,
    ) -> Result<(), StoreError> {
        pending()
    }
    /// Gives back what this node had leased when it died; returns how many.
    pub async fn release_own_leases(&self, node: &str) -> Result<u64, StoreError> {
        pending()
    }
    /// Jobs, newest first.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, StoreError> {
        pending()
    }
    /// Returns when there may be work in the lane, or after `timeout`.
    pub async fn wait_for_work(&self, lane: Lane, timeout: Duration) {}

    /// Segments in speech order, each with its latest coding.
    pub async fn segments(&self, id: &SessionId) -> Result<Vec<SegmentRow>, StoreError> {
        pending()
    }
    /// The report.
    pub async fn report(&self, id: &SessionId) -> Result<Option<Value>, StoreError> {
        pending()
    }
    /// The finished recording.
    pub async fn recording(&self, id: &SessionId) -> Result<Option<RecordingRow>, StoreError> {
        pending()
    }
}

fn pending<T>() -> Result<T, StoreError> {
    Err(StoreError::unavailable("not built yet"))
}
