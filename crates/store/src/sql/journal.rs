//! The journal and what it projects to, in one transaction.
//!
//! Appends are written as sets: those of a whole group take a handful of trips to the database instead of five each,
//! and it is those trips that cost, most of all when the processors are busy. Rows travel as one JSON array, so that the
//! statements stay the same (and prepared) however many there are. That array is where the dialects differ most.

use std::collections::BTreeMap;

use engine::cost::Charge;
use engine::ids::SessionId;
use engine::journal::{Entry, Turn};
use serde_json::{Value, json};

use super::apply::Operation;
use super::codec::{col, named};
use super::db::{Db, Sql, each, query};
use crate::error::StoreError;
use crate::op::Append;
use crate::projection::Projection;
use crate::rows::Epoch;
use crate::{body, names};

/// The rows stay locked where others may write too, and are locked in one order.
const HEADS: Sql = each(
    "SELECT session_id, epoch, last_seq, state, phase, finished_at_us
    FROM session WHERE session_id IN (SELECT value FROM json_each($1))",
    "SELECT session_id, epoch, last_seq, state, phase, finished_at_us
    FROM session WHERE session_id IN (SELECT json_array_elements_text($1::json)) ORDER BY session_id FOR NO KEY UPDATE",
);

const INSERT_ENTRIES: Sql = each(
    "INSERT INTO journal (session_id, seq, at_us, kind, body)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BLOB) FROM json_each($1)",
    "INSERT INTO journal (session_id, seq, at_us, kind, body)
    SELECT v ->> 0, (v ->> 1)::bigint, (v ->> 2)::bigint, v ->> 3, convert_to(v ->> 4, 'UTF8')
    FROM json_array_elements($1::json) AS v",
);

/// The same turn twice (its words came late, say): the journal keeps both, the projection the later one. `WHERE true`
/// keeps the parser from taking ON for a join's (<https://www.sqlite.org/lang_upsert.html>, section 2.2).
const PUT_TURNS: Sql = each(
    "INSERT INTO turn (session_id, turn, speaker, phase, start_ms, end_ms, ending, body)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
           CAST(value ->> 7 AS BLOB)
    FROM json_each($1) WHERE true
    ON CONFLICT (session_id, turn) DO UPDATE
    SET speaker = excluded.speaker, phase = excluded.phase, start_ms = excluded.start_ms, end_ms = excluded.end_ms,
        ending = excluded.ending, body = excluded.body",
    "INSERT INTO turn (session_id, turn, speaker, phase, start_ms, end_ms, ending, body)
    SELECT v ->> 0, (v ->> 1)::bigint, v ->> 2, v ->> 3, (v ->> 4)::bigint, (v ->> 5)::bigint, v ->> 6,
           convert_to(v ->> 7, 'UTF8')
    FROM json_array_elements($1::json) AS v
    ON CONFLICT (session_id, turn) DO UPDATE
    SET speaker = excluded.speaker, phase = excluded.phase, start_ms = excluded.start_ms, end_ms = excluded.end_ms,
        ending = excluded.ending, body = excluded.body",
);

const PUT_COVERED: Sql = each(
    "INSERT INTO covered_topic (session_id, topic, phase, at_ms)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE true
    ON CONFLICT (session_id, topic) DO NOTHING",
    "INSERT INTO covered_topic (session_id, topic, phase, at_ms)
    SELECT v ->> 0, v ->> 1, v ->> 2, (v ->> 3)::bigint FROM json_array_elements($1::json) AS v
    ON CONFLICT (session_id, topic) DO NOTHING",
);

const INSERT_CHARGES: Sql = each(
    "INSERT INTO ledger (session_id, at_us, component, quantity, cost_micro_usd, seq, job_id)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each($1)",
    "INSERT INTO ledger (session_id, at_us, component, quantity, cost_micro_usd, seq, job_id)
    SELECT v ->> 0, (v ->> 1)::bigint, v ->> 2, (v ->> 3)::bigint, (v ->> 4)::bigint, (v ->> 5)::bigint, (v ->> 6)::bigint
    FROM json_array_elements($1::json) AS v",
);

const UPDATE_SESSIONS: Sql = each(
    "UPDATE session
    SET last_seq = u.value ->> 1, state = u.value ->> 2, phase = u.value ->> 3,
        outcome = COALESCE(outcome, u.value ->> 4), cost_micro_usd = cost_micro_usd + (u.value ->> 5),
        first_voice_ms = COALESCE(first_voice_ms, u.value ->> 6), started_at_us = COALESCE(started_at_us, u.value ->> 7),
        ended_at_us = COALESCE(ended_at_us, u.value ->> 8), duration_ms = COALESCE(duration_ms, u.value ->> 9),
        turns = CASE WHEN (u.value ->> 10) > 0
                THEN (SELECT count(*) FROM turn t WHERE t.session_id = session.session_id) ELSE turns END
    FROM json_each($1) AS u WHERE session.session_id = u.value ->> 0",
    "UPDATE session
    SET last_seq = (u ->> 1)::bigint, state = u ->> 2, phase = u ->> 3,
        outcome = COALESCE(outcome, u ->> 4), cost_micro_usd = cost_micro_usd + (u ->> 5)::bigint,
        first_voice_ms = COALESCE(first_voice_ms, (u ->> 6)::bigint),
        started_at_us = COALESCE(started_at_us, (u ->> 7)::bigint),
        ended_at_us = COALESCE(ended_at_us, (u ->> 8)::bigint), duration_ms = COALESCE(duration_ms, (u ->> 9)::bigint),
        turns = CASE WHEN (u ->> 10)::bigint > 0
                THEN (SELECT count(*) FROM turn t WHERE t.session_id = session.session_id) ELSE turns END
    FROM json_array_elements($1::json) AS u WHERE session.session_id = u ->> 0",
);

impl Operation for Append {
    /// Number of the last entry.
    type Out = u64;

    async fn apply(&self, db: &mut Db) -> Result<u64, StoreError> {
        append(db, self).await
    }
}

/// What one append came to: the number of its last entry, or why it was refused.
pub(super) type Appended = Result<u64, StoreError>;

/// Writes entries if the epoch still owns the session; gives back the number of the last entry.
pub(super) async fn append(db: &mut Db, append: &Append) -> Appended {
    append_all(db, &[append])
        .await?
        .pop()
        .unwrap_or_else(|| Err(StoreError::session_missing(&append.session_id)))
}

/// Writes many appends, in their order. One that is refused is refused before anything of it is written, so that the
/// others stand. An error of the whole means that the transaction must be rolled back.
pub(super) async fn append_all(
    db: &mut Db,
    appends: &[&Append],
) -> Result<Vec<Appended>, StoreError> {
    let mut heads = heads(db, appends).await?;
    let mut rows = Rows::default();
    let appended = appends
        .iter()
        .map(|append| gather(append, &mut heads, &mut rows))
        .collect();
    rows.sessions = heads.iter().filter_map(|(id, head)| head.row(id)).collect();
    rows.insert(db).await?;
    Ok(appended)
}

/// What must be known of a session before it is appended to, and what the appends make of it.
struct Head {
    epoch: Epoch,
    finished_at_us: Option<i64>,
    last_seq: u64,
    /// None until the first entry is gathered.
    changed: Option<Projection>,
    before: Projection,
}

async fn heads(db: &mut Db, appends: &[&Append]) -> Result<BTreeMap<SessionId, Head>, StoreError> {
    let ids: Vec<&str> = appends
        .iter()
        .map(|append| append.session_id.as_str())
        .collect();
    let rows = query(HEADS)
        .bind(json!(ids).to_string())
        .fetch_all(db)
        .await?;
    let mut heads = BTreeMap::new();
    for row in &rows {
        let head = Head {
            epoch: Epoch(col(row, "epoch")?),
            finished_at_us: col(row, "finished_at_us")?,
            last_seq: super::codec::natural(row, "last_seq")?,
            changed: None,
            before: Projection::new(named(row, "state", names::state)?, col(row, "phase")?),
        };
        heads.insert(SessionId::from(col::<&str>(row, "session_id")?), head);
    }
    Ok(heads)
}

fn gather(append: &Append, heads: &mut BTreeMap<SessionId, Head>, rows: &mut Rows) -> Appended {
    let Append {
        session_id: id,
        epoch,
        entries,
        at_us,
    } = append;
    let head = heads
        .get_mut(id)
        .ok_or_else(|| StoreError::session_missing(id))?;
    if head.epoch != *epoch {
        return Err(StoreError::Fenced {
            what: format!("session {id}"),
        });
    }
    if head.finished_at_us.is_some() {
        return Err(StoreError::Conflict {
            what: format!("session {id} is finished; nothing can be added to it"),
        });
    }
    for entry in entries {
        head.last_seq = head.last_seq.saturating_add(1);
        head.changed
            .get_or_insert_with(|| head.before.clone())
            .apply(entry, *at_us);
        rows.gather(id, head.last_seq, *at_us, entry);
    }
    Ok(head.last_seq)
}

impl Head {
    /// The session's row in [`UPDATE_SESSIONS`], if anything changed.
    fn row(&self, id: &SessionId) -> Option<Value> {
        let to = self.changed.as_ref()?;
        let outcome = to.outcome.map(engine::journal::Outcome::name);
        Some(json!([
            id.as_str(),
            self.last_seq,
            to.state.name(),
            to.phase,
            outcome,
            to.cost_micro_usd,
            to.first_voice_ms,
            to.started_at_us,
            to.ended_at_us,
            to.duration_ms,
            to.turns_put
        ]))
    }
}

/// Rows to be written, table by table.
#[derive(Default)]
struct Rows {
    entries: Vec<Value>,
    /// By session and number: of a turn that is among them twice the later one.
    turns: BTreeMap<(SessionId, u32), Value>,
    covered: Vec<Value>,
    charges: Vec<Value>,
    sessions: Vec<Value>,
}

impl Rows {
    fn gather(&mut self, id: &SessionId, seq: u64, at_us: i64, entry: &Entry) {
        self.entries.push(entry_row(
            id,
            seq,
            at_us,
            entry.kind(),
            &body::of_entry(entry),
        ));
        if let Entry::Turn(turn) = entry {
            self.turns
                .insert((id.clone(), turn.turn.0), turn_row(id, turn));
        }
        if let Entry::TopicCovered {
            topic,
            phase,
            timeline_ms,
        } = entry
        {
            self.covered.push(json!([
                id.as_str(),
                topic.as_str(),
                phase.as_str(),
                timeline_ms
            ]));
        }
        if let Entry::Charged { charges } = entry {
            self.charges
                .extend(charge_rows(id, at_us, charges, ChargedFor::Entry(seq)));
        }
    }

    async fn insert(self, db: &mut Db) -> Result<(), StoreError> {
        insert_set(db, INSERT_ENTRIES, self.entries).await?;
        insert_set(db, PUT_TURNS, self.turns.into_values().collect()).await?;
        insert_set(db, PUT_COVERED, self.covered).await?;
        insert_set(db, INSERT_CHARGES, self.charges).await?;
        insert_set(db, UPDATE_SESSIONS, self.sessions).await
    }
}

async fn insert_set(db: &mut Db, sql: Sql, rows: Vec<Value>) -> Result<(), StoreError> {
    if !rows.is_empty() {
        query(sql)
            .bind(Value::Array(rows).to_string())
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Writes one entry that is none of the engine's.
pub(super) async fn insert_entry(
    db: &mut Db,
    id: &SessionId,
    seq: u64,
    at_us: i64,
    kind: &str,
    body: &Value,
) -> Result<(), StoreError> {
    insert_set(
        db,
        INSERT_ENTRIES,
        vec![entry_row(id, seq, at_us, kind, body)],
    )
    .await
}

fn entry_row(id: &SessionId, seq: u64, at_us: i64, kind: &str, body: &Value) -> Value {
    json!([id.as_str(), seq, at_us, kind, body.to_string()])
}

fn turn_row(id: &SessionId, turn: &Turn) -> Value {
    let body = json!({"text": turn.text, "unheard": turn.unheard}).to_string();
    json!([
        id.as_str(),
        turn.turn.0,
        turn.speaker.name(),
        turn.phase.as_str(),
        turn.start_ms,
        turn.end_ms,
        turn.ending.name(),
        body
    ])
}

/// What a row of the ledger was charged for.
#[derive(Clone, Copy)]
pub(super) enum ChargedFor {
    Entry(u64),
    Job(i64),
}

/// Writes rows of the ledger. The session's sum is the caller's.
pub(super) async fn insert_charges(
    db: &mut Db,
    id: &SessionId,
    at_us: i64,
    charges: &[Charge],
    charged_for: ChargedFor,
) -> Result<(), StoreError> {
    insert_set(
        db,
        INSERT_CHARGES,
        charge_rows(id, at_us, charges, charged_for).collect(),
    )
    .await
}

fn charge_rows(
    id: &SessionId,
    at_us: i64,
    charges: &[Charge],
    charged_for: ChargedFor,
) -> impl Iterator<Item = Value> {
    let (seq, job_id) = match charged_for {
        ChargedFor::Entry(seq) => (Some(seq), None),
        ChargedFor::Job(job_id) => (None, Some(job_id)),
    };
    charges.iter().map(move |charge| {
        json!([
            id.as_str(),
            at_us,
            charge.component.name(),
            charge.quantity,
            charge.cost.0,
            seq,
            job_id
        ])
    })
}
