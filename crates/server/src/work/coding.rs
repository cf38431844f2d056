//! Job `code`: one call for a few segments. What holds is committed with its cost; what does not becomes a job of its own.

use std::collections::{BTreeMap, BTreeSet};

use engine::cost::{Prices, Usage};
use engine::enrich::{
    Answer, Code, Coding, ContextLine, PROMPT_VERSION, ROUNDS_MAX, SCHEMA_VERSION, Segment,
    Sentiment, Topics, Verdict, check, halves, instructions, message, next_calls,
};
use engine::ids::SessionId;
use providers::chat::{ChatErrorCategory, Schema};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{CodingRow, Completion, Lane, Lease, NewCoding, NewJob, QuoteSpan, SegmentRow};

use super::call::Client;
use super::{CODE, Failure, report_if_last};
use crate::app::App;

/// Turns before the first segment that are shown for understanding.
const CONTEXT_TURNS: usize = 4;
/// Tokens of an answer: some 60 per segment are usual.
const OUTPUT_TOKENS_PER_SEGMENT: u32 = 250;
const OUTPUT_TOKENS_LEAST: u32 = 500;

/// What the model writes for one segment, as loosely as JSON allows: `engine` decides what to believe.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    sentiment: Value,
    score: Value,
    topics: Value,
    quote: Value,
}

pub(super) fn code_job(session_id: &SessionId, rank: i64, segments: &[u32], round: u32) -> NewJob {
    let list: Vec<String> = segments.iter().map(ToString::to_string).collect();
    NewJob {
        lane: Lane::Enrichment,
        kind: CODE.to_owned(),
        session_id: session_id.clone(),
        key: format!("{}/{round}", list.join(",")),
        rank,
        body: json!({ "segments": segments, "round": round }),
    }
}

pub(super) fn segment_numbers(body: &Value) -> Vec<u32> {
    let numbers = body
        .get("segments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    numbers
        .filter_map(|number| u32::try_from(number.as_u64()?).ok())
        .collect()
}

pub(super) async fn run(app: &App, client: &Client, lease: &Lease) -> Result<(), Failure> {
    let numbers = segment_numbers(&lease.body);
    let round = lease
        .body
        .get("round")
        .and_then(Value::as_u64)
        .and_then(|round| u32::try_from(round).ok())
        .unwrap_or(1);
    let rows = app.store.segments(&lease.session_id).await?;
    let wanted: Vec<Segment> = rows
        .iter()
        .filter(|row| numbers.contains(&row.segment_no))
        .map(segment)
        .collect();
    if wanted.is_empty() {
        app.store.complete(lease, Completion::default()).await?;
        return report_if_last(app, &lease.session_id, lease.rank).await;
    }
    let codebook = codebook(app, &lease.session_id).await?;
    let ids: BTreeSet<String> = codebook.iter().map(|code| code.id.clone()).collect();
    let context = context(app, &lease.session_id, &wanted).await?;
    let shown: Vec<&Segment> = wanted.iter().collect();
    let tokens = u32::try_from(wanted.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(OUTPUT_TOKENS_PER_SEGMENT)
        .max(OUTPUT_TOKENS_LEAST);
    let schema = schema(&numbers, &ids);
    let reply = client
        .ask(
            instructions(&codebook),
            message(&codebook, &context, &shown),
            schema,
            PROMPT_VERSION,
            tokens,
        )
        .await;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) if error.category == ChatErrorCategory::TooLarge => {
            return split(app, lease, &numbers, round, Usage::none(), client).await;
        }
        Err(error) => return Err(error.into()),
    };
    let topics = if ids.is_empty() {
        Topics::Open
    } else {
        Topics::Codebook(&ids)
    };
    let answers: BTreeMap<String, Written> = match reply.json() {
        Ok(answers) => answers,
        Err(error) if error.category == ChatErrorCategory::TooLarge => {
            return split(app, lease, &numbers, round, reply.usage, client).await;
        }
        // The answer is billed whatever it is worth: keep its cost, and ask again as if nothing had been answered.
        Err(_) => BTreeMap::new(),
    };
    let mut completion = Completion {
        charges: prices(app, client.model()).charge(&reply.usage),
        ..Completion::default()
    };
    let mut refused = Vec::new();
    for segment in &wanted {
        let answer = answers.get(&format!("s{}", segment.no)).map(answer);
        let coding = match check(&segment.text, answer.as_ref(), topics) {
            Verdict::Accepted(coding) => Some(coding),
            Verdict::Refused { reason, rest } => {
                tracing::debug!(session.id = %lease.session_id, segment = segment.no, round, reason = reason.name(), "an answer was refused");
                if round < ROUNDS_MAX {
                    refused.push(segment.no);
                    None
                } else {
                    rest
                }
            }
        };
        completion.codings.extend(coding.map(|coding| NewCoding {
            segment_no: segment.no,
            coding: row(coding, client.model()),
        }));
    }
    completion.jobs = next_calls(&refused, round)
        .iter()
        .map(|call| code_job(&lease.session_id, lease.rank, call, round + 1))
        .collect();
    app.store.complete(lease, completion).await?;
    report_if_last(app, &lease.session_id, lease.rank).await
}

/// A call that was too large, or an answer that was cut: the halves on their own.
async fn split(
    app: &App,
    lease: &Lease,
    numbers: &[u32],
    round: u32,
    used: Usage,
    client: &Client,
) -> Result<(), Failure> {
    let Some(halves) = halves(numbers) else {
        return Err(Failure::hopeless(
            "one segment alone is larger than the endpoint allows",
        ));
    };
    let jobs = halves
        .iter()
        .map(|half| code_job(&lease.session_id, lease.rank, half, round))
        .collect();
    let charges = prices(app, client.model()).charge(&used);
    app.store
        .complete(
            lease,
            Completion {
                jobs,
                charges,
                ..Completion::default()
            },
        )
        .await?;
    Ok(())
}

/// Today's prices of the coding model. Without any the quantities are still on record, at no cost.
pub(super) fn prices(app: &App, model: &str) -> Prices {
    app.prices
        .prices_of(&[model], &crate::app::today())
        .unwrap_or_else(|error| {
            tracing::warn!(model, error = %error, "coding is recorded without a cost");
            Prices::default()
        })
}

fn segment(row: &SegmentRow) -> Segment {
    Segment {
        no: row.segment_no,
        turn: row.turn,
        phase: row.phase.clone(),
        start_ms: row.start_ms,
        end_ms: row.end_ms,
        text: row.text.clone(),
    }
}

async fn codebook(app: &App, session_id: &SessionId) -> Result<Vec<Code>, Failure> {
    let Some(session) = app.store.session(session_id).await? else {
        return Ok(Vec::new());
    };
    let study = app
        .study(&session.study_id, session.study_version)
        .await
        .map_err(|error| Failure::transient(format!("the study cannot be read: {error:#}")))?;
    let codes = study.iter().flat_map(|study| &study.codebook);
    Ok(codes
        .map(|code| Code {
            id: code.id.clone(),
            label: code.label.clone(),
            description: code.description.clone(),
        })
        .collect())
}

/// The last turns before the first of the segments.
async fn context(
    app: &App,
    session_id: &SessionId,
    wanted: &[Segment],
) -> Result<Vec<ContextLine>, Failure> {
    let first_ms = wanted
        .iter()
        .map(|segment| segment.start_ms)
        .min()
        .unwrap_or_default();
    let turns = super::finish::spoken(app, session_id).await?;
    let before: Vec<_> = turns
        .into_iter()
        .filter(|turn| turn.start_ms < first_ms && !turn.text.is_empty())
        .collect();
    let skip = before.len().saturating_sub(CONTEXT_TURNS);
    Ok(before
        .into_iter()
        .skip(skip)
        .map(|turn| ContextLine {
            speaker: turn.speaker,
            text: turn.text,
        })
        .collect())
}

/// One required key per segment: a strict endpoint then cannot leave one out.
fn schema(numbers: &[u32], topics: &BTreeSet<String>) -> Schema {
    let sentiments: Vec<&str> = Sentiment::ALL
        .iter()
        .map(|sentiment| sentiment.name())
        .collect();
    let topic = if topics.is_empty() {
        json!({ "type": "string" })
    } else {
        json!({ "type": "string", "enum": topics })
    };
    let one = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["sentiment", "score", "topics", "quote"],
        "properties": {
            "sentiment": { "type": "string", "enum": sentiments },
            "score": { "type": "number" },
            "topics": { "type": "array", "items": topic },
            "quote": { "type": ["string", "null"] },
        },
    });
    let keys: Vec<String> = numbers.iter().map(|number| format!("s{number}")).collect();
    let properties: serde_json::Map<String, Value> =
        keys.iter().map(|key| (key.clone(), one.clone())).collect();
    let schema = json!({ "type": "object", "additionalProperties": false, "required": keys, "properties": properties });
    Schema {
        name: "segment_codes".to_owned(),
        schema,
    }
}

fn answer(written: &Written) -> Answer {
    let texts = |value: &Value| {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast saturates, and what is out of range is refused"
    )]
    let score_permille = written
        .score
        .as_f64()
        .filter(|score| score.is_finite())
        .map(|score| (score * 1_000.0).round() as i64);
    Answer {
        sentiment: written.sentiment.as_str().unwrap_or_default().to_owned(),
        score_permille,
        topics: texts(&written.topics),
        quote: written.quote.as_str().map(str::to_owned),
    }
}

fn row(coding: Coding, model: &str) -> CodingRow {
    let sentiment = match coding.sentiment {
        Sentiment::Negative => store::Sentiment::Negative,
        Sentiment::Neutral => store::Sentiment::Neutral,
        Sentiment::Positive => store::Sentiment::Positive,
        Sentiment::Mixed => store::Sentiment::Mixed,
    };
    CodingRow {
        sentiment,
        score_permille: coding.score_permille,
        topics: coding.topics,
        quote: coding.quote.map(|quote| QuoteSpan {
            start_char: quote.start_char,
            end_char: quote.end_char,
            text: quote.text,
        }),
        model: model.to_owned(),
        prompt_version: PROMPT_VERSION.to_owned(),
        schema_version: SCHEMA_VERSION.to_owned(),
    }
}
