//! The journal and what it projects to, in one transaction.

use engine::cost::Charge;
use engine::ids::SessionId;
use engine::journal::{Entry, Turn};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::apply::Operation;
use super::codec::{col, int, named, to_bytes};
use crate::error::StoreError;
use crate::op::Append;
use crate::projection::{Progress, Projection};
use crate::{body, names};

const HEAD: &str =
    "SELECT epoch, last_seq, state, phase, finished_at_us FROM session WHERE session_id = ?1";

const INSERT_ENTRY: &str =
    "INSERT INTO journal (session_id, seq, at_us, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)";

/// The same turn twice (its words came late, say): the journal keeps both, the projection the later one.
const PUT_TURN: &str = "
    INSERT INTO turn (session_id, turn, speaker, phase, start_ms, end_ms, ending, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (session_id, turn) DO UPDATE
    SET speaker = excluded.speaker, phase = excluded.phase, start_ms = excluded.start_ms, end_ms = excluded.end_ms,
        ending = excluded.ending, body = excluded.body";

const COUNT_TURNS: &str = "
    UPDATE session SET turns = (SELECT count(*) FROM turn WHERE session_id = ?1) WHERE session_id = ?1";

const PUT_COVERED: &str = "
    INSERT INTO covered_topic (session_id, topic, phase, at_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (session_id, topic) DO NOTHING";

const INSERT_CHARGE: &str = "
    INSERT INTO ledger (session_id, at_us, component, quantity, cost_micro_usd, seq, job_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const UPDATE_SESSION: &str = "
    UPDATE session
    SET last_seq = ?2, state = ?3, phase = ?4, outcome = COALESCE(outcome, ?5),
        cost_micro_usd = cost_micro_usd + ?6, first_voice_ms = COALESCE(first_voice_ms, ?7),
        started_at_us = COALESCE(started_at_us, ?8), ended_at_us = COALESCE(ended_at_us, ?9),
        duration_ms = COALESCE(duration_ms, ?10)
    WHERE session_id = ?1";

impl Operation for Append {
    /// Number of the last entry.
    type Out = u64;

    async fn apply(&self, db: &mut SqliteConnection) -> Result<u64, StoreError> {
        append(db, self).await
    }
}

/// Writes entries if the epoch still owns the session; gives back the number of the last entry.
pub(super) async fn append(db: &mut SqliteConnection, append: &Append) -> Result<u64, StoreError> {
    let id = &append.session_id;
    let row = sqlx::query(HEAD)
        .bind(id.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let row = row.ok_or_else(|| StoreError::session_missing(id))?;
    if col::<i64>(&row, "epoch")? != append.epoch.0 {
        return Err(StoreError::Fenced {
            what: format!("session {id}"),
        });
    }
    if col::<Option<i64>>(&row, "finished_at_us")?.is_some() {
        return Err(StoreError::Conflict {
            what: format!("session {id} is finished; nothing can be added to it"),
        });
    }
    let mut seq: i64 = col(&row, "last_seq")?;
    for entry in &append.entries {
        seq = seq.saturating_add(1);
        insert_entry(
            db,
            id,
            seq,
            append.at_us,
            entry.kind(),
            &body::of_entry(entry),
        )
        .await?;
        project(db, id, seq, append.at_us, entry).await?;
    }
    if !append.entries.is_empty() {
        let before = Projection::of(
            named(&row, "state", names::state)?,
            col(&row, "phase")?,
            &append.entries,
        );
        update_session(db, id, seq, append.at_us, &before).await?;
    }
    if append
        .entries
        .iter()
        .any(|entry| matches!(entry, Entry::Turn(_)))
    {
        sqlx::query(COUNT_TURNS)
            .bind(id.as_str())
            .execute(db)
            .await?;
    }
    u64::try_from(seq)
        .map_err(|_| StoreError::corrupt(format!("session {id} has the negative number {seq}")))
}

pub(super) async fn insert_entry(
    db: &mut SqliteConnection,
    id: &SessionId,
    seq: i64,
    at_us: i64,
    kind: &str,
    body: &Value,
) -> Result<(), StoreError> {
    sqlx::query(INSERT_ENTRY)
        .bind(id.as_str())
        .bind(seq)
        .bind(at_us)
        .bind(kind)
        .bind(to_bytes(body))
        .execute(db)
        .await?;
    Ok(())
}

/// Projects an entry to tables of its own, if its kind has one.
async fn project(
    db: &mut SqliteConnection,
    id: &SessionId,
    seq: i64,
    at_us: i64,
    entry: &Entry,
) -> Result<(), StoreError> {
    if let Entry::Turn(turn) = entry {
        put_turn(db, id, turn).await?;
    }
    if let Entry::TopicCovered {
        topic,
        phase,
        timeline_ms,
    } = entry
    {
        sqlx::query(PUT_COVERED)
            .bind(id.as_str())
            .bind(topic.as_str())
            .bind(phase.as_str())
            .bind(int(*timeline_ms))
            .execute(&mut *db)
            .await?;
    }
    if let Entry::Charged { charges } = entry {
        insert_charges(db, id, at_us, charges, ChargedFor::Entry(seq)).await?;
    }
    Ok(())
}

async fn put_turn(
    db: &mut SqliteConnection,
    id: &SessionId,
    turn: &Turn,
) -> Result<(), StoreError> {
    sqlx::query(PUT_TURN)
        .bind(id.as_str())
        .bind(int(turn.turn.0))
        .bind(turn.speaker.name())
        .bind(turn.phase.as_str())
        .bind(int(turn.start_ms))
        .bind(int(turn.end_ms))
        .bind(turn.ending.name())
        .bind(to_bytes(
            &json!({"text": turn.text, "unheard": turn.unheard}),
        ))
        .execute(db)
        .await?;
    Ok(())
}

/// What a row of the ledger was charged for.
#[derive(Clone, Copy)]
pub(super) enum ChargedFor {
    Entry(i64),
    Job(i64),
}

pub(super) async fn insert_charges(
    db: &mut SqliteConnection,
    id: &SessionId,
    at_us: i64,
    charges: &[Charge],
    charged_for: ChargedFor,
) -> Result<(), StoreError> {
    let (seq, job_id) = match charged_for {
        ChargedFor::Entry(seq) => (Some(seq), None),
        ChargedFor::Job(job_id) => (None, Some(job_id)),
    };
    for charge in charges {
        sqlx::query(INSERT_CHARGE)
            .bind(id.as_str())
            .bind(at_us)
            .bind(charge.component.name())
            .bind(int(charge.quantity))
            .bind(charge.cost.0)
            .bind(seq)
            .bind(job_id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn update_session(
    db: &mut SqliteConnection,
    id: &SessionId,
    seq: i64,
    at_us: i64,
    projection: &Projection,
) -> Result<(), StoreError> {
    let started_at_us = (projection.began == Progress::Began).then_some(at_us);
    let ended_at_us = projection.outcome.map(|_| at_us);
    sqlx::query(UPDATE_SESSION)
        .bind(id.as_str())
        .bind(seq)
        .bind(projection.state.name())
        .bind(&projection.phase)
        .bind(projection.outcome.map(engine::journal::Outcome::name))
        .bind(projection.cost_micro_usd)
        .bind(projection.first_voice_ms.map(int))
        .bind(started_at_us)
        .bind(ended_at_us)
        .bind(projection.duration_ms.map(int))
        .execute(db)
        .await?;
    Ok(())
}
