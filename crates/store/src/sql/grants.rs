//! Issuing grants and redeeming each once.

use engine::ids::SessionId;

use super::Reader;
use super::apply::Operation;
use super::codec::{col, int};
use super::db::{Db, Row, Sql, each, query};
use super::sessions::head;
use crate::error::StoreError;
use crate::op::{IssueGrant, RedeemGrant, ReturnGrant};
use crate::rows::{GrantRow, Redeemed};

/// Of the used grants of a session so many are kept. Chosen by feel: a page forgets a grant as soon as it was refused.
const USED_KEPT: u32 = 8;

const GRANT: &str = "SELECT grant_hash, session_id, issued_at_us, used_at_us FROM session_grant WHERE grant_hash = $1";

/// The one statement that decides who of two is first.
const REDEEM: &str = "
    UPDATE session_grant SET used_at_us = $3 WHERE grant_hash = $1 AND session_id = $2 AND used_at_us IS NULL";

const REPLACE: &str =
    "UPDATE session_grant SET used_at_us = $2 WHERE session_id = $1 AND used_at_us IS NULL";

const ISSUE: &str =
    "INSERT INTO session_grant (grant_hash, session_id, issued_at_us) VALUES ($1, $2, $3)";

/// By the order in which they were issued, because the clock may have been set back.
const FORGET: Sql = each(
    "DELETE FROM session_grant WHERE session_id = $1 AND used_at_us IS NOT NULL AND rowid NOT IN
        (SELECT rowid FROM session_grant WHERE session_id = $1 AND used_at_us IS NOT NULL ORDER BY rowid DESC LIMIT $2)",
    "DELETE FROM session_grant WHERE session_id = $1 AND used_at_us IS NOT NULL AND grant_no NOT IN
        (SELECT grant_no FROM session_grant WHERE session_id = $1 AND used_at_us IS NOT NULL
         ORDER BY grant_no DESC LIMIT $2)",
);

/// Not if the next one is gone or was used: somebody else has come meanwhile.
const TAKE_NEXT_BACK: &str =
    "DELETE FROM session_grant WHERE grant_hash = $1 AND used_at_us IS NULL";

const RETURN: &str = "UPDATE session_grant SET used_at_us = NULL WHERE grant_hash = $1";

impl Operation for IssueGrant {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        head(db, &self.session_id).await?;
        issue(db, &self.session_id, &self.next_hash, self.at_us).await
    }
}

impl Operation for RedeemGrant {
    type Out = Redeemed;

    async fn apply(&self, db: &mut Db) -> Result<Redeemed, StoreError> {
        let used = query(REDEEM)
            .bind(&self.grant_hash[..])
            .bind(self.session_id.as_str())
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        if used == 0 {
            return Ok(Redeemed::Before);
        }
        issue(db, &self.session_id, &self.next_hash, self.at_us).await?;
        Ok(Redeemed::Now)
    }
}

impl Operation for ReturnGrant {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let taken_back = query(TAKE_NEXT_BACK)
            .bind(&self.next_hash[..])
            .execute(&mut *db)
            .await?;
        if taken_back == 1 {
            query(RETURN).bind(&self.grant_hash[..]).execute(db).await?;
        }
        Ok(())
    }
}

async fn issue(db: &mut Db, id: &SessionId, hash: &[u8; 32], at_us: i64) -> Result<(), StoreError> {
    query(REPLACE)
        .bind(id.as_str())
        .bind(at_us)
        .execute(&mut *db)
        .await?;
    query(ISSUE)
        .bind(&hash[..])
        .bind(id.as_str())
        .bind(at_us)
        .execute(&mut *db)
        .await?;
    query(FORGET)
        .bind(id.as_str())
        .bind(int(USED_KEPT))
        .execute(db)
        .await?;
    Ok(())
}

impl Reader {
    pub(crate) async fn grant(&self, hash: &[u8; 32]) -> Result<Option<GrantRow>, StoreError> {
        let row = query(GRANT)
            .bind(&hash[..])
            .fetch_optional(self.pool())
            .await?;
        row.as_ref().map(grant_row).transpose()
    }
}

fn grant_row(row: &Row) -> Result<GrantRow, StoreError> {
    let hash: &[u8] = col(row, "grant_hash")?;
    let grant_hash = hash
        .try_into()
        .map_err(|_| StoreError::corrupt("the hash of a grant does not have 32 bytes"))?;
    Ok(GrantRow {
        grant_hash,
        session_id: SessionId::from(col::<&str>(row, "session_id")?),
        issued_at_us: col(row, "issued_at_us")?,
        used_at_us: col(row, "used_at_us")?,
    })
}
