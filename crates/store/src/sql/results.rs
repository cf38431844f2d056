//! What a job brought forth, written in the transaction of its completion; and the limit on the database's size.

use engine::cost::Charge;
use engine::ids::SessionId;
use serde_json::json;

use super::apply::Operation;
use super::codec::{first, from_bytes, int, to_bytes};
use super::cut::put_cut;
use super::db::{Db, query};
use super::journal::{ChargedFor, insert_charges};
use super::topics::{insert_labels, put_themes};
use crate::error::StoreError;
use crate::job::Lease;
use crate::op::LimitPages;
use crate::results::{Completion, NewCoding, NewSecond, RecordingRow};

const SEGMENT_BODY: &str = "SELECT body FROM segment WHERE session_id = $1 AND segment_no = $2";

/// The same way of coding the same segment twice: the first stands.
const INSERT_CODING: &str = "
    INSERT INTO coding (session_id, segment_no, model, prompt_version, schema_version, sentiment, score_permille,
                        created_at_us, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (session_id, segment_no, model, prompt_version, schema_version) DO NOTHING";

const PUT_REPORT: &str = "
    INSERT INTO report (session_id, created_at_us, body) VALUES ($1, $2, $3)
    ON CONFLICT (session_id) DO UPDATE SET created_at_us = excluded.created_at_us, body = excluded.body";

const PUT_RECORDING: &str = "
    INSERT INTO recording (session_id, object, duration_ms, bytes, body) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id) DO UPDATE
    SET object = excluded.object, duration_ms = excluded.duration_ms, bytes = excluded.bytes, body = excluded.body";

/// Heard twice by a second model, after a lease ran out: the first stands.
const PUT_SECOND: &str = "
    INSERT INTO second_transcript (session_id, turn, model, at_us, body) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id, turn) DO NOTHING";

const ADD_COST: &str =
    "UPDATE session SET cost_micro_usd = cost_micro_usd + $2 WHERE session_id = $1";

pub(super) async fn insert_results(
    db: &mut Db,
    lease: &Lease,
    completion: &Completion,
    at_us: i64,
) -> Result<(), StoreError> {
    let id = &lease.session_id;
    if let Some(cut) = &completion.cut {
        put_cut(db, id, cut, at_us).await?;
    }
    for coding in &completion.codings {
        insert_coding(db, id, coding, at_us).await?;
    }
    if let Some(report) = &completion.report {
        query(PUT_REPORT)
            .bind(id.as_str())
            .bind(at_us)
            .bind(to_bytes(report))
            .execute(&mut *db)
            .await?;
    }
    insert_labels(db, id, &completion.labels, at_us).await?;
    put_themes(db, id, &completion.themes).await?;
    if let Some(recording) = &completion.recording {
        put_recording(db, id, recording).await?;
    }
    insert_job_charges(db, lease, &completion.charges, at_us).await
}

pub(super) async fn insert_second(
    db: &mut Db,
    id: &SessionId,
    new: &NewSecond,
    at_us: i64,
) -> Result<(), StoreError> {
    query(PUT_SECOND)
        .bind(id.as_str())
        .bind(int(new.turn.0))
        .bind(&new.second.model)
        .bind(at_us)
        .bind(to_bytes(&json!({"text": new.second.text})))
        .execute(db)
        .await?;
    Ok(())
}

/// What a job cost, in the ledger and in the session's sum.
pub(super) async fn insert_job_charges(
    db: &mut Db,
    lease: &Lease,
    charges: &[Charge],
    at_us: i64,
) -> Result<(), StoreError> {
    if charges.is_empty() {
        return Ok(());
    }
    let id = &lease.session_id;
    insert_charges(db, id, at_us, charges, ChargedFor::Job(lease.job_id)).await?;
    let sum = charges
        .iter()
        .fold(0_i64, |sum, charge| sum.saturating_add(charge.cost.0));
    query(ADD_COST)
        .bind(id.as_str())
        .bind(sum)
        .execute(db)
        .await?;
    Ok(())
}

pub(super) async fn insert_coding(
    db: &mut Db,
    id: &SessionId,
    new: &NewCoding,
    at_us: i64,
) -> Result<(), StoreError> {
    let NewCoding { segment_no, coding } = new;
    let segment = query(SEGMENT_BODY)
        .bind(id.as_str())
        .bind(int(*segment_no))
        .fetch_optional(&mut *db)
        .await?;
    let segment = segment.ok_or_else(|| StoreError::NotFound {
        what: format!("segment {segment_no} of session {id}"),
    })?;
    if let Some(quote) = &coding.quote {
        let segment: SegmentBody = from_bytes(first(&segment)?)?;
        // The last line of defence: an invented quote cannot be stored, whoever made it.
        if !quote.is_verbatim(&segment.text) {
            let what = format!(
                "the quote of segment {segment_no} of session {id} is not a verbatim part of it"
            );
            return Err(StoreError::Conflict { what });
        }
    }
    let quote = coding
        .quote
        .as_ref()
        .map(|quote| json!({"start_char": quote.start_char, "end_char": quote.end_char, "text": quote.text}));
    query(INSERT_CODING)
        .bind(id.as_str())
        .bind(int(*segment_no))
        .bind(&coding.model)
        .bind(&coding.prompt_version)
        .bind(&coding.schema_version)
        .bind(coding.sentiment.name())
        .bind(i64::from(coding.score_permille))
        .bind(at_us)
        .bind(to_bytes(&json!({"topics": coding.topics, "quote": quote})))
        .execute(db)
        .await?;
    Ok(())
}

async fn put_recording(
    db: &mut Db,
    id: &SessionId,
    recording: &RecordingRow,
) -> Result<(), StoreError> {
    let peaks = &recording.peaks;
    let body = json!({
        "ms_per_peak": peaks.ms_per_peak,
        "participant": peaks.participant,
        "interviewer": peaks.interviewer,
    });
    query(PUT_RECORDING)
        .bind(id.as_str())
        .bind(&recording.object)
        .bind(int(recording.duration_ms))
        .bind(int(recording.bytes))
        .bind(to_bytes(&body))
        .execute(db)
        .await?;
    Ok(())
}

/// Body of a segment.
#[derive(serde::Deserialize)]
pub(super) struct SegmentBody {
    pub(super) text: String,
}

/// Body of a coding.
#[derive(serde::Deserialize)]
pub(super) struct CodingBody {
    pub(super) topics: Vec<String>,
    pub(super) quote: Option<QuoteBody>,
}

/// A quote within the body of a coding.
#[derive(serde::Deserialize)]
pub(super) struct QuoteBody {
    pub(super) start_char: u32,
    pub(super) end_char: u32,
    pub(super) text: String,
}

/// SQLite's own upper bound of `max_page_count`. <https://www.sqlite.org/limits.html>, section 13
const PAGES_UNLIMITED: u32 = 4_294_967_294;

impl Operation for LimitPages {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let Db::Sqlite(db) = db else {
            return Err(StoreError::Conflict {
                what: "a limit of pages is SQLite's; PostgreSQL has quotas of its own".to_owned(),
            });
        };
        // A pragma takes no parameters; the number is ours.
        let pragma = format!(
            "PRAGMA max_page_count = {}",
            self.pages_max.unwrap_or(PAGES_UNLIMITED)
        );
        sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(db).await?;
        Ok(())
    }
}
