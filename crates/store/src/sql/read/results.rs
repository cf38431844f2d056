//! Reading what the work after an interview brought forth.

use engine::ids::{PhaseId, SessionId, TurnNo};
use serde_json::Value;

use super::super::codec::{body, col, from_bytes, named, natural};
use super::super::db::{Row, Sql, each, query};
use super::super::results::{CodingBody, SegmentBody};
use super::Reader;
use crate::error::StoreError;
use crate::results::{CodingRow, QuoteSpan, RESEARCHER, RecordingRow, SegmentRow, Sentiment};

/// Only these numbers, or all.
macro_rules! segments {
    ($numbers:literal) => {
        concat!(
            "SELECT g.segment_no, g.turn, g.start_ms, g.end_ms, g.phase, g.language, g.body AS segment_body,
                 c.coding_id, c.model, c.prompt_version, c.schema_version, c.sentiment, c.score_permille,
                 c.body AS coding_body, k.sentiment AS corrected, k.at_us AS corrected_at_us, k.body AS correction_body
             FROM segment g
             LEFT JOIN correction k ON k.session_id = g.session_id AND k.segment_no = g.segment_no
             LEFT JOIN coding c ON c.coding_id = (SELECT max(l.coding_id) FROM coding l
                 WHERE l.session_id = g.session_id AND l.segment_no = g.segment_no)
             WHERE g.session_id = $1 AND ($2 IS NULL OR g.segment_no IN (",
            $numbers,
            ")) ORDER BY g.segment_no"
        )
    };
}

const SEGMENTS: Sql = each(
    segments!("SELECT value FROM json_each($2)"),
    segments!("SELECT v::bigint FROM json_array_elements_text($2::json) AS v"),
);

const REPORT: &str = "SELECT body FROM report WHERE session_id = $1";

const RECORDING: &str =
    "SELECT object, duration_ms, bytes, body FROM recording WHERE session_id = $1";

impl Reader {
    pub(crate) async fn segments(
        &self,
        id: &SessionId,
        numbers: Option<&[u32]>,
    ) -> Result<Vec<SegmentRow>, StoreError> {
        query(SEGMENTS)
            .bind(id.as_str())
            .bind(numbers.map(|numbers| serde_json::json!(numbers).to_string()))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(segment_row)
            .collect()
    }

    pub(crate) async fn report(&self, id: &SessionId) -> Result<Option<Value>, StoreError> {
        let row = query(REPORT)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(body).transpose()
    }

    pub(crate) async fn recording(
        &self,
        id: &SessionId,
    ) -> Result<Option<RecordingRow>, StoreError> {
        let row = query(RECORDING)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        let recording = |row: &Row| {
            Ok(RecordingRow {
                object: col(row, "object")?,
                duration_ms: natural(row, "duration_ms")?,
                bytes: natural(row, "bytes")?,
                peaks: from_bytes(col(row, "body")?)?,
            })
        };
        row.as_ref().map(recording).transpose()
    }
}

fn segment_row(row: &Row) -> Result<SegmentRow, StoreError> {
    let body: SegmentBody = from_bytes(col(row, "segment_body")?)?;
    let coding: Option<i64> = col(row, "coding_id")?;
    let coding = coding.map(|_| coding_row(row)).transpose()?;
    let corrected_at_us: Option<i64> = col(row, "corrected_at_us")?;
    Ok(SegmentRow {
        segment_no: natural(row, "segment_no")?,
        turn: TurnNo(natural(row, "turn")?),
        text: body.text,
        start_ms: natural(row, "start_ms")?,
        end_ms: natural(row, "end_ms")?,
        phase: PhaseId::from(col::<&str>(row, "phase")?),
        language: col(row, "language")?,
        coding: match corrected_at_us {
            Some(_) => Some(corrected(row, coding)?),
            None => coding,
        },
        corrected_at_us,
    })
}

/// The researcher's sentiment and topics; the model's quote, and its score where both feel the same.
fn corrected(row: &Row, coded: Option<CodingRow>) -> Result<CodingRow, StoreError> {
    let sentiment = named(row, "corrected", Sentiment::from_name)?;
    let body: CorrectionBody = from_bytes(col(row, "correction_body")?)?;
    let same = coded.as_ref().filter(|coded| coded.sentiment == sentiment);
    Ok(CodingRow {
        sentiment,
        score_permille: same.map_or(0, |coded| coded.score_permille),
        topics: body.topics,
        quote: coded.and_then(|coded| coded.quote),
        model: RESEARCHER.to_owned(),
        prompt_version: String::new(),
        schema_version: String::new(),
    })
}

/// Body of a correction.
#[derive(serde::Deserialize)]
struct CorrectionBody {
    topics: Vec<String>,
}

fn coding_row(row: &Row) -> Result<CodingRow, StoreError> {
    let body: CodingBody = from_bytes(col(row, "coding_body")?)?;
    Ok(CodingRow {
        sentiment: named(row, "sentiment", Sentiment::from_name)?,
        score_permille: natural(row, "score_permille")?,
        topics: body.topics,
        quote: body.quote.map(|quote| QuoteSpan {
            start_char: quote.start_char,
            end_char: quote.end_char,
            text: quote.text,
        }),
        model: col(row, "model")?,
        prompt_version: col(row, "prompt_version")?,
        schema_version: col(row, "schema_version")?,
    })
}
