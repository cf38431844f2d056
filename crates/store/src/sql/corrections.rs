//! What researchers say about segments, beside what models said.

use serde_json::json;

use super::apply::Operation;
use super::codec::{first, int, to_bytes};
use super::db::{Db, query};
use super::jobs::insert_if_last;
use crate::error::StoreError;
use crate::op::CorrectSegment;

const SEGMENT_EXISTS: &str =
    "SELECT count(*) FROM segment WHERE session_id = $1 AND segment_no = $2";

const PUT: &str = "
    INSERT INTO correction (session_id, segment_no, sentiment, at_us, body) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id, segment_no) DO UPDATE
    SET sentiment = excluded.sentiment, at_us = excluded.at_us, body = excluded.body";

const FORGET: &str = "DELETE FROM correction WHERE session_id = $1 AND segment_no = $2";

impl Operation for CorrectSegment {
    type Out = ();

    async fn apply(&self, db: &mut Db) -> Result<(), StoreError> {
        let (id, no) = (self.session_id.as_str(), int(self.segment_no));
        let segments = query(SEGMENT_EXISTS)
            .bind(id)
            .bind(no)
            .fetch_one(&mut *db)
            .await?;
        if first::<i64>(&segments)? == 0 {
            let what = format!("segment {} of session {id}", self.segment_no);
            return Err(StoreError::NotFound { what });
        }
        let query = match &self.correction {
            Some(correction) => query(PUT)
                .bind(id)
                .bind(no)
                .bind(correction.sentiment.name())
                .bind(self.at_us)
                .bind(to_bytes(&json!({"topics": correction.topics}))),
            None => query(FORGET).bind(id).bind(no),
        };
        query.execute(&mut *db).await?;
        insert_if_last(db, Some(&self.report), self.at_us).await
    }
}
