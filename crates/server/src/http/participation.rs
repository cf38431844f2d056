//! A participant's page: read, consent, connect (WHIP, RFC 9725), ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use engine::ids::PeerNo;
use engine::session::{Request, State as SessionState};
use serde::{Deserialize, Serialize};
use store::{Consent, SessionRow};
use utoipa::ToSchema;

use super::auth::Participant;
use super::error::Problem;
use super::grant::Entrance;
use super::views::Participation;
use crate::app::App;
use crate::secrets::hash;
use crate::session::{Begun, OfferRefusal, Start, returnable_until};
use crate::study::Study;

/// `{participation}`.
#[derive(Serialize, ToSchema)]
pub(super) struct ParticipationBody {
    participation: Participation,
}

/// The participant's decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentBody {
    accepted: bool,
}

/// What the participant asks for when the data channel is not there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestBody {
    /// mute, unmute, repeat or end.
    request: RequestName,
}

/// What can be asked.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestName {
    /// The microphone is off.
    Mute,
    /// The microphone is on.
    Unmute,
    /// Say it again.
    Repeat,
    /// End the interview.
    End,
}

async fn study_of(app: &App, row: &SessionRow) -> Result<Arc<Study>, Problem> {
    let study = app.study(&row.study_id, row.study_version).await?;
    study.ok_or_else(|| {
        Problem::internal(&anyhow::anyhow!("session {} has no study", row.session_id))
    })
}

async fn view(
    app: &App,
    row: &SessionRow,
    study: &Study,
) -> Result<Json<ParticipationBody>, Problem> {
    let until = returnable_until(&app.store, row, study).await?;
    Ok(Json(ParticipationBody {
        participation: Participation::new(row, study, until),
    }))
}

/// The session of this link.
#[utoipa::path(get, path = "/api/v1/participation", operation_id = "participation", tag = "participation", security(("link_secret" = [])),
    responses((status = 200, body = ParticipationBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
) -> Result<Json<ParticipationBody>, Problem> {
    let study = study_of(&app, &row).await?;
    if row.state == SessionState::Invited && expired(&app, &row) {
        return Err(lapsed());
    }
    view(&app, &row, &study).await
}

/// Give or decline consent. The same decision again changes nothing.
#[utoipa::path(post, path = "/api/v1/participation/consent", tag = "participation", security(("link_secret" = [])), request_body = ConsentBody,
    responses((status = 200, body = ParticipationBody), (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 410, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn consent(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
    Json(body): Json<ConsentBody>,
) -> Result<Json<ParticipationBody>, Problem> {
    let study = study_of(&app, &row).await?;
    if row.state == SessionState::Invited && expired(&app, &row) {
        return Err(lapsed());
    }
    let row = app
        .store
        .record_consent(&row.session_id, body.accepted, hash(&study.consent_text))
        .await?;
    app.changed(&row.session_id);
    view(&app, &row, &study).await
}

/// Connect: an SDP offer with audio, answered by an SDP answer.
#[utoipa::path(post, path = "/api/v1/participation/peers", tag = "participation", security(("link_secret" = [])),
    params(("Colloquy-Grant" = Option<String>, Header, description = "The grant of the answer before, to come back with; good once")),
    request_body(content = String, content_type = "application/sdp"),
    responses((status = 201, body = String, content_type = "application/sdp", description = "SDP answer; `Location` names the peer",
            headers(("Colloquy-Grant" = String, description = "The grant to come back with; missing if it could not be saved"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "The grant is unknown, used, expired or another session's; nothing has changed, and the link alone still opens"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 410, body = Problem, content_type = "application/problem+json"), (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn offer(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
    headers: HeaderMap,
    sdp: String,
) -> Result<Response, Problem> {
    if !has_type(&headers, "application/sdp") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "An offer must be SDP",
            "The body was not read because its Content-Type is not application/sdp.",
            "Send the browser's local description as it is, with Content-Type: application/sdp.",
        ));
    }
    let study = study_of(&app, &row).await?;
    let until = returnable_until(&app.store, &row, &study).await?;
    admit(&app, &row, until)?;
    let profile = app.profile(&study).ok_or_else(|| {
        Problem::internal(&anyhow::anyhow!(
            "no provider profile of study {} exists",
            row.study_id
        ))
    })?;
    let plan = study.plan(row.length, &row.language, app.prices_of(&profile)?);
    let entrance = Entrance::find(&app, &row, &headers, plan.limits.recovery).await?;
    let start = Start {
        session_id: row.session_id.clone(),
        study,
        plan,
        profile,
        way: entrance.way(),
        begun: Begun::of(&row),
    };
    let accepted = match app.registry.offer(start, sdp).await {
        Ok(accepted) => accepted,
        Err(refusal) => {
            entrance.give_back(&app).await;
            return Err(refused(&app, refusal));
        }
    };
    let grant = AppendHeaders(entrance.next(&app, &row).await);
    let location = format!("/api/v1/participation/peers/{}", accepted.peer);
    let etag = format!("\"{}\"", accepted.peer);
    let headers = [
        (header::CONTENT_TYPE, "application/sdp".to_owned()),
        (header::LOCATION, location),
        (header::ETAG, etag),
    ];
    Ok((StatusCode::CREATED, headers, grant, accepted.sdp).into_response())
}

/// Hang up. A connection that is gone already is no mistake: the server may have closed it first.
#[utoipa::path(delete, path = "/api/v1/participation/peers/{peer}", tag = "participation", security(("link_secret" = [])), params(("peer" = u32, Path)),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json", description = "The link is not known")))]
pub(super) async fn close_peer(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
    Path(peer): Path<u32>,
) -> StatusCode {
    if app
        .registry
        .close_peer(&row.session_id, PeerNo(peer))
        .await
        .is_err()
    {
        tracing::debug!(session.id = %row.session_id, "a connection was hung up that was gone already");
    }
    StatusCode::NO_CONTENT
}

/// Ask for something while the interview runs; the data channel is the usual way.
#[utoipa::path(post, path = "/api/v1/participation/requests", tag = "participation", security(("link_secret" = [])), request_body = RequestBody,
    responses((status = 202), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn request(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
    Json(body): Json<RequestBody>,
) -> Result<StatusCode, Problem> {
    let request = match body.request {
        RequestName::Mute => Request::Mute,
        RequestName::Unmute => Request::Unmute,
        RequestName::Repeat => Request::Repeat,
        RequestName::End => Request::End,
    };
    app.registry
        .request(&row.session_id, request)
        .await
        .map_err(|_| not_live())?;
    Ok(StatusCode::ACCEPTED)
}

/// Whether a body is said to be of this media type; parameters do not matter.
pub(super) fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.and_then(|value| value.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
}

pub(super) fn not_live() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-live",
        "The interview is not running",
        "There is nothing to ask of it now.",
        "Read the session again: it has not begun yet, or it is over.",
    )
}

fn expired(app: &App, row: &SessionRow) -> bool {
    row.expires_at_us.is_some_and(|at| at <= app.store.now_us())
}

fn lapsed() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "link-expired",
        "This invitation has expired",
        "It was good for a limited time, which is over.",
        "Ask whoever invited you for a new link.",
    )
}

/// Whether this session may be connected at all.
fn admit(app: &App, row: &SessionRow, until: Option<i64>) -> Result<(), Problem> {
    if row.state == SessionState::Ended && until.is_none() {
        let detail = "It can be taken once. Your answers are saved.";
        return Err(Problem::new(
            StatusCode::GONE,
            "ended",
            "This interview is over",
            detail,
            "There is nothing more to do. If you have questions, ask whoever invited you.",
        ));
    }
    if row.state == SessionState::Invited && expired(app, row) {
        return Err(lapsed());
    }
    if row.consent != Consent::Given {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "consent",
            "Consent is missing",
            "Nothing is recorded and nobody is connected before the participant agrees.",
            "POST {\"accepted\": true} to /api/v1/participation/consent first.",
        ));
    }
    Ok(())
}

fn refused(app: &App, refusal: OfferRefusal) -> Problem {
    let unavailable = |kind, title, detail: &str| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            kind,
            title,
            detail,
            "Try again in a few minutes. Your link stays good.",
        )
    };
    match refusal {
        OfferRefusal::Bad(error) => {
            app.metrics
                .refused
                .get_or_create(&[("reason", "offer")])
                .inc();
            let status = if matches!(error, media::OfferError::NotSdp { .. }) {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            Problem::new(
                status,
                "offer",
                "The offer cannot be answered",
                error.to_string(),
                "Reload the page. If it happens again, use a current Chrome, Edge, Firefox or Safari with a microphone.",
            )
        }
        OfferRefusal::Full { position, waiting } => {
            app.metrics
                .refused
                .get_or_create(&[("reason", "full")])
                .inc();
            unavailable(
                "full",
                "All interview places are taken",
                "Too many interviews are running at this moment.",
            )
            .in_line(position, waiting)
        }
        OfferRefusal::Draining => unavailable(
            "draining",
            "The server is about to restart",
            "It takes no new interviews for a moment.",
        ),
        OfferRefusal::Ended => Problem::new(
            StatusCode::GONE,
            "ended",
            "This interview is over",
            "It ended a moment ago. Your answers are saved.",
            "There is nothing more to do.",
        ),
        OfferRefusal::Store(error) => error.into(),
        OfferRefusal::Unavailable => unavailable(
            "unavailable",
            "The interview cannot be reached",
            "Its task on the server did not answer in time.",
        ),
    }
}
