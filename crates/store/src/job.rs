//! Durable work: a row, a lease, and an idempotent job.

use std::time::Duration;

use engine::cost::Charge;
use engine::enrich::Order;
use engine::ids::SessionId;
use serde_json::Value;

use crate::results::{NewCoding, NewSecond};

/// A queue of its own. A slow lane never blocks another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Finish the recording.
    Recording,
    /// Cut the transcript into segments.
    Transcript,
    /// Code segments.
    Enrichment,
    /// Assemble reports.
    Analysis,
    /// Tell others of it.
    Delivery,
    /// Hear what participants said a second time.
    SecondTranscript,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 6] = [
        Lane::Recording,
        Lane::Transcript,
        Lane::Enrichment,
        Lane::Analysis,
        Lane::Delivery,
        Lane::SecondTranscript,
    ];

    /// The name in database, API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Lane::Recording => "recording",
            Lane::Transcript => "transcript",
            Lane::Enrichment => "enrichment",
            Lane::Analysis => "analysis",
            Lane::Delivery => "delivery",
            Lane::SecondTranscript => "second_transcript",
        }
    }

    /// The lane of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// Work to be done. There is at most one job per kind, session and key, for ever: putting it again does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// In which lane.
    pub lane: Lane,
    /// What is to be done, such as `finish_recording`.
    pub kind: String,
    /// For which session.
    pub session_id: SessionId,
    /// What tells it from other jobs of its kind and session, such as `1-10`; may be empty.
    pub key: String,
    /// Greater goes first. By convention the session's end in microseconds, so that the newest finished one is first.
    pub rank: i64,
    /// By when its result is promised, in microseconds UTC; [`NEVER_DUE`] if it is not.
    pub due_us: i64,
    /// What the worker needs to know. No words of people.
    pub body: Value,
}

/// Of work that nobody was promised.
pub const NEVER_DUE: i64 = i64::MAX;

/// How work is taken from a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Whose work goes first.
    pub order: Order,
    /// How many jobs of one session, kind and round are taken together, by round (the first is round 1; the last counts for
    /// all that follow). Most kinds are taken one by one.
    pub at_once: Vec<u32>,
    /// How long the lease lasts without a heartbeat.
    pub lease: Duration,
}

impl Take {
    /// One job, newest first.
    #[must_use]
    pub fn one(lease: Duration) -> Take {
        Take {
            order: Order::Newest,
            at_once: vec![1],
            lease,
        }
    }
}

/// What became of one of several jobs that shared a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Done, with its coding if there is one.
    Done(Option<NewCoding>),
    /// The answer was refused: to be asked again in this round, not before this moment.
    Again {
        /// Counted from 1.
        round: u32,
        /// Microseconds UTC.
        not_before_us: i64,
        /// What was wrong.
        reason: String,
    },
    /// Given up: a dead letter, with its reason.
    Dead(String),
}

/// The end of a call that several jobs shared: some may be done, others not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settlement {
    /// What became of each job, by its id. Jobs that are not named stay leased.
    pub fates: Vec<(i64, Fate)>,
    /// What the call cost. On record even if every lease was lost meanwhile: it was paid.
    pub charges: Vec<Charge>,
    /// What a second model heard. Kept even if every lease was lost meanwhile, unless there is something already.
    pub seconds: Vec<NewSecond>,
    /// Work that follows.
    pub jobs: Vec<NewJob>,
    /// As in [`Completion::last`](crate::Completion::last).
    pub last: Option<NewJob>,
}

/// How much waits in a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneDepth {
    /// Jobs that wait for a worker.
    pub ready: u64,
    /// Jobs that a worker has.
    pub leased: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the oldest that waits or is worked on was put, in microseconds UTC.
    pub oldest_us: Option<i64>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// Waits for a worker (perhaps until a later time).
    Ready,
    /// A worker has it.
    Leased,
    /// Done.
    Done,
    /// Given up; a person must look.
    Dead,
}

impl JobState {
    /// All states.
    pub const ALL: [JobState; 4] = [
        JobState::Ready,
        JobState::Leased,
        JobState::Done,
        JobState::Dead,
    ];

    /// The name in API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Ready => "ready",
            JobState::Leased => "leased",
            JobState::Done => "done",
            JobState::Dead => "dead",
        }
    }

    /// The number in the database: small, because partial indexes stand on it.
    pub(crate) const fn code(self) -> i64 {
        match self {
            JobState::Ready => 0,
            JobState::Leased => 1,
            JobState::Done => 2,
            JobState::Dead => 3,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<JobState> {
        JobState::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// The right of one worker to do one job, for a limited time.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// The job.
    pub job_id: i64,
    /// Generation of the lease: a completion with an older one is refused.
    pub fence: i64,
    /// Attempts that count so far, this one included. Leases that ran out count, so that a job which kills its worker is
    /// seen.
    pub attempts: u32,
    /// In which lane.
    pub lane: Lane,
    /// What is to be done.
    pub kind: String,
    /// For which session.
    pub session_id: SessionId,
    /// What tells it from others of its kind and session.
    pub key: String,
    /// Its place in the order.
    pub rank: i64,
    /// By when its result is promised.
    pub due_us: i64,
    /// How often it is asked, counted from 1: see [`Fate::Again`].
    pub round: u32,
    /// What the worker needs to know.
    pub body: Value,
}

/// What becomes of a job that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Again, not before this moment (microseconds UTC).
    At(i64),
    /// Never: a dead letter.
    Dead,
}

/// Which jobs to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only in this lane.
    pub lane: Option<Lane>,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this session.
    pub session_id: Option<SessionId>,
    /// Only with a smaller id: the last of the page before.
    pub before: Option<i64>,
    /// At most so many; 0 takes 50, and 500 is the most.
    pub limit: u32,
}

/// A job as the console shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Its id.
    pub job_id: i64,
    /// In which lane.
    pub lane: Lane,
    /// What is to be done.
    pub kind: String,
    /// For which session.
    pub session_id: SessionId,
    /// What tells it from others of its kind and session.
    pub key: String,
    /// Its place in the order.
    pub rank: i64,
    /// By when its result is promised.
    pub due_us: i64,
    /// How often it is asked, counted from 1.
    pub round: u32,
    /// Where it is.
    pub state: JobState,
    /// Attempts that count.
    pub attempts: u32,
    /// Not before this moment.
    pub not_before_us: i64,
    /// When its lease runs out.
    pub lease_until_us: Option<i64>,
    /// Which node has it, or had it last.
    pub owner: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was put.
    pub created_at_us: i64,
    /// When it was done or given up.
    pub ended_at_us: Option<i64>,
    /// What the worker needs to know.
    pub body: Value,
}

/// Which dead letters to put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// This one.
    Job(i64),
    /// All of a lane.
    Lane(Lane),
    /// All.
    All,
}
