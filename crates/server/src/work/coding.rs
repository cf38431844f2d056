//! Jobs `code`: one call for the segments that were taken together. What holds is committed with the call's cost; what does
//! not is asked again, in ever smaller calls, and becomes a dead letter in the end.

use std::collections::BTreeSet;

use engine::cost::Prices;
use engine::enrich::{
    Answer, Code, Coding, ContextLine, PROMPT_VERSION, ROUNDS_MAX, SCHEMA_VERSION, Segment,
    Sentiment, Topics, Verdict, after_refusal, after_too_large, check, instructions, message,
};
use engine::ids::SessionId;
use providers::chat::{ChatErrorCategory, Schema};
use serde_json::{Map, Value, json};
use store::{CodingRow, Fate, Lease, NewCoding, QuoteSpan, SegmentRow, Settlement};

use super::call::Client;
use super::gate::Turn;
use super::lexicon;
use super::{Failure, report_job};
use crate::app::App;
use crate::config::Coder;
use crate::study::Study;

/// Turns before the first segment that are shown for understanding.
pub(super) const CONTEXT_TURNS: u32 = 4;
/// Tokens of an answer beside its quote: some 60 are usual.
const OUTPUT_TOKENS_PER_SEGMENT: usize = 120;
const OUTPUT_TOKENS_LEAST: u32 = 500;

/// The number of the segment that a job is about.
fn segment_no(lease: &Lease) -> Option<u32> {
    lease.key.parse().ok()
}

/// One call: its jobs, their segments, and which time they are asked about.
struct Call<'a> {
    leases: &'a [Lease],
    first: &'a Lease,
    segments: Vec<Segment>,
    /// Of all of them.
    language: String,
    round: u32,
    /// Segments in a call of the first round.
    size: u32,
}

impl Call<'_> {
    fn numbers(&self) -> Vec<u32> {
        self.segments.iter().map(|segment| segment.no).collect()
    }

    fn segment(&self, lease: &Lease) -> Option<&Segment> {
        let no = segment_no(lease)?;
        self.segments.iter().find(|segment| segment.no == no)
    }

    /// What becomes of each job; `fate` says so for those that have a segment.
    fn settlement(&self, mut fate: impl FnMut(&Segment) -> Fate) -> Settlement {
        let fates = self.leases.iter().map(|lease| {
            let fate = self.segment(lease).map_or(Fate::Done(None), &mut fate);
            (lease.job_id, fate)
        });
        Settlement {
            fates: fates.collect(),
            last: Some(report_job(self.first)),
            ..Settlement::default()
        }
    }

    /// Smaller calls for all of it; none if it is about a single segment.
    fn smaller(&self, now_us: i64, reason: &str) -> Option<Settlement> {
        let round = after_too_large(self.round, self.segments.len(), self.size)?;
        Some(self.settlement(|_| Fate::Again {
            round,
            not_before_us: now_us,
            reason: reason.to_owned(),
        }))
    }
}

pub(super) async fn run(
    app: &App,
    client: &Client,
    leases: &[Lease],
    turn: Turn,
) -> Result<(), Failure> {
    let Some(call) = call(app, leases).await? else {
        return Ok(());
    };
    let now_us = app.store.now_us();
    if call.segments.is_empty() {
        return settle(app, leases, call.settlement(|_| Fate::Done(None))).await;
    }
    let id = &call.first.session_id;
    let codebook = codebook(app, id).await?;
    if app.config.enrichment.coder == Coder::Lexicon {
        drop(turn);
        let settlement = call.settlement(|segment| estimated(segment, &call.language, &codebook));
        return settle(app, leases, settlement).await;
    }
    let ids: BTreeSet<String> = codebook.iter().map(|code| code.id.clone()).collect();
    let context = context(app, id, &call.segments).await?;
    let shown: Vec<&Segment> = call.segments.iter().collect();
    let asked = client.ask(
        turn,
        instructions(&codebook),
        message(&codebook, &context, &shown),
        schema(&call.numbers(), &ids),
        PROMPT_VERSION,
        tokens_max(&call.segments),
    );
    let judge = |answers: &Map<String, Value>| judged(&call, answers, &ids, client.model(), now_us);
    let settlement = match asked.await {
        Ok(reply) => {
            // The answer is billed whatever it is worth.
            let charges = prices(app, client.model()).charge(&reply.usage);
            let settlement = match reply.json() {
                Ok(answers) => judge(&answers),
                Err(error) if is_about_some(error.category) => call
                    .smaller(now_us, error.category.name())
                    .unwrap_or_else(|| judge(&Map::new())),
                // As if nothing had been answered: all of it is asked again.
                Err(_) => judge(&Map::new()),
            };
            Settlement {
                charges,
                ..settlement
            }
        }
        Err(error) => {
            let smaller = is_about_some(error.category)
                .then(|| call.smaller(now_us, error.category.name()))
                .flatten();
            smaller.ok_or(error)?
        }
    };
    settle(app, leases, settlement).await
}

async fn settle(app: &App, leases: &[Lease], settlement: Settlement) -> Result<(), Failure> {
    let dead = settlement
        .fates
        .iter()
        .filter(|(_, fate)| matches!(fate, Fate::Dead(_)))
        .count();
    app.store.settle(leases, settlement).await?;
    app.metrics
        .dead_jobs
        .inc_by(u64::try_from(dead).unwrap_or(u64::MAX));
    Ok(())
}

async fn call<'a>(app: &App, leases: &'a [Lease]) -> Result<Option<Call<'a>>, Failure> {
    let Some(first) = leases.first() else {
        return Ok(None);
    };
    let numbers: Vec<u32> = leases.iter().filter_map(segment_no).collect();
    let rows = app.store.some_segments(&first.session_id, &numbers).await?;
    Ok(Some(Call {
        leases,
        first,
        segments: rows.iter().map(segment).collect(),
        language: rows
            .first()
            .map(|row| row.language.clone())
            .unwrap_or_default(),
        round: first.round,
        size: u32::try_from(app.config.enrichment.batch_segments).unwrap_or(1),
    }))
}

/// Without a call: what the lexicon says, or nothing.
fn estimated(segment: &Segment, language: &str, codebook: &[Code]) -> Fate {
    let coding = lexicon::code(&segment.text, language, codebook);
    Fate::Done(coding.map(|coding| NewCoding {
        segment_no: segment.no,
        coding,
    }))
}

/// Whether a smaller call may do: too much of it, or something in it that the model declines to read.
fn is_about_some(category: ChatErrorCategory) -> bool {
    matches!(
        category,
        ChatErrorCategory::TooLarge | ChatErrorCategory::Refused
    )
}

/// What holds of the answers, and what is asked again.
fn judged(
    call: &Call<'_>,
    answers: &Map<String, Value>,
    ids: &BTreeSet<String>,
    model: &str,
    now_us: i64,
) -> Settlement {
    let topics = if ids.is_empty() {
        Topics::Open
    } else {
        Topics::Codebook(ids)
    };
    call.settlement(|segment| {
        let coded = |coding| {
            Fate::Done(Some(NewCoding {
                segment_no: segment.no,
                coding: row(coding, model),
            }))
        };
        let answer = answers.get(&format!("s{}", segment.no)).and_then(answer);
        match check(&segment.text, answer.as_ref(), topics) {
            Verdict::Accepted(coding) => coded(coding),
            Verdict::Refused { reason, rest } => {
                tracing::debug!(session.id = %call.first.session_id, segment = segment.no, call.round, reason = reason.name(), "an answer was refused");
                match (after_refusal(call.round), rest) {
                    (Some(round), _) => Fate::Again {
                        round,
                        not_before_us: now_us,
                        reason: reason.name().to_owned(),
                    },
                    (None, Some(rest)) => coded(rest),
                    (None, None) => Fate::Dead(format!("{}, {ROUNDS_MAX} times", reason.name())),
                }
            }
        }
    })
}

/// Room for the answer. Each segment may be quoted whole, in a script that takes a token per character.
pub(super) fn tokens_max(segments: &[Segment]) -> u32 {
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

pub(super) fn segment(row: &SegmentRow) -> Segment {
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
    Ok(study.map(|study| codes_of(&study)).unwrap_or_default())
}

pub(super) fn codes_of(study: &Study) -> Vec<Code> {
    let code = |code: &crate::study::Code| Code {
        id: code.id.clone(),
        label: code.label.clone(),
        description: code.description.clone(),
    };
    study.codebook.iter().map(code).collect()
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
    let before = app
        .store
        .turns_before(session_id, first_ms, CONTEXT_TURNS)
        .await?;
    let heard = before.iter().filter(|turn| !turn.words().is_empty());
    Ok(heard
        .map(|turn| ContextLine {
            speaker: turn.speaker,
            text: turn.words().to_owned(),
        })
        .collect())
}

/// One required key per segment: a strict endpoint then cannot leave one out.
pub(super) fn schema(numbers: &[u32], topics: &BTreeSet<String>) -> Schema {
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
pub(super) fn answer(written: &Value) -> Option<Answer> {
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
