//! The shape of a report: stored as JSON, served by the API, shown by the console.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of one interview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// RFC 3339, UTC.
    pub generated_at: String,
    /// A few sentences.
    pub summary: String,
    /// Participant segments by sentiment.
    pub sentiment: SentimentCounts,
    /// Topics by number of segments, most first.
    pub topics: Vec<ReportTopic>,
    /// Key quotes in speech order, each a verbatim part of its turn.
    pub quotes: Vec<ReportQuote>,
    /// Each question of the guide.
    pub coverage: Vec<ReportCoverage>,
    /// Numbers of the session.
    pub figures: ReportFigures,
    /// How the codes were made.
    pub method: ReportMethod,
}

/// Segments by sentiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentimentCounts {
    /// Negative.
    pub negative: u32,
    /// Neither.
    pub neutral: u32,
    /// Positive.
    pub positive: u32,
    /// Both.
    pub mixed: u32,
    /// Segments that could not be coded.
    pub uncoded: u32,
}

/// One topic of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportTopic {
    /// Id in the codebook, or the open label.
    pub topic: String,
    /// What people read.
    pub label: String,
    /// How many segments carry it.
    pub segments: u32,
    /// The sentiment of those segments.
    pub sentiment: SentimentCounts,
}

/// A key quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportQuote {
    /// The turn it was said in.
    pub turn: u32,
    /// The segment it is a part of.
    pub segment: u32,
    /// Its words.
    pub text: String,
    /// Of its segment, on the recording's timeline.
    pub start_ms: u64,
    /// Of its segment, on the recording's timeline.
    pub end_ms: u64,
    /// Of its segment.
    pub topics: Vec<String>,
    /// negative, neutral, positive or mixed.
    pub sentiment: String,
}

/// What became of a question, as the model reads the transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerStatus {
    /// Asked or not: there is an answer.
    Answered,
    /// Touched, but an essential part is missing.
    Partial,
    /// Asked; the participant would not say.
    Refused,
    /// Asked, and answered with something else.
    OffTopic,
    /// Never asked, and not answered by itself.
    NotAsked,
    /// Nobody judged: the model could not be asked.
    #[default]
    NotJudged,
}

impl AnswerStatus {
    /// What a model can say.
    pub const JUDGED: [AnswerStatus; 5] = [
        AnswerStatus::Answered,
        AnswerStatus::Partial,
        AnswerStatus::Refused,
        AnswerStatus::OffTopic,
        AnswerStatus::NotAsked,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AnswerStatus::Answered => "answered",
            AnswerStatus::Partial => "partial",
            AnswerStatus::Refused => "refused",
            AnswerStatus::OffTopic => "off_topic",
            AnswerStatus::NotAsked => "not_asked",
            AnswerStatus::NotJudged => "not_judged",
        }
    }
}

/// The turn that shows best what became of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerPlace {
    /// The participant's turn.
    pub turn: u32,
    /// On the recording's timeline.
    pub start_ms: u64,
    /// On the recording's timeline.
    pub end_ms: u64,
}

/// A question, whether the interviewer covered it, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportCoverage {
    /// Id in the topic guide.
    pub topic: String,
    /// As the study asks it.
    pub question: String,
    /// The phase that asks it.
    pub phase: String,
    /// Whether the study requires it.
    pub required: bool,
    /// Whether the interviewer said that it was covered.
    pub covered: bool,
    /// What became of it.
    #[serde(default)]
    pub answer: AnswerStatus,
    /// Where that shows.
    #[serde(default)]
    pub answered_at: Option<AnswerPlace>,
}

/// Numbers of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportFigures {
    /// Of both sides.
    pub turns: u32,
    /// Length of the interview.
    pub minutes: f64,
    /// Different phases.
    pub phases_visited: u32,
    /// First audio of the participant to first audio of the interviewer.
    pub first_voice_ms: Option<u64>,
    /// End of the participant's speech to first audio of the interviewer: half were faster.
    pub response_latency_p50_ms: Option<u64>,
    /// The same: 95 of 100 were faster.
    pub response_latency_p95_ms: Option<u64>,
    /// Interview and coding.
    pub cost_micro_usd: i64,
}

/// How the codes were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportMethod {
    /// The model that coded; several are joined by `, `.
    pub model: String,
    /// Of the instructions.
    pub prompt_version: String,
    /// Of the form of the answers.
    pub schema_version: String,
}
