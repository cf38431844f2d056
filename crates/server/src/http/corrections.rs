//! A researcher's word about a segment, which stands over what a model said.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::ids::SessionId;
use serde::Deserialize;
use store::{NewCorrection, Sentiment};
use utoipa::ToSchema;

use super::auth::Researcher;
use super::error::Problem;
use crate::app::App;
use crate::work::report_again;

/// Topics of one segment at most, and characters of an open label.
const TOPICS_MAX: usize = 8;
const LABEL_CHARS_MAX: usize = 60;

/// What the segment says, according to a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrectionBody {
    /// negative, neutral, positive or mixed.
    sentiment: String,
    /// Ids of the study's codebook; without one, short labels.
    topics: Vec<String>,
}

/// Correct a segment's coding. It stands over any coding by a model, also a later one; the report is made again.
#[utoipa::path(put, path = "/api/v1/sessions/{id}/segments/{segment}/correction", operation_id = "correct_segment", tag = "sessions", security(("console_token" = [])),
    params(("id" = String, Path), ("segment" = u32, Path)), request_body = CorrectionBody,
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path((id, segment)): Path<(String, u32)>,
    Json(body): Json<CorrectionBody>,
) -> Result<StatusCode, Problem> {
    let id = SessionId::from(id);
    let correction = checked(&app, &id, body).await?;
    keep(&app, &id, segment, Some(correction)).await
}

/// Take a correction back: what the model said stands again.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/segments/{segment}/correction", operation_id = "withdraw_correction", tag = "sessions", security(("console_token" = [])),
    params(("id" = String, Path), ("segment" = u32, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path((id, segment)): Path<(String, u32)>,
) -> Result<StatusCode, Problem> {
    keep(&app, &SessionId::from(id), segment, None).await
}

async fn keep(
    app: &App,
    id: &SessionId,
    segment: u32,
    correction: Option<NewCorrection>,
) -> Result<StatusCode, Problem> {
    let known = app.store.some_segments(id, &[segment]).await?;
    if known.is_empty() {
        return Err(Problem::not_found("segment of that number in that session"));
    }
    let report = report_again(id, app.store.now_us());
    app.store
        .correct_segment(id, segment, correction, report)
        .await?;
    app.changed(id);
    Ok(StatusCode::NO_CONTENT)
}

async fn checked(
    app: &App,
    id: &SessionId,
    body: CorrectionBody,
) -> Result<NewCorrection, Problem> {
    let names = Sentiment::ALL.map(Sentiment::name);
    let Some(sentiment) = Sentiment::from_name(&body.sentiment) else {
        let detail = format!("`{}` is no sentiment.", body.sentiment);
        return Err(wrong(detail, &format!("Use one of: {}.", names.join(", "))));
    };
    let Some(session) = app.store.session(id).await? else {
        return Err(Problem::not_found("session of that id"));
    };
    let study = app.study(&session.study_id, session.study_version).await?;
    let codes: Vec<String> = study
        .iter()
        .flat_map(|study| study.codebook.iter().map(|code| code.id.clone()))
        .collect();
    let mut topics: Vec<String> = Vec::new();
    for topic in body.topics {
        let topic = topic.trim().to_owned();
        let open = !topic.is_empty() && topic.chars().count() <= LABEL_CHARS_MAX;
        if codes.is_empty() && !open {
            let detail = format!("A topic is empty or longer than {LABEL_CHARS_MAX} characters.");
            return Err(wrong(detail, "Use a few words."));
        }
        if !codes.is_empty() && !codes.contains(&topic) {
            let detail = format!("`{topic}` is not in the codebook of the study.");
            return Err(wrong(detail, &format!("Use any of: {}.", codes.join(", "))));
        }
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    if topics.len() > TOPICS_MAX {
        let detail = format!("A segment has at most {TOPICS_MAX} topics.");
        return Err(wrong(detail, "Keep those that matter most."));
    }
    Ok(NewCorrection { sentiment, topics })
}

fn wrong(detail: String, remedy: &str) -> Problem {
    let title = "The correction cannot be kept";
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "correction",
        title,
        detail,
        remedy,
    )
}
