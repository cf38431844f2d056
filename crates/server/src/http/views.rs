//! What the API shows. Field by field what the pages and the OpenAPI document promise; row types stay in `store`.

mod turn;

use engine::session::State;
use serde::{Deserialize, Serialize};
use store::{SegmentRow, SessionRow, StudyRow};
use utoipa::ToSchema;

use super::time::rfc3339;
use crate::study::{Completion, Study};

pub(super) use turn::Turn;

/// A phase in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ParticipationPhase {
    /// Its id.
    id: String,
    /// Its title.
    title: String,
}

/// What a participant needs to know of the study.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ParticipationStudy {
    title: String,
    /// Who asks.
    organisation: String,
    welcome: String,
    consent_text: String,
    /// Whom to ask.
    contact: String,
    /// BCP 47.
    language: String,
    /// By plan.
    minutes_target: u64,
    phases: Vec<ParticipationPhase>,
}

/// What a participant gets at the end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Completion)]
pub(super) struct CompletionView {
    message: String,
    code: Option<String>,
    redirect_url: Option<String>,
}

impl From<Completion> for CompletionView {
    fn from(completion: Completion) -> CompletionView {
        CompletionView {
            message: completion.message,
            code: completion.code,
            redirect_url: completion.redirect_url,
        }
    }
}

/// A participant's own view of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participation {
    session_id: String,
    /// invited, waiting, active, paused, closing or ended.
    state: &'static str,
    study: ParticipationStudy,
    /// pending, given or declined.
    consent: &'static str,
    /// Why it ended; see the glossary in the documentation.
    outcome: Option<&'static str>,
    /// There once it ended.
    completion: Option<CompletionView>,
    /// Until when the link leads into the interview: an unopened invitation, or one that was interrupted.
    returnable_until: Option<String>,
}

impl Participation {
    /// The view of one session.
    ///
    /// `until`: when the way back closes, if there is one. A session that ended because nobody came back is paused for
    /// who still can.
    pub(super) fn new(row: &SessionRow, study: &Study, until: Option<i64>) -> Participation {
        let returnable = row.state == State::Ended && until.is_some();
        let (state, outcome) = if returnable {
            (State::Paused, None)
        } else {
            (row.state, row.outcome)
        };
        Participation {
            session_id: row.session_id.to_string(),
            state: state.name(),
            study: ParticipationStudy {
                title: study.title.clone(),
                organisation: study.organisation.clone(),
                welcome: study.welcome.clone(),
                consent_text: study.consent_text.clone(),
                contact: study.contact.clone(),
                language: row.language.clone(),
                minutes_target: study.minutes_by_plan(row.length),
                phases: study
                    .phases
                    .iter()
                    .map(|phase| ParticipationPhase {
                        id: phase.id.to_string(),
                        title: phase.title.clone(),
                    })
                    .collect(),
            },
            consent: row.consent.name(),
            outcome: outcome.map(engine::journal::Outcome::name),
            completion: outcome.map(|outcome| study.completion(outcome).into()),
            returnable_until: until
                .or(row.expires_at_us.filter(|_| row.state == State::Invited))
                .map(rfc3339),
        }
    }
}

/// A study in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudySummary {
    id: String,
    version: u32,
    title: String,
    sessions: u64,
    /// Sessions under way.
    live: u64,
    /// Sessions with outcome `complete`.
    completed: u64,
    created_at: String,
}

impl From<&StudyRow> for StudySummary {
    fn from(row: &StudyRow) -> StudySummary {
        StudySummary {
            id: row.study_id.to_string(),
            version: row.version,
            title: row.title.clone(),
            sessions: row.sessions,
            live: row.live,
            completed: row.completed,
            created_at: rfc3339(row.created_at_us),
        }
    }
}

/// A question of a study.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyTopic {
    id: String,
    question: String,
    required: bool,
}

/// A phase of a study.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyPhase {
    id: String,
    title: String,
    objective: String,
    topics: Vec<StudyTopic>,
}

/// How long an interview takes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyMinutes {
    min: u64,
    target: u64,
    max: u64,
}

/// A study with its protocol.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyDetail {
    id: String,
    version: u32,
    title: String,
    organisation: String,
    languages: Vec<String>,
    minutes: StudyMinutes,
    phases: Vec<StudyPhase>,
    /// What is allowed but probably not meant.
    warnings: Vec<String>,
    /// The file as it was put.
    source: String,
}

impl StudyDetail {
    pub(super) fn new(row: &StudyRow, study: &Study) -> StudyDetail {
        let (min, target, max) = study.minutes();
        StudyDetail {
            id: row.study_id.to_string(),
            version: row.version,
            title: study.title.clone(),
            organisation: study.organisation.clone(),
            languages: study.languages.clone(),
            minutes: StudyMinutes { min, target, max },
            phases: study.phases.iter().map(phase_view).collect(),
            warnings: crate::study::warnings(study),
            source: row.source.clone(),
        }
    }
}

fn phase_view(phase: &engine::plan::Phase) -> StudyPhase {
    let topic = |topic: &engine::plan::Topic| StudyTopic {
        id: topic.id.to_string(),
        question: topic.question.clone(),
        required: topic.need == engine::plan::Need::Required,
    };
    StudyPhase {
        id: phase.id.to_string(),
        title: phase.title.clone(),
        objective: phase.objective.clone(),
        topics: phase.topics.iter().map(topic).collect(),
    }
}

/// A new session and its link. The link is shown only here: the server keeps a hash.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedSession {
    pub(super) id: String,
    pub(super) link: String,
}

/// How many sessions to make, and of what kind.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSessionsBody {
    /// 1 to 500; 1 if absent.
    pub(super) count: Option<u32>,
    /// `full` (if absent) or `rehearsal`.
    pub(super) length: Option<String>,
    /// One of the study's languages; its first if absent.
    pub(super) language: Option<String>,
    /// The researcher's own id of the participant; only with a count of 1.
    pub(super) external_id: Option<String>,
    /// 1 to 17,520 hours until the invitation lapses; never if absent.
    pub(super) expires_in_hours: Option<u32>,
}

/// A session in a list and in the event stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionSummary {
    id: String,
    study_id: String,
    study_title: String,
    study_version: u32,
    /// invited, waiting, active, paused, closing or ended.
    state: &'static str,
    phase: Option<String>,
    phase_title: Option<String>,
    /// full or rehearsal.
    length: &'static str,
    language: String,
    external_id: Option<String>,
    outcome: Option<&'static str>,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    duration_ms: Option<u64>,
    turns: u32,
    cost_micro_usd: i64,
    first_voice_ms: Option<u64>,
    /// none, working, ready or failed.
    report: &'static str,
}

impl SessionSummary {
    pub(super) fn new(row: &SessionRow, study: &Study) -> SessionSummary {
        let phase_title = row
            .phase
            .as_ref()
            .and_then(|id| study.phase(id))
            .map(|(_, phase)| phase.title.clone());
        SessionSummary {
            id: row.session_id.to_string(),
            study_id: row.study_id.to_string(),
            study_title: row.study_title.clone(),
            study_version: row.study_version,
            state: row.state.name(),
            phase: row.phase.as_ref().map(ToString::to_string),
            phase_title,
            length: row.length.name(),
            language: row.language.clone(),
            external_id: row.external_id.clone(),
            outcome: row.outcome.map(engine::journal::Outcome::name),
            created_at: rfc3339(row.created_at_us),
            started_at: row.started_at_us.map(rfc3339),
            ended_at: row.ended_at_us.map(rfc3339),
            duration_ms: row.duration_ms,
            turns: row.turns,
            cost_micro_usd: row.cost_micro_usd,
            first_voice_ms: row.first_voice_ms,
            report: row.report.name(),
        }
    }
}

/// A phase that a session entered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionPhase {
    pub(super) id: String,
    pub(super) title: String,
    /// On the recording's timeline.
    pub(super) entered_at_ms: u64,
}

/// A question and whether it was covered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionTopic {
    pub(super) id: String,
    pub(super) question: String,
    pub(super) phase: String,
    pub(super) covered: bool,
}

/// A finished recording.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordingInfo {
    pub(super) duration_ms: u64,
    pub(super) bytes: u64,
}

/// A session with what it went through.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionDetail {
    #[serde(flatten)]
    pub(super) summary: SessionSummary,
    pub(super) phases: Vec<SessionPhase>,
    pub(super) topics: Vec<SessionTopic>,
    pub(super) recording: Option<RecordingInfo>,
}

/// A key quote: a verbatim part of its segment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SegmentQuote {
    start_char: u32,
    end_char: u32,
    text: String,
}

/// A coded part of a turn.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Segment {
    segment: u32,
    text: String,
    /// negative, neutral, positive or mixed; null until coded.
    sentiment: Option<&'static str>,
    /// -1 to 1.
    score: Option<f64>,
    topics: Vec<String>,
    quote: Option<SegmentQuote>,
    /// When a researcher corrected it; null if what stands here is the model's.
    corrected_at: Option<String>,
}

impl From<SegmentRow> for Segment {
    fn from(row: SegmentRow) -> Segment {
        let coding = row.coding;
        Segment {
            segment: row.segment_no,
            corrected_at: row.corrected_at_us.map(super::time::rfc3339),
            text: row.text,
            sentiment: coding.as_ref().map(|coding| coding.sentiment.name()),
            score: coding
                .as_ref()
                .map(|coding| f64::from(coding.score_permille) / 1_000.0),
            topics: coding
                .as_ref()
                .map(|coding| coding.topics.clone())
                .unwrap_or_default(),
            quote: coding
                .and_then(|coding| coding.quote)
                .map(|quote| SegmentQuote {
                    start_char: quote.start_char,
                    end_char: quote.end_char,
                    text: quote.text,
                }),
        }
    }
}

/// What one component cost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CostComponent {
    pub(super) component: &'static str,
    pub(super) quantity: u64,
    /// tokens or milliseconds.
    pub(super) unit: &'static str,
    pub(super) cost_micro_usd: i64,
}

/// What a session cost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Costs {
    pub(super) total_micro_usd: i64,
    pub(super) components: Vec<CostComponent>,
}

/// One committed fact.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JournalEntry {
    pub(super) seq: u64,
    pub(super) at: String,
    pub(super) kind: String,
    #[schema(value_type = Object)]
    pub(super) body: serde_json::Value,
}

/// Loudness over time, for drawing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Waveform {
    pub(super) ms_per_peak: u32,
    pub(super) duration_ms: u64,
    /// 0 to 255 each.
    pub(super) participant: Vec<u8>,
    pub(super) interviewer: Vec<u8>,
}
