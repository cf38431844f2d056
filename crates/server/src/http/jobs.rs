//! The work after an interview, as an operator sees it: what waits in each lane, and what was given up.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use engine::ids::SessionId;
use serde::{Deserialize, Serialize};
use store::{JobFilter, JobRow, JobState, Lane, LaneDepth, Replay};
use utoipa::{IntoParams, ToSchema};

use super::auth::Researcher;
use super::error::Problem;
use super::time::rfc3339;
use crate::app::App;

/// Which jobs to list, newest first.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only in this lane: recording, transcript, enrichment, analysis or delivery.
    lane: Option<String>,
    /// Only in this state: ready, leased, done or dead.
    state: Option<String>,
    /// Only of this session.
    session_id: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_before` of the page before.
    before: Option<i64>,
}

/// Which dead letters to put back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    /// All of this lane; all of every lane if absent.
    lane: Option<String>,
}

/// What waits in a lane.
#[derive(Serialize, ToSchema)]
pub(super) struct LaneView {
    /// recording, transcript, enrichment, analysis or delivery.
    lane: &'static str,
    /// Jobs that wait for a worker. In enrichment a job is a segment.
    ready: u64,
    /// Jobs that a worker has.
    leased: u64,
    /// Dead letters: given up, for a person to look at.
    dead: u64,
    /// When the oldest that is not done was put; null if there is none.
    oldest_at: Option<String>,
}

/// One job.
#[derive(Serialize, ToSchema)]
pub(super) struct JobView {
    /// Its number.
    id: i64,
    /// Its lane.
    lane: &'static str,
    /// What is to be done.
    kind: String,
    /// For which session.
    session_id: String,
    /// The segment, in enrichment.
    key: String,
    /// ready, leased, done or dead.
    state: &'static str,
    /// Attempts that count.
    attempts: u32,
    /// How often it is asked.
    round: u32,
    /// What went wrong last.
    last_error: Option<String>,
    /// When it was put.
    created_at: String,
    /// When it was done or given up.
    ended_at: Option<String>,
}

/// `{lanes, stopped}`.
#[derive(Serialize, ToSchema)]
pub(super) struct LanesBody {
    lanes: Vec<LaneView>,
    /// Why no call of the chat endpoint is made; null if calls are made.
    stopped: Option<&'static str>,
}

/// `{jobs, next_before}`.
#[derive(Serialize, ToSchema)]
pub(super) struct JobsBody {
    jobs: Vec<JobView>,
    /// For the next page; null on the last.
    next_before: Option<i64>,
}

/// `{replayed}`.
#[derive(Serialize, ToSchema)]
pub(super) struct ReplayedBody {
    /// How many dead letters were put back.
    replayed: u64,
}

/// What waits in each lane.
#[utoipa::path(get, path = "/api/v1/lanes", operation_id = "lanes", tag = "jobs", security(("console_token" = [])),
    responses((status = 200, body = LanesBody)))]
pub(super) async fn lanes(
    State(app): State<Arc<App>>,
    _: Researcher,
) -> Result<Json<LanesBody>, Problem> {
    let depths = app.store.depths().await?;
    let lanes = depths.iter().map(|(lane, depth)| lane_view(*lane, *depth));
    Ok(Json(LanesBody {
        lanes: lanes.collect(),
        stopped: app.gate.stopped(),
    }))
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "jobs", tag = "jobs", security(("console_token" = [])), params(Filter),
    responses((status = 200, body = JobsBody), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Researcher,
    Query(filter): Query<Filter>,
) -> Result<Json<JobsBody>, Problem> {
    let limit = filter.limit.unwrap_or(50).clamp(1, 200);
    let rows = app
        .store
        .jobs(JobFilter {
            lane: filter.lane.as_deref().map(lane_of).transpose()?,
            state: filter.state.as_deref().map(state_of).transpose()?,
            session_id: filter.session_id.map(SessionId::from),
            before: filter.before,
            limit,
        })
        .await?;
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next_before = rows.last().filter(|_| full).map(|row| row.job_id);
    Ok(Json(JobsBody {
        jobs: rows.into_iter().map(job_view).collect(),
        next_before,
    }))
}

/// Put all dead letters back, or those of one lane. They run as if they had never been tried.
#[utoipa::path(post, path = "/api/v1/jobs/replay", operation_id = "replay_jobs", tag = "jobs", security(("console_token" = [])), request_body = ReplayBody,
    responses((status = 200, body = ReplayedBody), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn replay_all(
    State(app): State<Arc<App>>,
    _: Researcher,
    Json(body): Json<ReplayBody>,
) -> Result<Json<ReplayedBody>, Problem> {
    let which = match body.lane.as_deref() {
        Some(lane) => Replay::Lane(lane_of(lane)?),
        None => Replay::All,
    };
    let replayed = app.store.replay(which).await?;
    Ok(Json(ReplayedBody { replayed }))
}

/// Put one dead letter back. `replayed` is 0 if it is none (any more).
#[utoipa::path(post, path = "/api/v1/jobs/{id}/replay", operation_id = "replay_job", tag = "jobs", security(("console_token" = [])), params(("id" = i64, Path)),
    responses((status = 200, body = ReplayedBody), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn replay_one(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<i64>,
) -> Result<Json<ReplayedBody>, Problem> {
    let replayed = app.store.replay(Replay::Job(id)).await?;
    Ok(Json(ReplayedBody { replayed }))
}

fn lane_view(lane: Lane, depth: LaneDepth) -> LaneView {
    LaneView {
        lane: lane.name(),
        ready: depth.ready,
        leased: depth.leased,
        dead: depth.dead,
        oldest_at: depth.oldest_us.map(rfc3339),
    }
}

fn job_view(row: JobRow) -> JobView {
    JobView {
        id: row.job_id,
        lane: row.lane.name(),
        kind: row.kind,
        session_id: row.session_id.to_string(),
        key: row.key,
        state: row.state.name(),
        attempts: row.attempts,
        round: row.round,
        last_error: row.last_error,
        created_at: rfc3339(row.created_at_us),
        ended_at: row.ended_at_us.map(rfc3339),
    }
}

fn lane_of(name: &str) -> Result<Lane, Problem> {
    Lane::from_name(name).ok_or_else(|| unknown("lane", name, &Lane::ALL.map(Lane::name)))
}

fn state_of(name: &str) -> Result<JobState, Problem> {
    let found = JobState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| unknown("state of a job", name, &JobState::ALL.map(JobState::name)))
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "filter",
        "There is no such lane or state",
        format!("`{name}` is not a {what}."),
        format!("Use one of: {}.", known.join(", ")),
    )
}
