//! Everything durable, and the only crate that knows SQL or object storage.
//!
//! Two kinds of thing are kept. The *journal* of a session is the truth: append-only, numbered without gaps, fenced by an
//! owner's epoch. Everything else about a session (its state, turns, ledger, covered topics) is a projection that is
//! written in the same transaction as the journal entries it comes from. *Jobs* are rows that a worker leases; their
//! results, cost and follow-up jobs are committed together with their completion.
//!
//! ```text
//! Store (cheap clone) ── typed operation ──> bounded queue ──> writer task: one transaction per group, one savepoint per
//!       │                                                      operation, acknowledged after COMMIT
//!       ├── reads ──> pool of connections (never behind the writer)
//!       └── audio ──> object store, fsynced; the row that indexes a chunk follows
//! ```
//!
//! Index columns (ids, times, states) stand apart from bodies (words of people), so that bodies can be encrypted under a
//! key per session later. SQL lives in `sql/` alone, for SQLite and PostgreSQL.
//!
//! This crate must never decide what a session does next, and never hold a transaction across a call to anyone else.

mod body;
mod clock;
mod config;
mod error;
mod job;
mod names;
mod objects;
mod op;
mod projection;
mod results;
mod rows;
mod sql;
mod store;

pub use clock::{Clock, ManualClock};
pub use config::{Address, Database, OnCommit, StoreConfig};
pub use error::StoreError;
pub use job::{
    Fate, JobFilter, JobRow, JobState, Lane, LaneDepth, Lease, NEVER_DUE, NewJob, Replay, Retry,
    Settlement, Take,
};
pub use results::{
    CodingRow, Completion, Cut, Extent, NewCoding, NewCorrection, NewSecond, NewSegment, NewTheme,
    OpenTopic, Peaks, QuoteSpan, RESEARCHER, RecordingRow, SecondRow, SegmentRow, Sentiment,
};
pub use rows::{
    ChunkRow, Consent, CoveredTopic, Epoch, GrantRow, JournalRow, Kept, LedgerRow, Length,
    NewChunk, NewSession, NewStudy, PhaseRow, Redeemed, ReportState, SessionFilter, SessionRow,
    StudyRow, TurnRow,
};
pub use store::{Stats, Store};
