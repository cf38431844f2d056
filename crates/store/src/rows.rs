//! Studies, sessions and what a session's journal projects to, as rows.

use engine::cost::Component;
use engine::ids::{PhaseId, SessionId, StudyId, TopicId, TurnNo};
use engine::journal::{Entry, Outcome, TurnEnding};
use engine::link::Speaker;
use engine::session::State;
use serde_json::Value;

use crate::results::SecondRow;

/// Generation of a session's ownership. Each claim makes a greater one; the writes of older ones are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// A study file to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStudy {
    /// The slug in the file.
    pub study_id: StudyId,
    /// Its title.
    pub title: String,
    /// The file, byte for byte.
    pub source: String,
}

/// One version of a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyRow {
    /// The slug in the file.
    pub study_id: StudyId,
    /// Counted from 1; a changed file is a new version.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// The file, byte for byte.
    pub source: String,
    /// When this version was put.
    pub created_at_us: i64,
    /// Sessions of all versions of the study.
    pub sessions: u64,
    /// Of these: now waiting, active, paused or closing.
    pub live: u64,
    /// Of these: ended with outcome `complete`.
    pub completed: u64,
}

/// Whether a session runs the whole study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Length {
    /// All of it.
    Full,
    /// The first required question of each phase, to see that everything works.
    Rehearsal,
}

impl Length {
    /// The name in database and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Length::Full => "full",
            Length::Rehearsal => "rehearsal",
        }
    }

    /// The length of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Length> {
        [Length::Full, Length::Rehearsal]
            .into_iter()
            .find(|length| length.name() == name)
    }
}

/// A session to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub session_id: SessionId,
    /// Its study.
    pub study_id: StudyId,
    /// The version of the study that it runs, to its end.
    pub study_version: u32,
    /// SHA-256 of the link's secret. The secret itself is never kept.
    pub link_hash: [u8; 32],
    /// BCP 47 language.
    pub language: String,
    /// Whole study, or rehearsal.
    pub length: Length,
    /// The researcher's own id of the participant (a panel's, say).
    pub external_id: Option<String>,
    /// When the invitation lapses.
    pub expires_at_us: Option<i64>,
}

/// What the participant decided about taking part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consent {
    /// Nothing yet.
    Pending,
    /// Yes.
    Given,
    /// No.
    Declined,
}

impl Consent {
    /// The name in database and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Consent::Pending => "pending",
            Consent::Given => "given",
            Consent::Declined => "declined",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Consent> {
        [Consent::Pending, Consent::Given, Consent::Declined]
            .into_iter()
            .find(|consent| consent.name() == name)
    }
}

/// How far the work after a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportState {
    /// There is no report and nothing is at work on one.
    None,
    /// Jobs of the session are waiting or running.
    Working,
    /// The report is there.
    Ready,
    /// A job of the session is a dead letter, no other is left, and there is no report.
    Failed,
}

impl ReportState {
    /// The name in API and console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ReportState::None => "none",
            ReportState::Working => "working",
            ReportState::Ready => "ready",
            ReportState::Failed => "failed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<ReportState> {
        [
            ReportState::None,
            ReportState::Working,
            ReportState::Ready,
            ReportState::Failed,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }
}

/// A session as its journal has made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub session_id: SessionId,
    /// Its study.
    pub study_id: StudyId,
    /// The version that it runs.
    pub study_version: u32,
    /// Title of that version.
    pub study_title: String,
    /// BCP 47 language.
    pub language: String,
    /// Whole study, or rehearsal.
    pub length: Length,
    /// The researcher's own id of the participant.
    pub external_id: Option<String>,
    /// Its state.
    pub state: State,
    /// The phase that it entered last.
    pub phase: Option<PhaseId>,
    /// Why it ended.
    pub outcome: Option<Outcome>,
    /// What the participant decided.
    pub consent: Consent,
    /// Sum of its ledger.
    pub cost_micro_usd: i64,
    /// Turns of both sides.
    pub turns: u32,
    /// First participant audio to first interviewer audio.
    pub first_voice_ms: Option<u64>,
    /// Length of the timeline at the end.
    pub duration_ms: Option<u64>,
    /// The node that owns it; none before the first claim and after the finish.
    pub owner: Option<String>,
    /// Generation of its ownership; 0 before the first claim.
    pub epoch: Epoch,
    /// Number of its last journal entry.
    pub last_seq: u64,
    /// When it was created.
    pub created_at_us: i64,
    /// When the interview began (its first phase).
    pub started_at_us: Option<i64>,
    /// When it was paused, while it is.
    pub paused_at_us: Option<i64>,
    /// When it ended.
    pub ended_at_us: Option<i64>,
    /// When the invitation lapses.
    pub expires_at_us: Option<i64>,
    /// How far the work after it is.
    pub report: ReportState,
}

/// When a grant was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// By this call.
    Now,
    /// Before it, or there is no such grant of the session.
    Before,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// SHA-256 of it. The grant itself is never kept.
    pub grant_hash: [u8; 32],
    /// The session that it opens.
    pub session_id: SessionId,
    /// When it was issued.
    pub issued_at_us: i64,
    /// When it was used, or a newer one took its place.
    pub used_at_us: Option<i64>,
}

/// Which sessions to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only of this study.
    pub study_id: Option<StudyId>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only older than this one: the last of the page before.
    pub before: Option<SessionId>,
    /// At most so many; 0 takes 50, and 500 is the most.
    pub limit: u32,
}

/// What a session's journal says, for whoever goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The engine's entries, oldest first.
    pub entries: Vec<Entry>,
    /// How many damaged entries were set aside so far: each may have used a number of a connection or a link.
    pub set_aside: u32,
    /// Whether one of them was set aside just now.
    pub set_aside_now: bool,
}

/// One fact of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalRow {
    /// Its number: 1, 2, 3, ... without gaps.
    pub seq: u64,
    /// When it was committed.
    pub at_us: i64,
    /// Its kind.
    pub kind: String,
    /// What it says: a JSON object whose `v` is the version of its shape.
    pub body: Value,
}

/// One utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRow {
    /// Counted from 1 in the order in which turns began.
    pub turn: TurnNo,
    /// Who spoke.
    pub speaker: Speaker,
    /// In which phase.
    pub phase: PhaseId,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline, of what was heard.
    pub end_ms: u64,
    /// What was heard.
    pub text: String,
    /// What was generated and not heard.
    pub unheard: String,
    /// How it ended.
    pub ending: TurnEnding,
    /// What a second model heard, if one was asked.
    pub second: Option<SecondRow>,
}

impl TurnRow {
    /// Its words: those of the live transcript, or, where that failed, of the second.
    #[must_use]
    pub fn words(&self) -> &str {
        match &self.second {
            Some(second) if self.text.trim().is_empty() => &second.text,
            _ => &self.text,
        }
    }
}

/// A phase that was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseRow {
    /// Which.
    pub phase: PhaseId,
    /// When, on the recording's timeline.
    pub entered_at_ms: u64,
    /// Who moved it: `start`, `model`, `overrun`, `wrapup`.
    pub cause: String,
}

/// A question that was covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredTopic {
    /// Which.
    pub topic: TopicId,
    /// In which phase.
    pub phase: PhaseId,
    /// When, on the recording's timeline.
    pub at_ms: u64,
}

/// All charges of one component, summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// What was used.
    pub component: Component,
    /// How much.
    pub quantity: u64,
    /// What it cost.
    pub cost_micro_usd: i64,
    /// How many rows were summed.
    pub rows: u64,
}

/// A piece of a recording to be kept: complete Ogg pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChunk {
    /// Counted from 0 (or from 1): the order in which they are joined.
    pub no: u32,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline.
    pub end_ms: u64,
    /// The pages.
    pub bytes: bytes::Bytes,
}

/// A piece of a recording that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRow {
    /// Its number.
    pub no: u32,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline.
    pub end_ms: u64,
    /// Its size.
    pub bytes: u64,
}
