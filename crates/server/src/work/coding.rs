//! Job `code`: one call for a few segments. What holds is committed with its cost; what does not becomes a job of its own.

use std::collections::BTreeSet;

use engine::cost::Prices;
use engine::enrich::{
    Answer, Code, Coding, ContextLine, PROMPT_VERSION, ROUNDS_MAX, SCHEMA_VERSION, Segment,
    Sentiment, Topics, Verdict, check, halves, instructions, message, next_calls,
};
use engine::ids::SessionId;
use providers::chat::{ChatErrorCategory, Schema};
use serde_json::{Map, Value, json};
use store::{CodingRow, Completion, Lane, Lease, NewCoding, NewJob, QuoteSpan, SegmentRow};

use super::call::Client;
use super::{CODE, Failure, report_job};
use crate::app::App;

/// Turns before the first segment that are shown for understanding.
const CONTEXT_TURNS: usize = 4;
/// Tokens of an answer beside its quote: some 60 are usual.
const OUTPUT_TOKENS_PER_SEGMENT: usize = 120;
const OUTPUT_TOKENS_LEAST: u32 = 500;

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

/// One call: its segments, and which time they are asked about.
struct Call {
    segments: Vec<Segment>,
    round: u32,
}

impl Call {
    fn numbers(&self) -> Vec<u32> {
        self.segments.iter().map(|segment| segment.no).collect()
    }
}

pub(super) async fn run(app: &App, client: &Client, lease: &Lease) -> Result<(), Failure> {
    let call = call(app, lease).await?;
    if call.segments.is_empty() {
        return Ok(app.store.complete(lease, ended(lease)).await?);
    }
    let codebook = codebook(app, &lease.session_id).await?;
    let ids: BTreeSet<String> = codebook.iter().map(|code| code.id.clone()).collect();
    let context = context(app, &lease.session_id, &call.segments).await?;
    let shown: Vec<&Segment> = call.segments.iter().collect();
    let asked = client.ask(
        instructions(&codebook),
        message(&codebook, &context, &shown),
        schema(&call.numbers(), &ids),
        PROMPT_VERSION,
        tokens_max(&call.segments),
    );
    let completion = match asked.await {
        Ok(reply) => {
            // The answer is billed whatever it is worth.
            let charges = prices(app, client.model()).charge(&reply.usage);
            let completion = match (reply.json(), halved(lease, &call)) {
                (Err(error), Some(jobs)) if is_about_some(error.category) => Completion {
                    jobs,
                    ..ended(lease)
                },
                // As if nothing had been answered: all of it is asked again.
                (Err(_), _) => judged(lease, &call, &Map::new(), &ids, client.model()),
                (Ok(answers), _) => judged(lease, &call, &answers, &ids, client.model()),
            };
            Completion {
                charges,
                ..completion
            }
        }
        Err(error) => match halved(lease, &call) {
            Some(jobs) if is_about_some(error.category) => Completion {
                jobs,
                ..ended(lease)
            },
            _ => return Err(error.into()),
        },
    };
    Ok(app.store.complete(lease, completion).await?)
}

async fn call(app: &App, lease: &Lease) -> Result<Call, Failure> {
    let numbers = segment_numbers(&lease.body);
    let round = lease.body.get("round").and_then(Value::as_u64);
    let rows = app.store.segments(&lease.session_id).await?;
    let wanted = rows.iter().filter(|row| numbers.contains(&row.segment_no));
    Ok(Call {
        segments: wanted.map(segment).collect(),
        round: round
            .and_then(|round| u32::try_from(round).ok())
            .unwrap_or(1),
    })
}

/// A job that ended: if it was the last of its session, the report follows.
fn ended(lease: &Lease) -> Completion {
    Completion {
        last: Some(report_job(&lease.session_id, lease.rank)),
        ..Completion::default()
    }
}

/// Whether a smaller call may do: too much of it, or something in it that the model declines to read.
fn is_about_some(category: ChatErrorCategory) -> bool {
    matches!(
        category,
        ChatErrorCategory::TooLarge | ChatErrorCategory::Refused
    )
}

/// The halves of a call as jobs; none if it is a single segment.
fn halved(lease: &Lease, call: &Call) -> Option<Vec<NewJob>> {
    let halves = halves(&call.numbers())?;
    let job = |half: &Vec<u32>| code_job(&lease.session_id, lease.rank, half, call.round);
    Some(halves.iter().map(job).collect())
}

/// What holds of the answers, and what is asked again.
fn judged(
    lease: &Lease,
    call: &Call,
    answers: &Map<String, Value>,
    ids: &BTreeSet<String>,
    model: &str,
) -> Completion {
    let topics = if ids.is_empty() {
        Topics::Open
    } else {
        Topics::Codebook(ids)
    };
    let mut completion = ended(lease);
    let mut refused = Vec::new();
    for segment in &call.segments {
        let answer = answers.get(&format!("s{}", segment.no)).and_then(answer);
        let coding = match check(&segment.text, answer.as_ref(), topics) {
            Verdict::Accepted(coding) => Some(coding),
            Verdict::Refused { reason, .. } if call.round < ROUNDS_MAX => {
                tracing::debug!(session.id = %lease.session_id, segment = segment.no, call.round, reason = reason.name(), "an answer was refused and is asked again");
                refused.push(segment.no);
                None
            }
            Verdict::Refused { reason, rest } => {
                tracing::warn!(session.id = %lease.session_id, segment = segment.no, reason = reason.name(), "an answer was refused for the last time");
                rest
            }
        };
        completion.codings.extend(coding.map(|coding| NewCoding {
            segment_no: segment.no,
            coding: row(coding, model),
        }));
    }
    let again = next_calls(&refused, call.round);
    let again = again
        .iter()
        .map(|numbers| code_job(&lease.session_id, lease.rank, numbers, call.round + 1));
    completion.jobs = again.collect();
    completion
}

/// Room for the answer. Each segment may be quoted whole, in a script that takes a token per character.
fn tokens_max(segments: &[Segment]) -> u32 {
    let chars: usize = segments
        .iter()
        .map(|segment| segment.text.chars().count())
        .sum();
    let codes = segments.len() * OUTPUT_TOKENS_PER_SEGMENT;
    u32::try_from(chars + codes)
        .unwrap_or(u32::MAX)
        .max(OUTPUT_TOKENS_LEAST)
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
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.clone(), one.clone())).collect();
    let schema = json!({ "type": "object", "additionalProperties": false, "required": keys, "properties": properties });
    Schema {
        name: "segment_codes".to_owned(),
        schema,
    }
}

/// Reads one segment's part, as loosely as JSON allows: `engine` decides what to believe. A value of another type than was
/// asked for is passed on as something that no check lets through.
fn answer(written: &Value) -> Option<Answer> {
    let written = written.as_object()?;
    let score = written.get("score").and_then(Value::as_f64);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast saturates, and what is out of range is refused"
    )]
    let score_permille = score
        .filter(|score| score.is_finite())
        .map(|score| (score * 1_000.0).round() as i64);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let topics = match written.get("topics") {
        Some(Value::Array(topics)) => topics.iter().map(text).collect(),
        _ => vec![String::new()],
    };
    Some(Answer {
        sentiment: written.get("sentiment").map(text).unwrap_or_default(),
        score_permille,
        topics,
        quote: match written.get("quote") {
            None | Some(Value::Null) => None,
            Some(Value::String(quote)) => Some(quote.clone()),
            Some(other) => Some(other.to_string()),
        },
    })
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
