//! Leasing work: claim in one short transaction, work outside any, complete with the fence.

use engine::enrich::Order;
use engine::ids::SessionId;

use super::apply::Operation;
use super::codec::{body, col, first, int, named, natural, to_bytes};
use super::db::{Db, Row, Sql, each, query};
use super::postgres::tell;
use super::results::insert_results;
use super::sessions::head;
use crate::error::StoreError;
use crate::job::{JobState, Lane, Lease, NewJob, Replay, Retry};
use crate::op::{
    Attempt, ClaimJobs, CompleteJob, Enqueue, FailJob, GiveUpJob, Heartbeat, ReleaseLeases,
    ReplayJobs,
};

const SESSION_EXISTS: &str = "SELECT count(*) FROM session WHERE session_id = $1";

const INSERT: &str = "
    INSERT INTO job (lane, kind, session_id, key, rank, due_us, not_before_us, created_at_us, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
    ON CONFLICT (kind, session_id, key) DO NOTHING";

/// What follows from other work is done again when that work was.
const INSERT_LAST: &str = "
    INSERT INTO job (lane, kind, session_id, key, rank, due_us, not_before_us, created_at_us, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
    ON CONFLICT (kind, session_id, key) DO UPDATE
    SET state = 0, attempts = 0, fence = job.fence + 1, not_before_us = excluded.not_before_us, lease_until_us = NULL,
        last_error = NULL, ended_at_us = NULL
    WHERE job.state <> 0";

/// A lease that ran out goes back to the others; its attempt has counted.
const RETURN_EXPIRED: Sql = each(
    "UPDATE job SET state = 0, lease_until_us = NULL WHERE state = 1 AND lane = $1 AND lease_until_us <= $2",
    "WITH expired AS MATERIALIZED (
        SELECT job_id FROM job WHERE state = 1 AND lane = $1 AND lease_until_us <= $2 FOR UPDATE SKIP LOCKED)
    UPDATE job SET state = 0, lease_until_us = NULL FROM expired WHERE job.job_id = expired.job_id",
);

/// The first in the order: `engine::enrich::Order` says what these must find. What another node takes at this moment is
/// passed over.
macro_rules! first_of {
    ($which:literal) => {
        each(
            concat!("SELECT job_id, session_id, kind, round FROM job WHERE state = 0 AND lane = $1 AND ", $which, " LIMIT 1"),
            concat!(
                "SELECT job_id, session_id, kind, round FROM job WHERE state = 0 AND lane = $1 AND ",
                $which,
                " LIMIT 1 FOR UPDATE SKIP LOCKED"
            ),
        )
    };
}
const OVERDUE: Sql = first_of!("due_us <= $2 AND not_before_us <= $2 ORDER BY due_us, job_id");
const IN_TIME: Sql = first_of!(
    "due_us > $2 AND due_us < 9223372036854775807 AND not_before_us <= $2 ORDER BY due_us, job_id"
);
const NEWEST: Sql = first_of!("not_before_us <= $2 ORDER BY rank DESC, job_id");

/// Those that share its call, it among them.
const CLAIM: Sql = each(
    "UPDATE job
    SET state = 1, fence = fence + 1, attempts = attempts + 1, lease_until_us = $7, owner = $8
    WHERE job_id IN (
        SELECT job_id FROM job
        WHERE state = 0 AND session_id = $1 AND lane = $2 AND kind = $3 AND round = $4 AND not_before_us <= $5
        ORDER BY job_id = $9 DESC, job_id LIMIT $6)
    RETURNING job_id, fence, attempts, lane, kind, session_id, key, rank, due_us, round, body",
    "WITH taken AS MATERIALIZED (
        SELECT job_id FROM job
        WHERE state = 0 AND session_id = $1 AND lane = $2 AND kind = $3 AND round = $4 AND not_before_us <= $5
        ORDER BY job_id = $9 DESC, job_id LIMIT $6 FOR UPDATE SKIP LOCKED)
    UPDATE job
    SET state = 1, fence = fence + 1, attempts = attempts + 1, lease_until_us = $7, owner = $8
    FROM taken WHERE job.job_id = taken.job_id
    RETURNING job.job_id, fence, attempts, lane, kind, session_id, key, rank, due_us, round, body",
);

const HEARTBEAT: &str =
    "UPDATE job SET lease_until_us = $3 WHERE job_id = $1 AND fence = $2 AND state = 1";

const COMPLETE: &str = "
    UPDATE job SET state = 2, lease_until_us = NULL, ended_at_us = $3, last_error = NULL
    WHERE job_id = $1 AND fence = $2 AND state = 1";

const FAIL: &str = "
    UPDATE job
    SET state = $3, not_before_us = $4, ended_at_us = $5, last_error = $6, attempts = attempts - $7, lease_until_us = NULL
    WHERE job_id = $1 AND fence = $2 AND state = 1";

/// All that must end before a session's report: its own end, its transcript, its codings. One writer at a time makes the count
/// exact: SQLite has no more, and elsewhere the session's row is locked first.
const UNFINISHED: &str = "
    SELECT (SELECT count(*) FROM job
            WHERE session_id = $1 AND lane IN ('transcript', 'enrichment') AND state IN (0, 1))
         + (SELECT count(*) FROM session WHERE session_id = $1 AND finished_at_us IS NULL)";

const REPLAY: &str = "
    UPDATE job
    SET state = 0, attempts = 0, round = 1, fence = fence + 1, not_before_us = $3, ended_at_us = NULL
    WHERE state = 3 AND ($1 IS NULL OR job_id = $1) AND ($2 IS NULL OR lane = $2)
    RETURNING lane";

/// A call to an endpoint takes no process with it, so a process's end is not counted against it. Decoding audio may.
const RELEASE: &str = "
    UPDATE job
    SET state = 0, lease_until_us = NULL, attempts = attempts - CASE WHEN lane = 'recording' THEN 0 ELSE 1 END
    WHERE state = 1 AND owner = $1";

impl Operation for Enqueue {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        for job in &self.jobs {
            insert_job(db, job, self.at_us).await?;
        }
        Ok(())
    }
}

pub(super) async fn insert_job(db: &mut Db, job: &NewJob, at_us: i64) -> Result<(), StoreError> {
    put_job(db, INSERT, job, at_us).await
}

async fn put_job(
    db: &mut Db,
    sql: impl Into<Sql>,
    job: &NewJob,
    at_us: i64,
) -> Result<(), StoreError> {
    let id = job.session_id.as_str();
    let sessions = query(SESSION_EXISTS).bind(id).fetch_one(&mut *db).await?;
    if first::<i64>(&sessions)? == 0 {
        return Err(StoreError::session_missing(&job.session_id));
    }
    query(sql)
        .bind(job.lane.name())
        .bind(&job.kind)
        .bind(id)
        .bind(&job.key)
        .bind(job.rank)
        .bind(job.due_us)
        .bind(at_us)
        .bind(to_bytes(&job.body))
        .execute(&mut *db)
        .await?;
    tell(db, job.lane).await
}

impl Operation for ClaimJobs {
    type Out = Vec<Lease>;

    async fn apply(&self, db: &mut Db) -> Result<Vec<Lease>, StoreError> {
        query(RETURN_EXPIRED)
            .bind(self.lane.name())
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        let (urgent, otherwise) = match self.take.order {
            Order::Newest => (OVERDUE, NEWEST),
            Order::Deadline => (IN_TIME, NEWEST),
        };
        let Some(first) = (match self.first(db, urgent).await? {
            Some(first) => Some(first),
            None => self.first(db, otherwise).await?,
        }) else {
            return Ok(Vec::new());
        };
        let rows = query(CLAIM)
            .bind(&first.session_id)
            .bind(self.lane.name())
            .bind(&first.kind)
            .bind(int(first.round))
            .bind(self.at_us)
            .bind(int(self.at_once(first.round)))
            .bind(self.lease_until_us)
            .bind(&self.owner)
            .bind(first.job_id)
            .fetch_all(db)
            .await?;
        let mut leases = rows
            .iter()
            .map(lease)
            .collect::<Result<Vec<Lease>, StoreError>>()?;
        // RETURNING gives rows in no order that could be relied upon.
        leases.sort_by_key(|lease| lease.job_id);
        Ok(leases)
    }
}

/// The job that goes first.
struct First {
    job_id: i64,
    session_id: String,
    kind: String,
    round: u32,
}

impl ClaimJobs {
    async fn first(&self, db: &mut Db, sql: Sql) -> Result<Option<First>, StoreError> {
        let row = query(sql)
            .bind(self.lane.name())
            .bind(self.at_us)
            .fetch_optional(db)
            .await?;
        let first = |row: &Row| {
            Ok(First {
                job_id: col(row, "job_id")?,
                session_id: col(row, "session_id")?,
                kind: col(row, "kind")?,
                round: natural(row, "round")?,
            })
        };
        row.as_ref().map(first).transpose()
    }

    fn at_once(&self, round: u32) -> u32 {
        let sizes = &self.take.at_once;
        let index = (round.max(1) as usize - 1).min(sizes.len().saturating_sub(1));
        sizes.get(index).copied().unwrap_or(1).max(1)
    }
}

fn lease(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        job_id: col(row, "job_id")?,
        fence: col(row, "fence")?,
        attempts: natural(row, "attempts")?,
        lane: named(row, "lane", Lane::from_name)?,
        kind: col(row, "kind")?,
        session_id: SessionId::from(col::<&str>(row, "session_id")?),
        key: col(row, "key")?,
        rank: col(row, "rank")?,
        due_us: col(row, "due_us")?,
        round: natural(row, "round")?,
        body: body(row)?,
    })
}

impl Operation for Heartbeat {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let kept = query(HEARTBEAT)
            .bind(self.job_id)
            .bind(self.fence)
            .bind(self.lease_until_us)
            .execute(db)
            .await?;
        held(kept, self.job_id)
    }
}

impl Operation for CompleteJob {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let lease = &self.lease;
        head(db, &lease.session_id).await?;
        let done = query(COMPLETE)
            .bind(lease.job_id)
            .bind(lease.fence)
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        held(done, lease.job_id)?;
        insert_results(db, lease, &self.completion, self.at_us).await?;
        for job in &self.completion.jobs {
            insert_job(db, job, self.at_us).await?;
        }
        insert_if_last(db, self.completion.last.as_ref(), self.at_us).await
    }
}

/// Puts what follows the last job of a session, if nothing that it waits for is left.
pub(super) async fn insert_if_last(
    db: &mut Db,
    last: Option<&NewJob>,
    at_us: i64,
) -> Result<(), StoreError> {
    let Some(job) = last else { return Ok(()) };
    head(db, &job.session_id).await?;
    let unfinished = query(UNFINISHED)
        .bind(job.session_id.as_str())
        .fetch_one(&mut *db)
        .await?;
    if first::<i64>(&unfinished)? == 0 {
        put_job(db, INSERT_LAST, job, at_us).await?;
    }
    Ok(())
}

impl Operation for ReplayJobs {
    /// The lanes of the jobs that were put back, one for each.
    type Out = Vec<Lane>;

    async fn apply(&self, db: &mut Db) -> Result<Vec<Lane>, StoreError> {
        let (job_id, lane) = match self.which {
            Replay::Job(job_id) => (Some(job_id), None),
            Replay::Lane(lane) => (None, Some(lane.name())),
            Replay::All => (None, None),
        };
        let rows = query(REPLAY)
            .bind(job_id)
            .bind(lane)
            .bind(self.at_us)
            .fetch_all(&mut *db)
            .await?;
        let lanes = rows
            .iter()
            .map(|row| named(row, "lane", Lane::from_name))
            .collect::<Result<Vec<Lane>, StoreError>>()?;
        for lane in Lane::ALL.into_iter().filter(|lane| lanes.contains(lane)) {
            tell(db, lane).await?;
        }
        Ok(lanes)
    }
}

impl Operation for GiveUpJob {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        head(db, &self.lease.session_id).await?;
        let failed = query(FAIL)
            .bind(self.lease.job_id)
            .bind(self.lease.fence)
            .bind(JobState::Dead.code())
            .bind(self.at_us)
            .bind(Some(self.at_us))
            .bind(&self.error)
            .bind(0_i64)
            .execute(&mut *db)
            .await?;
        held(failed, self.lease.job_id)?;
        insert_if_last(db, self.last.as_ref(), self.at_us).await
    }
}

impl Operation for FailJob {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let (state, not_before_us, ended_at_us) = match self.retry {
            Retry::At(not_before_us) => (JobState::Ready, not_before_us, None),
            Retry::Dead => (JobState::Dead, self.at_us, Some(self.at_us)),
        };
        let refund: i64 = match self.attempt {
            Attempt::Counts => 0,
            Attempt::Free => 1,
        };
        let failed = query(FAIL)
            .bind(self.job_id)
            .bind(self.fence)
            .bind(state.code())
            .bind(not_before_us)
            .bind(ended_at_us)
            .bind(&self.error)
            .bind(refund)
            .execute(db)
            .await?;
        held(failed, self.job_id)
    }
}

impl Operation for ReleaseLeases {
    /// How many were given back.
    type Out = u64;

    async fn apply(&self, db: &mut Db) -> Result<u64, StoreError> {
        query(RELEASE).bind(&self.owner).execute(db).await
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
