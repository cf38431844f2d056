//! Reading studies, sessions and what a session's journal says.

use engine::cost::Component;
use engine::ids::{PhaseId, SessionId, StudyId, TopicId, TurnNo};

use super::super::codec::{body, col, from_bytes, named, natural, natural_or_none};
use super::super::db::{Row, Sql, each, query};
use super::{Reader, page};
use crate::error::StoreError;
use crate::names;
use crate::results::SecondRow;
use crate::rows::{
    ChunkRow, Consent, CoveredTopic, Epoch, JournalRow, LedgerRow, Length, PhaseRow, ReportState,
    SessionFilter, SessionRow, StudyRow, TurnRow,
};

/// `sqlx` takes literals only; this joins them at compile time.
macro_rules! study_rows {
    ($rest:literal) => {
        concat!(
            "SELECT study_id, version, title, source, created_at_us,
                 (SELECT count(*) FROM session s WHERE s.study_id = study.study_id) AS sessions,
                 (SELECT count(*) FROM session s WHERE s.study_id = study.study_id
                  AND s.state IN ('waiting', 'active', 'paused', 'closing')) AS live,
                 (SELECT count(*) FROM session s WHERE s.study_id = study.study_id
                  AND s.state = 'ended' AND s.outcome = 'complete') AS completed
             FROM study ",
            $rest
        )
    };
}

const STUDIES: &str = study_rows!(
    "WHERE version = (SELECT max(version) FROM study latest WHERE latest.study_id = study.study_id) ORDER BY study_id"
);

const STUDY: &str = study_rows!(
    "WHERE study_id = $1 AND ($2 IS NULL OR version = $2) ORDER BY version DESC LIMIT 1"
);

macro_rules! session_rows {
    ($rest:literal) => {
        concat!(
            "SELECT s.session_id, s.study_id, s.study_version, st.title AS study_title, s.language, s.length, s.external_id,
                 s.state, s.phase, s.outcome, s.consent, s.cost_micro_usd, s.turns, s.first_voice_ms, s.duration_ms,
                 s.owner, s.epoch, s.last_seq, s.created_at_us, s.started_at_us, s.ended_at_us, s.expires_at_us,
                 CASE s.state WHEN 'paused' THEN (SELECT j.at_us FROM journal j WHERE j.session_id = s.session_id
                      AND j.kind IN ('paused', 'set_aside') ORDER BY j.seq DESC LIMIT 1) END AS paused_at_us,
                 CASE
                     WHEN EXISTS (SELECT 1 FROM report r WHERE r.session_id = s.session_id) THEN 'ready'
                     WHEN EXISTS (SELECT 1 FROM job j WHERE j.session_id = s.session_id AND j.state IN (0, 1)) THEN 'working'
                     WHEN EXISTS (SELECT 1 FROM job j WHERE j.session_id = s.session_id AND j.state = 3) THEN 'failed'
                     ELSE 'none'
                 END AS report
             FROM session s JOIN study st ON st.study_id = s.study_id AND st.version = s.study_version ",
            $rest
        )
    };
}

const SESSION: &str = session_rows!("WHERE s.session_id = $1");

const SESSION_BY_LINK: &str = session_rows!("WHERE s.link_hash = $1");

const SESSIONS: &str = session_rows!(
    "WHERE ($1 IS NULL OR s.study_id = $1) AND ($2 IS NULL OR s.state = $2)
       AND ($3 IS NULL OR (s.created_at_us, s.session_id) <
            (SELECT b.created_at_us, b.session_id FROM session b WHERE b.session_id = $3))
     ORDER BY s.created_at_us DESC, s.session_id DESC LIMIT $4"
);

/// What nobody else runs: SQLite has one process, which may have had another name.
const UNFINISHED: Sql = each(
    session_rows!(
        "WHERE s.finished_at_us IS NULL AND s.state <> 'invited' AND $1 IS NOT NULL ORDER BY s.session_id"
    ),
    session_rows!(
        "WHERE s.finished_at_us IS NULL AND s.state <> 'invited' AND (s.owner IS NULL OR s.owner = $1)
         ORDER BY s.session_id"
    ),
);

/// Participant turns are more by $1 than those that are cut.
///
/// "+ 0" keeps SQLite from walking through all sessions in the order of their creation: only those that are not finished
/// are looked at, by their index (0.01 instead of 20 ms with 100,000 that are).
const TO_CUT: &str = session_rows!(
    "WHERE s.finished_at_us IS NULL AND s.state <> 'invited'
       AND (SELECT count(*) FROM turn t WHERE t.session_id = s.session_id AND t.speaker = 'participant')
         >= $1 + (SELECT count(DISTINCT g.turn) FROM segment g WHERE g.session_id = s.session_id)
     ORDER BY s.created_at_us + 0, s.session_id"
);

const JOURNAL: &str =
    "SELECT seq, at_us, kind, body FROM journal WHERE session_id = $1 ORDER BY seq";

const TURNS: &str = "
    SELECT t.turn, t.speaker, t.phase, t.start_ms, t.end_ms, t.ending, t.body, s.model, s.body AS second
    FROM turn t LEFT JOIN second_transcript s ON s.session_id = t.session_id AND s.turn = t.turn
    WHERE t.session_id = $1 ORDER BY t.start_ms, t.turn";

/// The last $3 that began before $2, newest first.
const TURNS_BEFORE: &str = "
    SELECT t.turn, t.speaker, t.phase, t.start_ms, t.end_ms, t.ending, t.body, s.model, s.body AS second
    FROM turn t LEFT JOIN second_transcript s ON s.session_id = t.session_id AND s.turn = t.turn
    WHERE t.session_id = $1 AND t.start_ms < $2 ORDER BY t.start_ms DESC, t.turn DESC LIMIT $3";

const LAST_TURN: &str = "SELECT max(turn) AS turn FROM turn WHERE session_id = $1";

const PHASES: &str =
    "SELECT body FROM journal WHERE session_id = $1 AND kind = 'phase_entered' ORDER BY seq";

const COVERED: &str =
    "SELECT topic, phase, at_ms FROM covered_topic WHERE session_id = $1 ORDER BY at_ms, topic";

const LEDGER: &str = "
    SELECT component, CAST(sum(quantity) AS BIGINT) AS quantity, CAST(sum(cost_micro_usd) AS BIGINT) AS cost_micro_usd,
           count(*) AS charges
    FROM ledger WHERE session_id = $1 GROUP BY component";

const CHUNKS: &str =
    "SELECT no, start_ms, end_ms, bytes FROM chunk WHERE session_id = $1 ORDER BY no";

impl Reader {
    pub(crate) async fn studies(&self) -> Result<Vec<StudyRow>, StoreError> {
        query(STUDIES)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(study_row)
            .collect()
    }

    pub(crate) async fn study(
        &self,
        id: &StudyId,
        version: Option<u32>,
    ) -> Result<Option<StudyRow>, StoreError> {
        let row = query(STUDY)
            .bind(id.as_str())
            .bind(version)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(study_row).transpose()
    }

    pub(crate) async fn session(&self, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let row = query(SESSION)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(session_row).transpose()
    }

    pub(crate) async fn session_by_link(
        &self,
        link_hash: &[u8; 32],
    ) -> Result<Option<SessionRow>, StoreError> {
        let row = query(SESSION_BY_LINK)
            .bind(&link_hash[..])
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(session_row).transpose()
    }

    pub(crate) async fn sessions(
        &self,
        filter: &SessionFilter,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let rows = query(SESSIONS)
            .bind(filter.study_id.as_ref().map(StudyId::as_str))
            .bind(filter.state.map(engine::session::State::name))
            .bind(filter.before.as_ref().map(SessionId::as_str))
            .bind(page(filter.limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(session_row).collect()
    }

    pub(crate) async fn unfinished_sessions(
        &self,
        node: &str,
    ) -> Result<Vec<SessionRow>, StoreError> {
        query(UNFINISHED)
            .bind(node)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(session_row)
            .collect()
    }

    pub(crate) async fn sessions_to_cut(&self, least: u32) -> Result<Vec<SessionRow>, StoreError> {
        query(TO_CUT)
            .bind(i64::from(least))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(session_row)
            .collect()
    }

    pub(crate) async fn journal(&self, id: &SessionId) -> Result<Vec<JournalRow>, StoreError> {
        let rows = query(JOURNAL)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let entry = |row: &Row| {
            Ok(JournalRow {
                seq: natural(row, "seq")?,
                at_us: col(row, "at_us")?,
                kind: col(row, "kind")?,
                body: body(row)?,
            })
        };
        rows.iter().map(entry).collect()
    }

    /// The journal as it is kept, readable or not.
    pub(crate) async fn raw_journal(&self, id: &SessionId) -> Result<Vec<RawEntry>, StoreError> {
        let rows = query(JOURNAL)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let entry = |row: &Row| {
            Ok(RawEntry {
                seq: natural(row, "seq")?,
                kind: col(row, "kind")?,
                body: col(row, "body")?,
            })
        };
        rows.iter().map(entry).collect()
    }

    pub(crate) async fn last_turn(&self, id: &SessionId) -> Result<Option<TurnNo>, StoreError> {
        let row = query(LAST_TURN)
            .bind(id.as_str())
            .fetch_one(&self.pool)
            .await?;
        Ok(natural_or_none(&row, "turn")?.map(TurnNo))
    }

    pub(crate) async fn turns(&self, id: &SessionId) -> Result<Vec<TurnRow>, StoreError> {
        query(TURNS)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(turn_row)
            .collect()
    }

    pub(crate) async fn turns_before(
        &self,
        id: &SessionId,
        start_ms: u64,
        count: u32,
    ) -> Result<Vec<TurnRow>, StoreError> {
        let rows = query(TURNS_BEFORE)
            .bind(id.as_str())
            .bind(i64::try_from(start_ms).unwrap_or(i64::MAX))
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().rev().map(turn_row).collect()
    }

    pub(crate) async fn phases(&self, id: &SessionId) -> Result<Vec<PhaseRow>, StoreError> {
        let rows = query(PHASES)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let phase = |row: &Row| {
            let body: PhaseBody = from_bytes(col(row, "body")?)?;
            Ok(PhaseRow {
                phase: body.phase.into(),
                entered_at_ms: body.timeline_ms,
                cause: body.cause,
            })
        };
        rows.iter().map(phase).collect()
    }

    pub(crate) async fn covered(&self, id: &SessionId) -> Result<Vec<CoveredTopic>, StoreError> {
        let rows = query(COVERED)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let covered = |row: &Row| {
            Ok(CoveredTopic {
                topic: TopicId::from(col::<&str>(row, "topic")?),
                phase: PhaseId::from(col::<&str>(row, "phase")?),
                at_ms: natural(row, "at_ms")?,
            })
        };
        rows.iter().map(covered).collect()
    }

    /// In the order in which a bill lists components.
    pub(crate) async fn ledger(&self, id: &SessionId) -> Result<Vec<LedgerRow>, StoreError> {
        let rows = query(LEDGER)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let sum = |row: &Row| {
            Ok(LedgerRow {
                component: named(row, "component", Component::from_name)?,
                quantity: natural(row, "quantity")?,
                cost_micro_usd: col(row, "cost_micro_usd")?,
                rows: natural(row, "charges")?,
            })
        };
        let mut sums = rows
            .iter()
            .map(sum)
            .collect::<Result<Vec<LedgerRow>, StoreError>>()?;
        sums.sort_by_key(|row| row.component);
        Ok(sums)
    }

    pub(crate) async fn chunks(&self, id: &SessionId) -> Result<Vec<ChunkRow>, StoreError> {
        let rows = query(CHUNKS)
            .bind(id.as_str())
            .fetch_all(&self.pool)
            .await?;
        let chunk = |row: &Row| {
            Ok(ChunkRow {
                no: natural(row, "no")?,
                start_ms: natural(row, "start_ms")?,
                end_ms: natural(row, "end_ms")?,
                bytes: natural(row, "bytes")?,
            })
        };
        rows.iter().map(chunk).collect()
    }
}

/// An entry of a journal as it is kept.
pub(crate) struct RawEntry {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
}

fn study_row(row: &Row) -> Result<StudyRow, StoreError> {
    Ok(StudyRow {
        study_id: StudyId::from(col::<&str>(row, "study_id")?),
        version: natural(row, "version")?,
        title: col(row, "title")?,
        source: col(row, "source")?,
        created_at_us: col(row, "created_at_us")?,
        sessions: natural(row, "sessions")?,
        live: natural(row, "live")?,
        completed: natural(row, "completed")?,
    })
}

fn session_row(row: &Row) -> Result<SessionRow, StoreError> {
    let outcome: Option<&str> = col(row, "outcome")?;
    Ok(SessionRow {
        session_id: SessionId::from(col::<&str>(row, "session_id")?),
        study_id: StudyId::from(col::<&str>(row, "study_id")?),
        study_version: natural(row, "study_version")?,
        study_title: col(row, "study_title")?,
        language: col(row, "language")?,
        length: named(row, "length", Length::from_name)?,
        external_id: col(row, "external_id")?,
        state: named(row, "state", names::state)?,
        phase: col::<Option<&str>>(row, "phase")?.map(PhaseId::from),
        outcome: outcome
            .map(|_| named(row, "outcome", names::outcome))
            .transpose()?,
        consent: named(row, "consent", Consent::from_name)?,
        cost_micro_usd: col(row, "cost_micro_usd")?,
        turns: natural(row, "turns")?,
        first_voice_ms: natural_or_none(row, "first_voice_ms")?,
        duration_ms: natural_or_none(row, "duration_ms")?,
        owner: col(row, "owner")?,
        epoch: Epoch(col(row, "epoch")?),
        last_seq: natural(row, "last_seq")?,
        created_at_us: col(row, "created_at_us")?,
        started_at_us: col(row, "started_at_us")?,
        paused_at_us: col(row, "paused_at_us")?,
        ended_at_us: col(row, "ended_at_us")?,
        expires_at_us: col(row, "expires_at_us")?,
        report: named(row, "report", ReportState::from_name)?,
    })
}

fn turn_row(row: &Row) -> Result<TurnRow, StoreError> {
    let body: TurnBody = from_bytes(col(row, "body")?)?;
    Ok(TurnRow {
        turn: TurnNo(natural(row, "turn")?),
        speaker: named(row, "speaker", names::speaker)?,
        phase: PhaseId::from(col::<&str>(row, "phase")?),
        start_ms: natural(row, "start_ms")?,
        end_ms: natural(row, "end_ms")?,
        text: body.text,
        unheard: body.unheard,
        ending: named(row, "ending", names::ending)?,
        second: second_row(row)?,
    })
}

fn second_row(row: &Row) -> Result<Option<SecondRow>, StoreError> {
    let Some(model) = col::<Option<String>>(row, "model")? else {
        return Ok(None);
    };
    let body: SecondBody = from_bytes(col(row, "second")?)?;
    Ok(Some(SecondRow {
        text: body.text,
        model,
    }))
}

/// Body of a second transcript's row.
#[derive(serde::Deserialize)]
struct SecondBody {
    text: String,
}

/// Body of a turn's row.
#[derive(serde::Deserialize)]
struct TurnBody {
    text: String,
    unheard: String,
}

/// Body of a `phase_entered` entry.
#[derive(serde::Deserialize)]
struct PhaseBody {
    phase: String,
    cause: String,
    timeline_ms: u64,
}
