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
    /// Negative ones.
    /// Negative.
    pub negative: u32,
    /// Neutral ones.
    /// Neither.
    pub neutral: u32,
    /// Positive ones.
    /// Positive.
    pub positive: u32,
    /// Positive and negative at once.
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
    /// The turn.
    /// The turn it was said in.
    pub turn: u32,
    /// The segment.
    /// The segment it is a part of.
    pub segment: u32,
    /// The words.
    /// Its words.
    pub text: String,
    /// Of its segment, on the recording's timeline.
    pub start_ms: u64,
    /// End of the segment.
    /// Of its segment, on the recording's timeline.
    pub end_ms: u64,
    /// Topics of the segment.
    /// Of its segment.
    pub topics: Vec<String>,
    /// negative, neutral, positive or mixed.
    pub sentiment: String,
}

/// A question and whether it was covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportCoverage {
    /// Id of the question.
    /// Id in the topic guide.
    pub topic: String,
    /// The question.
    /// As the study asks it.
    pub question: String,
    /// The phase that asks it.
    /// The phase that asks it.
    pub phase: String,
    /// Whether the phase waits for it.
    /// Whether the study requires it.
    pub required: bool,
    /// Whether it was covered.
    /// Whether it was covered.
    pub covered: bool,
}

/// Numbers of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportFigures {
    /// Turns of both sides.
    /// Of both sides.
    pub turns: u32,
    /// Length of the timeline.
    /// Length of the interview.
    pub minutes: f64,
    /// Phases entered at least once.
    /// Different phases.
    pub phases_visited: u32,
    /// First participant audio to first interviewer audio.
    /// First audio of the participant to first audio of the interviewer.
    pub first_voice_ms: Option<u64>,
    /// End of speech to interviewer audio, median.
    /// End of the participant's speech to first audio of the interviewer: half were faster.
    pub response_latency_p50_ms: Option<u64>,
    /// The same, 95th percentile.
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
    /// Versions of the instructions.
    /// Of the instructions.
    pub prompt_version: String,
    /// Versions of the form of the answer.
    /// Of the form of the answers.
    pub schema_version: String,
}
