//! Studies and their versions.

use super::apply::Operation;
use super::codec::{col, int, natural};
use super::db::{Db, query};
use crate::error::StoreError;
use crate::op::PutStudy;

const LATEST: &str =
    "SELECT version, source_sha256 FROM study WHERE study_id = $1 ORDER BY version DESC LIMIT 1";

const INSERT: &str = "
    INSERT INTO study (study_id, version, title, source, source_sha256, created_at_us) VALUES ($1, $2, $3, $4, $5, $6)";

impl Operation for PutStudy {
    /// The version.
    type Out = u32;

    async fn apply(&self, db: &mut Db) -> Result<u32, StoreError> {
        let id = self.study.study_id.as_str();
        let mut version = 1;
        if let Some(latest) = query(LATEST).bind(id).fetch_optional(&mut *db).await? {
            let latest_version: u32 = natural(&latest, "version")?;
            if col::<&[u8]>(&latest, "source_sha256")? == self.source_sha256 {
                return Ok(latest_version);
            }
            version = latest_version.saturating_add(1);
        }
        query(INSERT)
            .bind(id)
            .bind(int(version))
            .bind(&self.study.title)
            .bind(&self.study.source)
            .bind(&self.source_sha256[..])
            .bind(self.at_us)
            .execute(db)
            .await?;
        Ok(version)
    }
}
