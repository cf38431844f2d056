//! A transcript in segments, each with its job, in one transaction.

use std::collections::BTreeMap;

use engine::ids::SessionId;
use serde_json::{Value, json};

use super::apply::Operation;
use super::codec::{col, from_bytes, natural};
use super::db::{Db, Sql, each, query};
use super::postgres::tell;
use super::results::SegmentBody;
use super::sessions::head;
use crate::error::StoreError;
use crate::job::Lane;
use crate::op::CutTranscript;
use crate::results::{Cut, Extent, NewSegment};

const ON_RECORD: &str = "SELECT segment_no, body FROM segment WHERE session_id = $1";

/// Rows travel as one JSON array: an hour of talk has some hundred and fifty segments.
const PUT_SEGMENTS: Sql = each(
    "INSERT INTO segment (session_id, segment_no, turn, start_ms, end_ms, phase, language, body)
    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, CAST(value ->> 6 AS BLOB)
    FROM json_each($2) WHERE true
    ON CONFLICT (session_id, segment_no) DO UPDATE
    SET turn = excluded.turn, start_ms = excluded.start_ms, end_ms = excluded.end_ms, phase = excluded.phase,
        language = excluded.language, body = excluded.body",
    "INSERT INTO segment (session_id, segment_no, turn, start_ms, end_ms, phase, language, body)
    SELECT $1, (v ->> 0)::bigint, (v ->> 1)::bigint, (v ->> 2)::bigint, (v ->> 3)::bigint, v ->> 4, v ->> 5,
           convert_to(v ->> 6, 'UTF8')
    FROM json_array_elements($2::json) AS v
    ON CONFLICT (session_id, segment_no) DO UPDATE
    SET turn = excluded.turn, start_ms = excluded.start_ms, end_ms = excluded.end_ms, phase = excluded.phase,
        language = excluded.language, body = excluded.body",
);

const PUT_JOBS: Sql = each(
    "INSERT INTO job (lane, kind, session_id, key, rank, due_us, not_before_us, created_at_us, body)
    SELECT $3, $4, $1, value ->> 0, $5, $6, $7, $7, CAST('{}' AS BLOB) FROM json_each($2) WHERE true
    ON CONFLICT (kind, session_id, key) DO UPDATE
    SET state = 0, attempts = 0, round = 1, fence = fence + 1, not_before_us = excluded.not_before_us,
        lease_until_us = NULL, last_error = NULL, ended_at_us = NULL",
    "INSERT INTO job (lane, kind, session_id, key, rank, due_us, not_before_us, created_at_us, body)
    SELECT $3, $4, $1, v ->> 0, $5, $6, $7, $7, convert_to('{}', 'UTF8') FROM json_array_elements($2::json) AS v
    ON CONFLICT (kind, session_id, key) DO UPDATE
    SET state = 0, attempts = 0, round = 1, fence = job.fence + 1, not_before_us = excluded.not_before_us,
        lease_until_us = NULL, last_error = NULL, ended_at_us = NULL",
);

/// Codings, jobs and segments by the number of their segment.
const DROP_CODINGS: Sql = each(
    "DELETE FROM coding WHERE session_id = $1 AND segment_no IN (SELECT value FROM json_each($2))",
    "DELETE FROM coding
    WHERE session_id = $1 AND segment_no IN (SELECT v::bigint FROM json_array_elements_text($2::json) AS v)",
);
const DROP_JOBS: Sql = each(
    "DELETE FROM job
    WHERE session_id = $1 AND kind = $3 AND key IN (SELECT CAST(value AS TEXT) FROM json_each($2))",
    "DELETE FROM job WHERE session_id = $1 AND kind = $3 AND key IN (SELECT json_array_elements_text($2::json))",
);
const DROP_SEGMENTS: Sql = each(
    "DELETE FROM segment WHERE session_id = $1 AND segment_no IN (SELECT value FROM json_each($2))",
    "DELETE FROM segment
    WHERE session_id = $1 AND segment_no IN (SELECT v::bigint FROM json_array_elements_text($2::json) AS v)",
);

/// Work that was put while the interview ran moves to the place of the interview's end.
const MOVE: &str = "
    UPDATE job SET rank = $4, due_us = $5 WHERE session_id = $1 AND lane = $2 AND kind = $3 AND state IN (0, 1, 3)";

impl Operation for CutTranscript {
    /// How many segments are new or changed.
    type Out = usize;

    async fn apply(&self, db: &mut Db) -> Result<usize, StoreError> {
        let finished = head(db, &self.session_id).await?.finished_at_us.is_some();
        if finished && self.cut.extent == Extent::SoFar {
            return Ok(0);
        }
        put_cut(db, &self.session_id, &self.cut, self.at_us).await
    }
}

/// Puts what is new or changed; says how many segments that are.
pub(super) async fn put_cut(
    db: &mut Db,
    id: &SessionId,
    cut: &Cut,
    at_us: i64,
) -> Result<usize, StoreError> {
    let mut on_record = on_record(db, id).await?;
    let mut fresh = Vec::new();
    let mut changed = Vec::new();
    for segment in &cut.segments {
        match on_record.remove(&segment.segment_no) {
            Some(text) if text == segment.text => continue,
            Some(_) => changed.push(json!(segment.segment_no)),
            None => {}
        }
        fresh.push(segment_row(segment));
    }
    let mut stale = changed;
    let gone: Vec<Value> = match cut.extent {
        Extent::All => on_record.keys().map(|no| json!(no)).collect(),
        Extent::SoFar => Vec::new(),
    };
    stale.extend(gone.iter().cloned());
    let count = fresh.len();
    drop_codings(db, id, stale).await?;
    drop_segments(db, id, &cut.kind, gone).await?;
    if count > 0 {
        let fresh = Value::Array(fresh).to_string();
        query(PUT_SEGMENTS)
            .bind(id.as_str())
            .bind(&fresh)
            .execute(&mut *db)
            .await?;
        query(PUT_JOBS)
            .bind(id.as_str())
            .bind(&fresh)
            .bind(Lane::Enrichment.name())
            .bind(&cut.kind)
            .bind(cut.rank)
            .bind(cut.due_us)
            .bind(at_us)
            .execute(&mut *db)
            .await?;
        tell(db, Lane::Enrichment).await?;
    }
    if cut.extent == Extent::All {
        query(MOVE)
            .bind(id.as_str())
            .bind(Lane::Enrichment.name())
            .bind(&cut.kind)
            .bind(cut.rank)
            .bind(cut.due_us)
            .execute(db)
            .await?;
    }
    Ok(count)
}

async fn on_record(db: &mut Db, id: &SessionId) -> Result<BTreeMap<u32, String>, StoreError> {
    let rows = query(ON_RECORD).bind(id.as_str()).fetch_all(db).await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        let body: SegmentBody = from_bytes(col(row, "body")?)?;
        found.insert(natural(row, "segment_no")?, body.text);
    }
    Ok(found)
}

async fn drop_codings(db: &mut Db, id: &SessionId, numbers: Vec<Value>) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    query(DROP_CODINGS)
        .bind(id.as_str())
        .bind(Value::Array(numbers).to_string())
        .execute(db)
        .await?;
    Ok(())
}

async fn drop_segments(
    db: &mut Db,
    id: &SessionId,
    kind: &str,
    numbers: Vec<Value>,
) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    let numbers = Value::Array(numbers).to_string();
    query(DROP_JOBS)
        .bind(id.as_str())
        .bind(&numbers)
        .bind(kind)
        .execute(&mut *db)
        .await?;
    query(DROP_SEGMENTS)
        .bind(id.as_str())
        .bind(&numbers)
        .execute(db)
        .await?;
    Ok(())
}

fn segment_row(segment: &NewSegment) -> Value {
    json!([
        segment.segment_no,
        segment.turn.0,
        segment.start_ms,
        segment.end_ms,
        segment.phase.as_str(),
        segment.language,
        json!({"text": segment.text}).to_string()
    ])
}
