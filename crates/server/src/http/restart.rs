//! ICE restart of a participant's connection (WHIP, RFC 9725, 4.3.2): the same interview over another path.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::ids::{PeerNo, SessionId};
use engine::session::State as SessionState;
use media::{FRAGMENT_TYPE, FragmentError, IceFragment};

use super::auth::Participant;
use super::error::Problem;
use super::participation::has_type;
use crate::app::App;
use crate::session::{Expected, Generation, RestartRefusal};

/// What helps whoever cannot restart a connection.
const OFFER_ANEW: &str = "POST a new offer to /api/v1/participation/peers: it replaces the connection and the interview goes on.";

/// Restart ICE: the connection goes on over another path, and nothing else changes. Candidates are not trickled: a body
/// has new credentials.
#[utoipa::path(patch, path = "/api/v1/participation/peers/{peer}", tag = "participation", security(("link_secret" = [])),
    params(("peer" = u32, Path),
        ("If-Match" = String, Header, description = "`*`, or the entity tag of the answer before")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses((status = 200, body = String, content_type = "application/trickle-ice-sdpfrag", description = "The server's credentials and candidates",
            headers(("ETag" = String, description = "What the connection is from now on: the peer, a point, and how often it was restarted"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The link is not known, or the connection is gone; then a new offer helps"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The interview is over"),
        (status = 412, body = Problem, content_type = "application/problem+json", description = "If-Match names another connection, or an older restart of it"),
        (status = 415, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json", description = "No new credentials"),
        (status = 428, body = Problem, content_type = "application/problem+json", description = "No If-Match"), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn restart_peer(
    State(app): State<Arc<App>>,
    Participant(row): Participant,
    Path(peer): Path<u32>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Problem> {
    let asked = read(&headers, &body).inspect_err(|_| count(&app, "invalid"));
    let (expected, fragment) = asked?;
    let restarted = app
        .registry
        .restart_peer(&row.session_id, PeerNo(peer), expected, fragment)
        .await;
    match restarted {
        Ok(restarted) => {
            count(&app, "answered");
            let headers = [
                (header::CONTENT_TYPE, FRAGMENT_TYPE.to_owned()),
                (header::ETAG, format!("\"{}\"", restarted.generation)),
            ];
            Ok((headers, restarted.fragment.to_string()).into_response())
        }
        Err(refusal) => Err(refused(&app, &row.session_id, refusal).await),
    }
}

/// What is asked, as far as it can be understood without the session.
fn read(headers: &HeaderMap, body: &str) -> Result<(Expected, IceFragment), Problem> {
    if !has_type(headers, FRAGMENT_TYPE) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "A restart must be an SDP fragment",
            "The body was not read because its Content-Type is not application/trickle-ice-sdpfrag. Nothing was changed.",
            "Send the ICE credentials of the offer that createOffer() makes after restartIce() as a fragment (RFC 8840, 9).",
        ));
    }
    let expected = expected(headers).ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if-match",
            "If-Match is missing",
            "Without it nobody knows which connection is meant. Nothing was changed.",
            "Send If-Match: * with the request, or the ETag of the last answer.",
        )
    })?;
    Ok((expected, IceFragment::parse(body).map_err(unreadable)?))
}

/// `If-Match` (RFC 9110, 13.1.1). What is not a tag of ours matches nothing, as a weak one does.
fn expected(headers: &HeaderMap) -> Option<Expected> {
    let mut lines = headers.get_all(header::IF_MATCH).iter().peekable();
    lines.peek()?;
    let tags: Vec<&str> = lines
        .filter_map(|line: &HeaderValue| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    if tags == ["*"] {
        return Some(Expected::Any);
    }
    let generation = |tag: &str| {
        let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
        inner.parse::<Generation>().ok()
    };
    Some(Expected::OneOf(
        tags.into_iter().filter_map(generation).collect(),
    ))
}

fn unreadable(error: FragmentError) -> Problem {
    let credentials = matches!(error, FragmentError::Missing("a=ice-ufrag" | "a=ice-pwd"));
    if credentials {
        return not_new(error.to_string());
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "fragment",
        "The SDP fragment cannot be read",
        error.to_string(),
        OFFER_ANEW,
    )
}

fn not_new(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "credentials",
        "There are no new ICE credentials",
        detail,
        "Candidates are not trickled here: the server learns addresses from the browser's checks. Call restartIce() and send the credentials of the offer that follows.",
    )
}

async fn refused(app: &App, id: &SessionId, refusal: RestartRefusal) -> Problem {
    let (result, problem) = match refusal {
        RestartRefusal::NotLive => match app.store.session(id).await {
            Ok(Some(row)) if row.state == SessionState::Ended => ("over", over()),
            Ok(_) => ("gone", gone()),
            Err(error) => ("unavailable", error.into()),
        },
        RestartRefusal::Gone => ("gone", gone()),
        RestartRefusal::Stale(now) => ("stale", stale(now)),
        RestartRefusal::NotNew => (
            "invalid",
            not_new(
                "The credentials are those that the connection has already, so nothing was changed.",
            ),
        ),
        RestartRefusal::Unavailable => ("unavailable", unavailable()),
    };
    count(app, result);
    problem
}

fn over() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "ended",
        "This interview is over",
        "It has no connection any more. What was said is saved.",
        "Read the session again: it says how it ended and until when its link still opens it.",
    )
}

fn gone() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "peer-gone",
        "This connection is gone",
        "It was closed, replaced by another one, or silent for too long. The interview itself is kept.",
        OFFER_ANEW,
    )
}

fn stale(now: Generation) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "stale",
        "The connection is another one by now",
        format!(
            "Its ETag is \"{now}\" now, which is not the one in If-Match. Nothing was changed."
        ),
        "Send If-Match: * to restart it as it is, or offer anew.",
    )
}

fn unavailable() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "The interview cannot be reached",
        "Its task on the server did not answer in time.",
        OFFER_ANEW,
    )
}

fn count(app: &App, result: &'static str) {
    app.metrics
        .ice_restarts
        .get_or_create(&[("result", result)])
        .inc();
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn of(lines: &[&'static str]) -> Option<Expected> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_static(line));
        }
        expected(&headers)
    }

    #[test]
    fn what_matches_is_the_star_or_one_strong_tag_of_ours() {
        let one = |text: &str| text.parse::<Generation>().unwrap();
        let some = |all: &[&str]| Some(Expected::OneOf(all.iter().map(|text| one(text)).collect()));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["*"]), Some(Expected::Any));
        assert_eq!(of(&["\"2.1\""]), some(&["2.1"]));
        assert_eq!(of(&["\"1\", \"2\"", "\"2.7\""]), some(&["1", "2", "2.7"]));
        for nothing in ["", "2", "W/\"2\"", "\"2", "*, \"2", "\"*\"", "\"a,b\""] {
            assert_eq!(of(&[nothing]), some(&[]), "{nothing}");
        }
    }
}
