//! Reading jobs, for the console.

use std::collections::BTreeMap;

use engine::ids::SessionId;

use super::super::codec::{body, col, named, natural};
use super::super::db::{Row, query};
use super::{Reader, page};
use crate::error::StoreError;
use crate::job::{JobFilter, JobRow, JobState, Lane, LaneDepth};

const JOBS: &str = "
    SELECT job_id, lane, kind, session_id, key, rank, due_us, round, state, attempts, not_before_us, lease_until_us, owner, last_error,
           created_at_us, ended_at_us, body
    FROM job
    WHERE ($1 IS NULL OR lane = $1) AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR session_id = $3)
      AND ($4 IS NULL OR job_id < $4)
    ORDER BY job_id DESC LIMIT $5";

/// Done jobs are not looked at, however many there are.
const DEPTHS: &str = "
    SELECT lane, state, count(*) AS jobs, min(created_at_us) AS oldest_us FROM job WHERE state <> 2 GROUP BY lane, state";

impl Reader {
    pub(crate) async fn depths(&self) -> Result<BTreeMap<Lane, LaneDepth>, StoreError> {
        let rows = query(DEPTHS).fetch_all(&self.pool).await?;
        let mut depths: BTreeMap<Lane, LaneDepth> = Lane::ALL
            .into_iter()
            .map(|lane| (lane, LaneDepth::default()))
            .collect();
        for row in &rows {
            let depth = depths
                .entry(named(row, "lane", Lane::from_name)?)
                .or_default();
            let jobs = natural(row, "jobs")?;
            let oldest_us: Option<i64> = col(row, "oldest_us")?;
            let open = match JobState::from_code(col(row, "state")?) {
                Some(JobState::Ready) => &mut depth.ready,
                Some(JobState::Leased) => &mut depth.leased,
                _ => {
                    depth.dead = jobs;
                    continue;
                }
            };
            *open = jobs;
            depth.oldest_us = [depth.oldest_us, oldest_us].into_iter().flatten().min();
        }
        Ok(depths)
    }

    pub(crate) async fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobRow>, StoreError> {
        let rows = query(JOBS)
            .bind(filter.lane.map(Lane::name))
            .bind(filter.state.map(JobState::code))
            .bind(filter.session_id.as_ref().map(SessionId::as_str))
            .bind(filter.before)
            .bind(page(filter.limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(job_row).collect()
    }
}

fn job_row(row: &Row) -> Result<JobRow, StoreError> {
    let state: i64 = col(row, "state")?;
    Ok(JobRow {
        job_id: col(row, "job_id")?,
        lane: named(row, "lane", Lane::from_name)?,
        kind: col(row, "kind")?,
        session_id: SessionId::from(col::<&str>(row, "session_id")?),
        key: col(row, "key")?,
        rank: col(row, "rank")?,
        due_us: col(row, "due_us")?,
        round: natural(row, "round")?,
        state: JobState::from_code(state)
            .ok_or_else(|| StoreError::corrupt(format!("job state {state}")))?,
        attempts: natural(row, "attempts")?,
        not_before_us: col(row, "not_before_us")?,
        lease_until_us: col(row, "lease_until_us")?,
        owner: col(row, "owner")?,
        last_error: col(row, "last_error")?,
        created_at_us: col(row, "created_at_us")?,
        ended_at_us: col(row, "ended_at_us")?,
        body: body(row)?,
    })
}
