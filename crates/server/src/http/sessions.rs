//! Interviews and what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use engine::ids::{SessionId, StudyId};
use engine::session::State as SessionState;
use serde::{Deserialize, Serialize};
use store::{SessionFilter, SessionRow};
use utoipa::{IntoParams, ToSchema};

use super::auth::Researcher;
use super::error::Problem;
use super::participation::not_live;
use super::time::rfc3339;
use super::views::{
    CostComponent, Costs, JournalEntry, RecordingInfo, Segment, SessionDetail, SessionPhase,
    SessionSummary, SessionTopic, Turn, Waveform,
};
use crate::app::App;
use crate::study::Study;

/// Which sessions to list, newest first.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only of this study.
    study_id: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_before` of the page before.
    before: Option<String>,
}

/// `{sessions, next_before}`.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionsBody {
    sessions: Vec<SessionSummary>,
    /// For the next page; null on the last.
    next_before: Option<String>,
}

/// `{session}`.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionBody {
    session: SessionDetail,
}

/// `{turns}`.
#[derive(Serialize, ToSchema)]
pub(super) struct TurnsBody {
    turns: Vec<Turn>,
}

/// `{report}`.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportBody {
    report: crate::work::Report,
}

/// `{costs}`.
#[derive(Serialize, ToSchema)]
pub(super) struct CostsBody {
    costs: Costs,
}

/// `{entries}`.
#[derive(Serialize, ToSchema)]
pub(super) struct JournalBody {
    entries: Vec<JournalEntry>,
}

/// `{waveform}`.
#[derive(Serialize, ToSchema)]
pub(super) struct WaveformBody {
    waveform: Waveform,
}

async fn found(app: &App, id: String) -> Result<(SessionRow, Arc<Study>), Problem> {
    let Some(row) = app.store.session(&SessionId::from(id)).await? else {
        return Err(Problem::not_found("session of that id"));
    };
    let study = study_of(app, &row).await?;
    Ok((row, study))
}

async fn study_of(app: &App, row: &SessionRow) -> Result<Arc<Study>, Problem> {
    let study = app.study(&row.study_id, row.study_version).await?;
    study.ok_or_else(|| {
        Problem::internal(&anyhow::anyhow!("session {} has no study", row.session_id))
    })
}

/// The summary of one session, for the event stream.
pub(super) async fn summary(app: &App, id: &SessionId) -> Option<SessionSummary> {
    let row = app.store.session(id).await.ok()??;
    let study = app.study(&row.study_id, row.study_version).await.ok()??;
    Some(SessionSummary::new(&row, &study))
}

/// Sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "sessions", tag = "sessions", security(("console_token" = [])), params(Filter),
    responses((status = 200, body = SessionsBody), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Researcher,
    Query(filter): Query<Filter>,
) -> Result<Json<SessionsBody>, Problem> {
    let state = match filter.state.as_deref() {
        None | Some("") => None,
        Some(name) => Some(state_of(name)?),
    };
    let limit = filter.limit.unwrap_or(50).clamp(1, 200);
    let study_id = filter
        .study_id
        .filter(|id| !id.is_empty())
        .map(StudyId::from);
    let rows = app
        .store
        .sessions(SessionFilter {
            study_id,
            state,
            before: filter.before.map(SessionId::from),
            limit,
        })
        .await?;
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next_before = rows
        .last()
        .filter(|_| full)
        .map(|row| row.session_id.to_string());
    let mut sessions = Vec::with_capacity(rows.len());
    for row in &rows {
        sessions.push(SessionSummary::new(row, &*study_of(&app, row).await?));
    }
    Ok(Json(SessionsBody {
        sessions,
        next_before,
    }))
}

fn state_of(name: &str) -> Result<SessionState, Problem> {
    use SessionState::{Active, Closing, Ended, Invited, Paused, Waiting};
    [Invited, Waiting, Active, Paused, Closing, Ended]
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| {
            let remedy = "Use one of: invited, waiting, active, paused, closing, ended.";
            Problem::new(
                StatusCode::BAD_REQUEST,
                "state",
                "There is no such state",
                format!("`{name}` is not a state of a session."),
                remedy,
            )
        })
}

/// One session with its phases, questions and recording.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", operation_id = "session", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = SessionBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<SessionBody>, Problem> {
    let (row, study) = found(&app, id).await?;
    let covered: BTreeSet<_> = app
        .store
        .covered(&row.session_id)
        .await?
        .into_iter()
        .map(|covered| covered.topic)
        .collect();
    let phases = app.store.phases(&row.session_id).await?;
    let recording = app.store.recording(&row.session_id).await?;
    let title = |id: &engine::ids::PhaseId| {
        study
            .phase(id)
            .map(|(_, phase)| phase.title.clone())
            .unwrap_or_default()
    };
    // The questions that this session really has: a rehearsal asks fewer.
    let plan = study.plan(row.length, &row.language, engine::cost::Prices::default());
    let topics = plan
        .phases
        .iter()
        .flat_map(|phase| phase.topics.iter().map(move |topic| (phase, topic)));
    let session = SessionDetail {
        summary: SessionSummary::new(&row, &study),
        phases: phases
            .into_iter()
            .map(|phase| SessionPhase {
                title: title(&phase.phase),
                id: phase.phase.to_string(),
                entered_at_ms: phase.entered_at_ms,
            })
            .collect(),
        topics: topics
            .map(|(phase, topic)| SessionTopic {
                id: topic.id.to_string(),
                question: topic.question.clone(),
                phase: phase.id.to_string(),
                covered: covered.contains(&topic.id),
            })
            .collect(),
        recording: recording.map(|recording| RecordingInfo {
            duration_ms: recording.duration_ms,
            bytes: recording.bytes,
        }),
    };
    Ok(Json(SessionBody { session }))
}

/// The conversation in speech order, with codings once they are there.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/turns", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = TurnsBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn turns(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<TurnsBody>, Problem> {
    let (row, study) = found(&app, id).await?;
    let mut segments: BTreeMap<_, Vec<Segment>> = BTreeMap::new();
    for segment in app.store.segments(&row.session_id).await? {
        segments
            .entry(segment.turn)
            .or_default()
            .push(segment.into());
    }
    let turns = app.store.turns(&row.session_id).await?;
    let turns = turns
        .into_iter()
        .map(|turn| {
            let own = segments.remove(&turn.turn).unwrap_or_default();
            Turn::new(turn, &study, own)
        })
        .collect();
    Ok(Json(TurnsBody { turns }))
}

/// The report, once it is ready.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/report", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ReportBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<ReportBody>, Problem> {
    let (row, _) = found(&app, id).await?;
    let Some(value) = app.store.report(&row.session_id).await? else {
        let detail = match row.report {
            store::ReportState::Failed => {
                "A job of this session failed for good; the list of jobs in the log says why."
            }
            store::ReportState::None if row.state != SessionState::Ended => {
                "The interview is not over yet."
            }
            store::ReportState::None => {
                "Nothing was said in this session, so there is nothing to report."
            }
            store::ReportState::Working | store::ReportState::Ready => "It is being written.",
        };
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "report",
            "There is no report yet",
            detail,
            "Watch `report` of the session; it becomes `ready`.",
        ));
    };
    let report = serde_json::from_value(value).map_err(|error| {
        Problem::internal(
            &anyhow::Error::new(error).context("a stored report is of an unknown shape"),
        )
    })?;
    Ok(Json(ReportBody { report }))
}

/// What it cost, by component.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/costs", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = CostsBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn costs(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<CostsBody>, Problem> {
    let (row, _) = found(&app, id).await?;
    let rows = app.store.ledger(&row.session_id).await?;
    let components: Vec<CostComponent> = rows
        .iter()
        .map(|row| CostComponent {
            component: row.component.name(),
            quantity: row.quantity,
            unit: if row.component.name().ends_with("_ms") {
                "milliseconds"
            } else {
                "tokens"
            },
            cost_micro_usd: row.cost_micro_usd,
        })
        .collect();
    let total_micro_usd = components
        .iter()
        .map(|component| component.cost_micro_usd)
        .sum();
    Ok(Json(CostsBody {
        costs: Costs {
            total_micro_usd,
            components,
        },
    }))
}

/// Everything that was committed, in order.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/journal", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = JournalBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn journal(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<JournalBody>, Problem> {
    let (row, _) = found(&app, id).await?;
    let rows = app.store.journal(&row.session_id).await?;
    let entries = rows
        .into_iter()
        .map(|row| JournalEntry {
            seq: row.seq,
            at: rfc3339(row.at_us),
            kind: row.kind,
            body: row.body,
        })
        .collect();
    Ok(Json(JournalBody { entries }))
}

/// Loudness of both tracks over time.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/waveform", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = WaveformBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn waveform(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<WaveformBody>, Problem> {
    let (row, _) = found(&app, id).await?;
    let Some(recording) = app.store.recording(&row.session_id).await? else {
        return Err(Problem::not_found("finished recording"));
    };
    let peaks = recording.peaks;
    let waveform = Waveform {
        ms_per_peak: peaks.ms_per_peak,
        duration_ms: recording.duration_ms,
        participant: peaks.participant,
        interviewer: peaks.interviewer,
    };
    Ok(Json(WaveformBody { waveform }))
}

/// Both tracks as one stereo file: participant left, interviewer right. Parts by `Range`.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/recording", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, content_type = "audio/ogg"), (status = 206, content_type = "audio/ogg"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn recording(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (row, _) = found(&app, id).await?;
    let Some(recording) = app.store.recording(&row.session_id).await? else {
        return Err(Problem::not_found("finished recording"));
    };
    super::recording::serve(&app.store, &recording, &headers).await
}

/// End a running interview: the closing statement is spoken, then it is over.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/end", operation_id = "end_session", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 202), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn end(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (row, _) = found(&app, id).await?;
    app.registry
        .end(&row.session_id)
        .await
        .map_err(|_| not_live())?;
    Ok(StatusCode::ACCEPTED)
}
