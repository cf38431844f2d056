//! JSON Lines: a session is a line.

use serde_json::{Value, json};

use super::Interview;
use crate::http::rfc3339;

pub(super) fn line(interview: &Interview) -> String {
    let session = &interview.session;
    let at = |at_us: Option<i64>| at_us.map(rfc3339);
    let turns: Vec<Value> = interview
        .turns
        .iter()
        .map(|turn| {
            json!({
                "turn": turn.turn.0,
                "speaker": interview.speaker(turn.speaker),
                "phase": turn.phase.as_str(),
                "start_ms": turn.start_ms,
                "end_ms": turn.end_ms,
                "text": turn.text,
                "unheard": turn.unheard,
                "second": turn.second.as_ref().map(|second| json!({ "text": second.text, "model": second.model })),
            })
        })
        .collect();
    let segments: Vec<Value> = interview
        .segments
        .iter()
        .map(|row| segment(interview, row))
        .collect();
    let mut line = json!({
        "session_id": session.session_id.as_str(),
        "participant": interview.participant(),
        "study_id": session.study_id.as_str(),
        "study_version": session.study_version,
        "language": session.language,
        "external_id": session.external_id,
        "state": session.state.name(),
        "outcome": session.outcome.map(engine::journal::Outcome::name),
        "started_at": at(session.started_at_us),
        "ended_at": at(session.ended_at_us),
        "duration_ms": session.duration_ms,
        "cost_micro_usd": session.cost_micro_usd,
        "turns": turns,
        "segments": segments,
    })
    .to_string();
    line.push('\n');
    line
}

fn segment(interview: &Interview, row: &store::SegmentRow) -> Value {
    let coding = row.coding.as_ref().map(|coding| {
        let topics: Vec<Value> = coding
            .topics
            .iter()
            .map(|topic| json!({ "topic": topic, "label": interview.label(topic) }))
            .collect();
        let quote = coding.quote.as_ref().map(|quote| {
            json!({ "text": quote.text, "start_char": quote.start_char, "end_char": quote.end_char })
        });
        json!({
            "sentiment": coding.sentiment.name(),
            "score": f64::from(coding.score_permille) / 1_000.0,
            "topics": topics,
            "quote": quote,
            "model": coding.model,
            "prompt_version": coding.prompt_version,
            "schema_version": coding.schema_version,
        })
    });
    json!({
        "segment": row.segment_no,
        "turn": row.turn.0,
        "phase": row.phase.as_str(),
        "start_ms": row.start_ms,
        "end_ms": row.end_ms,
        "text": row.text,
        "coding": coding,
        "corrected_at": row.corrected_at_us.map(rfc3339),
    })
}
