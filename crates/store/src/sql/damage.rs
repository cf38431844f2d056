//! Setting a damaged entry aside.

use super::apply::Operation;
use super::codec::{int, to_bytes};
use super::db::{Db, query};
use crate::body;
use crate::error::StoreError;
use crate::op::SetAside;

/// Only the last entry: what was written after a damaged one may hang on it.
const KEEP: &str = "
    INSERT INTO damaged_entry (session_id, seq, at_us, kind, body, found_at_us)
    SELECT session_id, seq, at_us, kind, body, $3 FROM journal
    WHERE session_id = $1 AND seq = $2 AND seq = (SELECT max(seq) FROM journal WHERE session_id = $1)";

const REPLACE: &str = "UPDATE journal SET kind = $3, body = $4 WHERE session_id = $1 AND seq = $2";

impl Operation for SetAside {
    /// Whether it was done: not if more was written since.
    type Out = bool;

    async fn apply(&self, db: &mut Db) -> Result<bool, StoreError> {
        let kept = query(KEEP)
            .bind(self.session_id.as_str())
            .bind(int(self.seq))
            .bind(self.at_us)
            .execute(&mut *db)
            .await?;
        if kept == 0 {
            return Ok(false);
        }
        let marker = serde_json::json!({"v": 1, "kind": self.kind});
        query(REPLACE)
            .bind(self.session_id.as_str())
            .bind(int(self.seq))
            .bind(body::SET_ASIDE)
            .bind(to_bytes(&marker))
            .execute(db)
            .await?;
        Ok(true)
    }
}
