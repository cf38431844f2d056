//! What the writer can be asked to do, in no dialect's words. `sql/` says how.
//!
//! Operations are plain values: one that was undone together with its group can be carried out again by itself.

use engine::ids::SessionId;
use engine::journal::Entry;

use crate::job::{Lane, Lease, NewJob, Replay, Retry, Settlement, Take};
use crate::results::{Completion, Cut, NewCorrection};
use crate::rows::{Epoch, NewSession, NewStudy};

/// Keep a study, or find that its latest version is the same.
pub(crate) struct PutStudy {
    pub(crate) study: NewStudy,
    pub(crate) source_sha256: [u8; 32],
    pub(crate) at_us: i64,
}

/// Create sessions, all or none.
pub(crate) struct CreateSessions {
    pub(crate) sessions: Vec<NewSession>,
    pub(crate) at_us: i64,
}

/// Record the participant's decision.
pub(crate) struct RecordConsent {
    pub(crate) session_id: SessionId,
    pub(crate) decision: Decision,
    pub(crate) text_digest: [u8; 32],
    pub(crate) at_us: i64,
}

/// What a participant can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    Decline,
}

/// Make a node the owner of a session.
pub(crate) struct ClaimSession {
    pub(crate) session_id: SessionId,
    pub(crate) node: String,
}

/// Take up a session again that lapsed, without what followed from its end.
pub(crate) struct ReopenSession {
    pub(crate) session_id: SessionId,
    pub(crate) at_us: i64,
}

/// Set the last entry of a journal aside, which is damaged.
pub(crate) struct SetAside {
    pub(crate) session_id: SessionId,
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) at_us: i64,
}

/// Issue a grant.
pub(crate) struct IssueGrant {
    pub(crate) session_id: SessionId,
    pub(crate) next_hash: [u8; 32],
    pub(crate) at_us: i64,
}

/// Use a grant up and issue the next one.
pub(crate) struct RedeemGrant {
    pub(crate) session_id: SessionId,
    pub(crate) grant_hash: [u8; 32],
    pub(crate) next_hash: [u8; 32],
    pub(crate) at_us: i64,
}

/// Undo that.
pub(crate) struct ReturnGrant {
    pub(crate) grant_hash: [u8; 32],
    pub(crate) next_hash: [u8; 32],
}

/// Write entries and what they project to.
pub(crate) struct Append {
    pub(crate) session_id: SessionId,
    pub(crate) epoch: Epoch,
    pub(crate) entries: Vec<Entry>,
    pub(crate) at_us: i64,
}

/// Write the last entries, put the jobs that follow, and release the session.
pub(crate) struct FinishSession {
    pub(crate) last: Append,
    pub(crate) jobs: Vec<NewJob>,
}

/// Index a piece of a recording.
pub(crate) struct IndexChunk {
    pub(crate) session_id: SessionId,
    pub(crate) no: u32,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    pub(crate) bytes: u64,
}

/// Put jobs.
pub(crate) struct Enqueue {
    pub(crate) jobs: Vec<NewJob>,
    pub(crate) at_us: i64,
}

/// Lease the first job in the order, and those that may share its call.
pub(crate) struct ClaimJobs {
    pub(crate) lane: Lane,
    pub(crate) take: Take,
    pub(crate) owner: String,
    pub(crate) lease_until_us: i64,
    pub(crate) at_us: i64,
}

/// Keep a lease for longer.
pub(crate) struct Heartbeat {
    pub(crate) job_id: i64,
    pub(crate) fence: i64,
    pub(crate) lease_until_us: i64,
}

/// Results, cost, follow-up jobs, and done.
pub(crate) struct CompleteJob {
    pub(crate) lease: Lease,
    pub(crate) completion: Completion,
    pub(crate) at_us: i64,
}

/// What became of the jobs that shared a call.
#[derive(Clone)]
pub(crate) struct SettleJobs {
    pub(crate) leases: Vec<Lease>,
    pub(crate) settlement: Settlement,
    pub(crate) at_us: i64,
    /// It was tried before, at the same time, and it is not known what became of that.
    pub(crate) again: bool,
}

/// Cut the transcript of a session that still runs.
pub(crate) struct CutTranscript {
    pub(crate) session_id: SessionId,
    pub(crate) cut: Cut,
    pub(crate) at_us: i64,
}

/// Keep what a researcher says about a segment, or forget it, and make the report again.
pub(crate) struct CorrectSegment {
    pub(crate) session_id: SessionId,
    pub(crate) segment_no: u32,
    pub(crate) correction: Option<NewCorrection>,
    pub(crate) report: NewJob,
    pub(crate) at_us: i64,
}

/// Put dead letters back.
pub(crate) struct ReplayJobs {
    pub(crate) which: Replay,
    pub(crate) at_us: i64,
}

/// Give a job back, or up.
pub(crate) struct FailJob {
    pub(crate) job_id: i64,
    pub(crate) fence: i64,
    pub(crate) error: String,
    pub(crate) retry: Retry,
    pub(crate) attempt: Attempt,
    pub(crate) at_us: i64,
}

/// Give a job up for good, and put what follows if it was the last of its lane.
pub(crate) struct GiveUpJob {
    pub(crate) lease: Lease,
    pub(crate) error: String,
    pub(crate) last: Option<NewJob>,
    pub(crate) at_us: i64,
}

/// Whether a failed attempt counts. A provider's "too many requests" does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Counts,
    Free,
}

/// Give back what a node had leased.
pub(crate) struct ReleaseLeases {
    pub(crate) owner: String,
}

/// Limit the size of the database; none lifts the limit.
pub(crate) struct LimitPages {
    pub(crate) pages_max: Option<u32>,
}
