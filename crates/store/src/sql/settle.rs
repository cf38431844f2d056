//! The end of a call that several jobs shared: what became of each of them, in one transaction with what the call cost.

use serde_json::{Value, json};

use super::apply::Operation;
use super::codec::first;
use super::db::{Db, Sql, each, query};
use super::jobs::{insert_if_last, insert_job};
use super::postgres::tell;
use super::results::{insert_coding, insert_job_charges, insert_second};
use super::sessions::head;
use crate::error::StoreError;
use crate::job::{Fate, JobState, Lease};
use crate::op::SettleJobs;

const SETTLE: Sql = each(
    "UPDATE job
    SET state = f.value ->> 2, round = f.value ->> 3, not_before_us = f.value ->> 4, ended_at_us = f.value ->> 5,
        last_error = f.value ->> 6, attempts = CASE WHEN (f.value ->> 2) = 0 THEN 0 ELSE attempts END, lease_until_us = NULL
    FROM json_each($1) AS f
    WHERE job_id = f.value ->> 0 AND fence = f.value ->> 1 AND state = 1
    RETURNING job_id",
    "UPDATE job
    SET state = (f ->> 2)::bigint, round = (f ->> 3)::bigint, not_before_us = (f ->> 4)::bigint,
        ended_at_us = (f ->> 5)::bigint, last_error = f ->> 6,
        attempts = CASE WHEN (f ->> 2)::bigint = 0 THEN 0 ELSE attempts END, lease_until_us = NULL
    FROM json_array_elements($1::json) AS f
    WHERE job_id = (f ->> 0)::bigint AND fence = (f ->> 1)::bigint AND state = 1
    RETURNING job_id",
);

const CHARGED: &str =
    "SELECT count(*) FROM ledger WHERE session_id = $1 AND job_id = $2 AND at_us = $3";

impl Operation for SettleJobs {
    /// How many of the leases were still held.
    type Out = usize;

    async fn apply(&self, db: &mut Db) -> Result<usize, StoreError> {
        let Some(any) = self.leases.first() else {
            return Ok(0);
        };
        let id = &any.session_id;
        head(db, id).await?;
        if !(self.again && self.is_charged(db, any).await?) {
            insert_job_charges(db, any, &self.settlement.charges, self.at_us).await?;
        }
        let rows: Vec<Value> = self
            .settlement
            .fates
            .iter()
            .filter_map(|(job_id, fate)| self.fate_row(*job_id, fate))
            .collect();
        let rows = query(SETTLE)
            .bind(Value::Array(rows).to_string())
            .fetch_all(&mut *db)
            .await?;
        let held = rows
            .iter()
            .map(first)
            .collect::<Result<Vec<i64>, StoreError>>()?;
        for (job_id, fate) in &self.settlement.fates {
            if let (true, Fate::Done(Some(coding))) = (held.contains(job_id), fate) {
                insert_coding(db, id, coding, self.at_us).await?;
            }
        }
        for second in &self.settlement.seconds {
            insert_second(db, id, second, self.at_us).await?;
        }
        for job in &self.settlement.jobs {
            insert_job(db, job, self.at_us).await?;
        }
        insert_if_last(db, self.settlement.last.as_ref(), self.at_us).await?;
        tell(db, any.lane).await?;
        Ok(held.len())
    }
}

impl SettleJobs {
    /// Whether the try before was kept: then a charge of its very moment is on record.
    async fn is_charged(&self, db: &mut Db, lease: &Lease) -> Result<bool, StoreError> {
        let charged = query(CHARGED)
            .bind(lease.session_id.as_str())
            .bind(lease.job_id)
            .bind(self.at_us)
            .fetch_one(db)
            .await?;
        Ok(first::<i64>(&charged)? > 0)
    }

    /// A job's row in [`SETTLE`]; none for one that was not leased here.
    fn fate_row(&self, job_id: i64, fate: &Fate) -> Option<Value> {
        let lease = self.leases.iter().find(|lease| lease.job_id == job_id)?;
        let (state, round, not_before_us, ended_at_us, error) = match fate {
            Fate::Done(_) => (
                JobState::Done,
                lease.round,
                self.at_us,
                Some(self.at_us),
                None,
            ),
            Fate::Again {
                round,
                not_before_us,
                reason,
            } => (JobState::Ready, *round, *not_before_us, None, Some(reason)),
            Fate::Dead(reason) => (
                JobState::Dead,
                lease.round,
                self.at_us,
                Some(self.at_us),
                Some(reason),
            ),
        };
        let code = state.code();
        Some(json!([
            job_id,
            lease.fence,
            code,
            round,
            not_before_us,
            ended_at_us,
            error
        ]))
    }
}
