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
    pub topics: Vec<TopicCount>,
    /// Key quotes in speech order, each a verbatim part of its turn.
    pub quotes: Vec<Quote>,
    /// Each question of the guide.
    pub coverage: Vec<Coverage>,
    /// Numbers of the session.
    pub figures: Figures,
    /// How the codes were made.
    pub method: Method,
}

/// Segments by sentiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentimentCounts {
    pub negative: u32,
    pub neutral: u32,
    pub positive: u32,
    pub mixed: u32,
    /// Segments that could not be coded.
    pub uncoded: u32,
}

/// One topic of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TopicCount {
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
pub struct Quote {
    pub turn: u32,
    pub segment: u32,
    pub text: String,
    /// Of its segment, on the recording's timeline.
    pub start_ms: u64,
    pub end_ms: u64,
    pub topics: Vec<String>,
    /// negative, neutral, positive or mixed.
    pub sentiment: String,
}

/// A question and whether it was covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    pub topic: String,
    pub question: String,
    pub phase: String,
    pub required: bool,
    pub covered: bool,
}

/// Numbers of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    pub turns: u32,
    pub minutes: f64,
    pub phases_visited: u32,
    pub first_voice_ms: Option<u64>,
    pub response_latency_p50_ms: Option<u64>,
    pub response_latency_p95_ms: Option<u64>,
    /// Interview and coding.
    pub cost_micro_usd: i64,
}

/// How the codes were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Method {
    /// The model that coded; several are joined by `, `.
    pub model: String,
    pub prompt_version: String,
    pub schema_version: String,
}
