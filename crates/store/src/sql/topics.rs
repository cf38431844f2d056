//! Open labels of a study and the themes that they belong to.

use engine::ids::{SessionId, StudyId};

use super::codec::col;
use super::db::{Db, Row, query};
use super::read::Reader;
use crate::error::StoreError;
use crate::results::{NewTheme, OpenTopic, RESEARCHER};

const PUT_LABEL: &str = "
    INSERT INTO open_topic (study_id, label, at_us) SELECT study_id, $2, $3 FROM session WHERE session_id = $1
    ON CONFLICT (study_id, label) DO NOTHING";

const PUT_THEME: &str = "
    UPDATE open_topic SET theme = $3, model = $4, prompt_version = $5
    WHERE study_id = (SELECT study_id FROM session WHERE session_id = $1) AND label = $2
      AND (theme IS NULL OR $6 = 1)";

const OPEN_TOPICS: &str =
    "SELECT label, theme FROM open_topic WHERE study_id = $1 ORDER BY at_us, label";

/// In the order of the labels, so that two nodes that write the same ones wait for each other in one direction.
pub(super) async fn insert_labels(
    db: &mut Db,
    id: &SessionId,
    labels: &[String],
    at_us: i64,
) -> Result<(), StoreError> {
    let mut labels: Vec<&String> = labels.iter().collect();
    labels.sort_unstable();
    for label in labels {
        query(PUT_LABEL)
            .bind(id.as_str())
            .bind(label)
            .bind(at_us)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

pub(super) async fn put_themes(
    db: &mut Db,
    id: &SessionId,
    themes: &[NewTheme],
) -> Result<(), StoreError> {
    let mut themes: Vec<&NewTheme> = themes.iter().collect();
    themes.sort_unstable_by_key(|theme| &theme.label);
    for theme in themes {
        query(PUT_THEME)
            .bind(id.as_str())
            .bind(&theme.label)
            .bind(&theme.theme)
            .bind(&theme.model)
            .bind(&theme.prompt_version)
            .bind(i64::from(theme.model == RESEARCHER))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

impl Reader {
    pub(crate) async fn open_topics(&self, id: &StudyId) -> Result<Vec<OpenTopic>, StoreError> {
        let topic = |row: &Row| {
            Ok(OpenTopic {
                label: col(row, "label")?,
                theme: col(row, "theme")?,
            })
        };
        query(OPEN_TOPICS)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(topic)
            .collect()
    }
}
