//! Creating, consenting to, owning and finishing sessions.

use engine::ids::SessionId;

use super::apply::Operation;
use super::codec::{col, first, int, named, natural};
use super::db::{Db, Sql, each, query};
use super::jobs::insert_job;
use super::journal::{append, insert_entry};
use crate::error::StoreError;
use crate::op::{ClaimSession, CreateSessions, Decision, FinishSession, IndexChunk, RecordConsent};
use crate::rows::{Consent, Epoch, NewSession};
use crate::{body, names};

const STUDY_EXISTS: &str = "SELECT count(*) FROM study WHERE study_id = $1 AND version = $2";

const TAKEN: &str = "SELECT count(*) FROM session WHERE session_id = $1 OR link_hash = $2";

const INSERT: &str = "
    INSERT INTO session (session_id, study_id, study_version, link_hash, language, length, external_id, created_at_us,
                         expires_at_us, last_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)";

/// Locks the row where others may write too: whoever touches more of a session than one row locks this one first, so that
/// no two wait for each other.
const HEAD: Sql = each(
    "SELECT state, consent, last_seq, epoch, finished_at_us FROM session WHERE session_id = $1",
    "SELECT state, consent, last_seq, epoch, finished_at_us FROM session WHERE session_id = $1 FOR NO KEY UPDATE",
);

const CONSENT_GIVEN: &str =
    "UPDATE session SET consent = 'given', last_seq = $2 WHERE session_id = $1";

/// A declined session is over and nothing follows from it, so it is finished as well.
const CONSENT_DECLINED: &str = "
    UPDATE session
    SET consent = 'declined', state = 'ended', outcome = 'no_consent', ended_at_us = $3, finished_at_us = $3, last_seq = $2
    WHERE session_id = $1";

const CLAIM: &str = "
    UPDATE session
    SET epoch = epoch + 1, owner = $2, state = CASE state WHEN 'invited' THEN 'waiting' ELSE state END
    WHERE session_id = $1 AND finished_at_us IS NULL
    RETURNING epoch";

const FINISH: &str = "UPDATE session SET finished_at_us = $2, owner = NULL WHERE session_id = $1";

const INSERT_CHUNK: &str = "
    INSERT INTO chunk (session_id, no, start_ms, end_ms, bytes) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id, no) DO NOTHING";

impl Operation for CreateSessions {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        for session in &self.sessions {
            create(db, session, self.at_us).await?;
        }
        Ok(())
    }
}

async fn create(db: &mut Db, session: &NewSession, at_us: i64) -> Result<(), StoreError> {
    let id = session.session_id.as_str();
    let (study, version) = (session.study_id.as_str(), int(session.study_version));
    let studies = query(STUDY_EXISTS)
        .bind(study)
        .bind(version)
        .fetch_one(&mut *db)
        .await?;
    if first::<i64>(&studies)? == 0 {
        return Err(StoreError::NotFound {
            what: format!("version {version} of study {study}"),
        });
    }
    let taken = query(TAKEN)
        .bind(id)
        .bind(&session.link_hash[..])
        .fetch_one(&mut *db)
        .await?;
    if first::<i64>(&taken)? != 0 {
        return Err(StoreError::Conflict {
            what: format!("session {id}, or another one with its link, exists already"),
        });
    }
    query(INSERT)
        .bind(id)
        .bind(study)
        .bind(version)
        .bind(&session.link_hash[..])
        .bind(&session.language)
        .bind(session.length.name())
        .bind(&session.external_id)
        .bind(at_us)
        .bind(session.expires_at_us)
        .execute(&mut *db)
        .await?;
    insert_entry(
        db,
        &session.session_id,
        1,
        at_us,
        body::SESSION_CREATED,
        &body::of_creation(session),
    )
    .await
}

impl Operation for RecordConsent {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let id = &self.session_id;
        let head = head(db, id).await?;
        let (wanted, kind, update) = match self.decision {
            Decision::Accept => (Consent::Given, body::CONSENT_GIVEN, CONSENT_GIVEN),
            Decision::Decline => (Consent::Declined, body::CONSENT_DECLINED, CONSENT_DECLINED),
        };
        if head.consent == wanted {
            return Ok(());
        }
        if head.consent != Consent::Pending {
            let what = format!(
                "consent to session {id} was {} before and stays so",
                head.consent.name()
            );
            return Err(StoreError::Conflict { what });
        }
        if head.state == engine::session::State::Ended {
            return Err(StoreError::Conflict {
                what: format!("session {id} has ended"),
            });
        }
        let seq = head.last_seq.saturating_add(1);
        insert_entry(
            db,
            id,
            seq,
            self.at_us,
            kind,
            &body::of_consent(&self.text_digest),
        )
        .await?;
        query(update)
            .bind(id.as_str())
            .bind(int(seq))
            .bind(self.at_us)
            .execute(db)
            .await?;
        Ok(())
    }
}

impl Operation for ClaimSession {
    type Out = Epoch;

    async fn apply(&self, db: &mut Db) -> Result<Epoch, StoreError> {
        let id = &self.session_id;
        let claimed = query(CLAIM)
            .bind(id.as_str())
            .bind(&self.node)
            .fetch_optional(&mut *db)
            .await?;
        match claimed {
            Some(row) => Ok(Epoch(first(&row)?)),
            None => {
                head(db, id).await?;
                Err(StoreError::Conflict {
                    what: format!("session {id} is over and cannot be taken up again"),
                })
            }
        }
    }
}

impl Operation for FinishSession {
    /// Whether this call finished it, or it was finished before.
    type Out = Finished;

    async fn apply(&self, db: &mut Db) -> Result<Finished, StoreError> {
        let id = &self.last.session_id;
        let head = head(db, id).await?;
        if head.epoch != self.last.epoch {
            return Err(StoreError::Fenced {
                what: format!("session {id}"),
            });
        }
        // A repeated call, because the answer to the first was lost: its entries and jobs are there already.
        if head.finished_at_us.is_some() {
            return Ok(Finished::Before);
        }
        append(db, &self.last).await?;
        for job in &self.jobs {
            insert_job(db, job, self.last.at_us).await?;
        }
        query(FINISH)
            .bind(id.as_str())
            .bind(self.last.at_us)
            .execute(db)
            .await?;
        Ok(Finished::Now)
    }
}

/// When a session was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    Now,
    Before,
}

impl Operation for IndexChunk {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        head(db, &self.session_id).await?;
        query(INSERT_CHUNK)
            .bind(self.session_id.as_str())
            .bind(int(self.no))
            .bind(int(self.start_ms))
            .bind(int(self.end_ms))
            .bind(int(self.bytes))
            .execute(db)
            .await?;
        Ok(())
    }
}

/// What must be known of a session before it is written to.
pub(super) struct Head {
    pub(super) state: engine::session::State,
    pub(super) consent: Consent,
    pub(super) last_seq: u64,
    pub(super) epoch: Epoch,
    pub(super) finished_at_us: Option<i64>,
}

pub(super) async fn head(db: &mut Db, id: &SessionId) -> Result<Head, StoreError> {
    let row = query(HEAD).bind(id.as_str()).fetch_optional(db).await?;
    let row = row.ok_or_else(|| StoreError::session_missing(id))?;
    Ok(Head {
        state: named(&row, "state", names::state)?,
        consent: named(&row, "consent", Consent::from_name)?,
        last_seq: natural(&row, "last_seq")?,
        epoch: Epoch(col(&row, "epoch")?),
        finished_at_us: col(&row, "finished_at_us")?,
    })
}
