//! Leasing work: claim in one short transaction, work outside any, complete with the fence.

use engine::ids::SessionId;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::apply::Operation;
use super::codec::{body, col, int, named, natural, to_bytes};
use super::results::insert_results;
use crate::error::StoreError;
use crate::job::{JobState, Lane, Lease, NewJob, Retry};
use crate::op::{
    Attempt, ClaimJobs, CompleteJob, Enqueue, FailJob, GiveUpJob, Heartbeat, ReleaseLeases,
};

const SESSION_EXISTS: &str = "SELECT count(*) FROM session WHERE session_id = ?1";

const INSERT: &str = "
    INSERT INTO job (lane, kind, session_id, key, rank, not_before_us, created_at_us, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
    ON CONFLICT (kind, session_id, key) DO NOTHING";

/// A lease that ran out goes back to the others; its attempt has counted.
const RETURN_EXPIRED: &str = "
    UPDATE job SET state = 0, lease_until_us = NULL WHERE state = 1 AND lane = ?1 AND lease_until_us <= ?2";

const CLAIM: &str = "
    UPDATE job
    SET state = 1, fence = fence + 1, attempts = attempts + 1, lease_until_us = ?4, owner = ?5
    WHERE job_id IN (
        SELECT job_id FROM job WHERE state = 0 AND lane = ?1 AND not_before_us <= ?2 ORDER BY rank DESC, job_id LIMIT ?3)
    RETURNING job_id, fence, attempts, lane, kind, session_id, key, rank, body";

const HEARTBEAT: &str =
    "UPDATE job SET lease_until_us = ?3 WHERE job_id = ?1 AND fence = ?2 AND state = 1";

const COMPLETE: &str = "
    UPDATE job SET state = 2, lease_until_us = NULL, ended_at_us = ?3, last_error = NULL
    WHERE job_id = ?1 AND fence = ?2 AND state = 1";

const FAIL: &str = "
    UPDATE job
    SET state = ?3, not_before_us = ?4, ended_at_us = ?5, last_error = ?6, attempts = attempts - ?7, lease_until_us = NULL
    WHERE job_id = ?1 AND fence = ?2 AND state = 1";

/// One writer at a time makes the count exact; several nodes will need the session's row locked first.
const UNFINISHED: &str =
    "SELECT count(*) FROM job WHERE session_id = ?1 AND lane = ?2 AND state IN (0, 1)";

const RELEASE: &str =
    "UPDATE job SET state = 0, lease_until_us = NULL WHERE state = 1 AND owner = ?1";

impl Operation for Enqueue {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        for job in &self.jobs {
            insert_job(db, job, self.at_us).await?;
        }
        Ok(())
    }
}

pub(super) async fn insert_job(
    db: &mut SqliteConnection,
    job: &NewJob,
    at_us: i64,
) -> Result<(), StoreError> {
    let id = job.session_id.as_str();
    let sessions: i64 = sqlx::query_scalar(SESSION_EXISTS)
        .bind(id)
        .fetch_one(&mut *db)
        .await?;
    if sessions == 0 {
        return Err(StoreError::session_missing(&job.session_id));
    }
    sqlx::query(INSERT)
        .bind(job.lane.name())
        .bind(&job.kind)
        .bind(id)
        .bind(&job.key)
        .bind(job.rank)
        .bind(at_us)
        .bind(to_bytes(&job.body))
        .execute(db)
        .await?;
    Ok(())
}

impl Operation for ClaimJobs {
    type Out = Vec<Lease>;

    async fn apply(&self, db: &mut SqliteConnection) -> Result<Vec<Lease>, StoreError> {
        sqlx::query(RETURN_EXPIRED)
            .bind(self.lane.name())
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        let rows = sqlx::query(CLAIM)
            .bind(self.lane.name())
            .bind(self.at_us)
            .bind(int(self.limit))
            .bind(self.lease_until_us)
            .bind(&self.owner)
            .fetch_all(db)
            .await?;
        let mut leases = rows
            .iter()
            .map(lease)
            .collect::<Result<Vec<Lease>, StoreError>>()?;
        // RETURNING gives rows in no order that could be relied upon.
        leases.sort_by_key(|lease| (std::cmp::Reverse(lease.rank), lease.job_id));
        Ok(leases)
    }
}

fn lease(row: &SqliteRow) -> Result<Lease, StoreError> {
    Ok(Lease {
        job_id: col(row, "job_id")?,
        fence: col(row, "fence")?,
        attempts: natural(row, "attempts")?,
        lane: named(row, "lane", Lane::from_name)?,
        kind: col(row, "kind")?,
        session_id: SessionId::from(col::<&str>(row, "session_id")?),
        key: col(row, "key")?,
        rank: col(row, "rank")?,
        body: body(row)?,
    })
}

impl Operation for Heartbeat {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let kept = sqlx::query(HEARTBEAT)
            .bind(self.job_id)
            .bind(self.fence)
            .bind(self.lease_until_us)
            .execute(db)
            .await?;
        held(kept.rows_affected(), self.job_id)
    }
}

impl Operation for CompleteJob {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let lease = &self.lease;
        let done = sqlx::query(COMPLETE)
            .bind(lease.job_id)
            .bind(lease.fence)
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        held(done.rows_affected(), lease.job_id)?;
        insert_results(db, lease, &self.completion, self.at_us).await?;
        for job in &self.completion.jobs {
            insert_job(db, job, self.at_us).await?;
        }
        insert_if_last(db, lease, self.completion.last.as_ref(), self.at_us).await
    }
}

/// Puts what follows the last job of a lane, if nothing of the lane is left for the session.
async fn insert_if_last(
    db: &mut SqliteConnection,
    lease: &Lease,
    last: Option<&NewJob>,
    at_us: i64,
) -> Result<(), StoreError> {
    let Some(job) = last else { return Ok(()) };
    let unfinished: i64 = sqlx::query_scalar(UNFINISHED)
        .bind(lease.session_id.as_str())
        .bind(lease.lane.name())
        .fetch_one(&mut *db)
        .await?;
    if unfinished == 0 {
        insert_job(db, job, at_us).await?;
    }
    Ok(())
}

impl Operation for GiveUpJob {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let failed = sqlx::query(FAIL)
            .bind(self.lease.job_id)
            .bind(self.lease.fence)
            .bind(JobState::Dead.code())
            .bind(self.at_us)
            .bind(Some(self.at_us))
            .bind(&self.error)
            .bind(0_i64)
            .execute(&mut *db)
            .await?;
        held(failed.rows_affected(), self.lease.job_id)?;
        insert_if_last(db, &self.lease, self.last.as_ref(), self.at_us).await
    }
}

impl Operation for FailJob {
    type Out = ();

    async fn apply(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let (state, not_before_us, ended_at_us) = match self.retry {
            Retry::At(not_before_us) => (JobState::Ready, not_before_us, None),
            Retry::Dead => (JobState::Dead, self.at_us, Some(self.at_us)),
        };
        let refund: i64 = match self.attempt {
            Attempt::Counts => 0,
            Attempt::Free => 1,
        };
        let failed = sqlx::query(FAIL)
            .bind(self.job_id)
            .bind(self.fence)
            .bind(state.code())
            .bind(not_before_us)
            .bind(ended_at_us)
            .bind(&self.error)
            .bind(refund)
            .execute(db)
            .await?;
        held(failed.rows_affected(), self.job_id)
    }
}

impl Operation for ReleaseLeases {
    /// How many were given back.
    type Out = u64;

    async fn apply(&self, db: &mut SqliteConnection) -> Result<u64, StoreError> {
        Ok(sqlx::query(RELEASE)
            .bind(&self.owner)
            .execute(db)
            .await?
            .rows_affected())
    }
}

/// No row means that somebody else has the job by now, or has finished it.
fn held(rows: u64, job_id: i64) -> Result<(), StoreError> {
    if rows == 0 {
        Err(StoreError::Fenced {
            what: format!("the lease of job {job_id}"),
        })
    } else {
        Ok(())
    }
}
