//! Taking up a session again that ended because nobody came back.

use super::apply::Operation;
use super::codec::int;
use super::db::{Db, query};
use super::journal::insert_entry;
use super::sessions::head;
use crate::body;
use crate::error::StoreError;
use crate::op::ReopenSession;

/// Only an interview that was left unfinished; the work after it need not be done.
const REOPEN: &str = "
    UPDATE session
    SET state = 'paused', outcome = NULL, ended_at_us = NULL, duration_ms = NULL, finished_at_us = NULL, last_seq = $2,
        epoch = epoch + 1
    WHERE session_id = $1 AND state = 'ended' AND outcome = 'partial' AND finished_at_us IS NOT NULL";

/// What followed from the end, in the order in which it hangs together. Made again at the next end; what it cost stays in
/// the ledger. A worker that holds one of these jobs finds it gone and commits nothing.
const CLEAR: [&str; 5] = [
    "DELETE FROM job WHERE session_id = $1",
    "DELETE FROM report WHERE session_id = $1",
    "DELETE FROM coding WHERE session_id = $1",
    "DELETE FROM segment WHERE session_id = $1",
    "DELETE FROM recording WHERE session_id = $1",
];

impl Operation for ReopenSession {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let id = &self.session_id;
        let seq = head(db, id).await?.last_seq.saturating_add(1);
        let changed = query(REOPEN)
            .bind(id.as_str())
            .bind(int(seq))
            .execute(&mut *db)
            .await?;
        if changed == 0 {
            return Err(StoreError::Conflict {
                what: format!("session {id} did not end in a way that can be taken up again"),
            });
        }
        for clear in CLEAR {
            query(clear).bind(id.as_str()).execute(&mut *db).await?;
        }
        let body = serde_json::json!({"v": 1});
        insert_entry(db, id, seq, self.at_us, body::REOPENED, &body).await
    }
}
