//! Who asks: the researcher with the console token, or a participant with the secret of a link. Both as bearer tokens, so
//! that neither ever stands in an address or a log.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use store::SessionRow;

use super::error::Problem;
use crate::app::App;
use crate::secrets::{SECRET_CHARS, hash, same};

/// The request came with the console token.
pub(super) struct Researcher;

/// The request came with a link's secret; this is its session.
pub(super) struct Participant(pub(super) SessionRow);

fn bearer(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::trim)
}

impl FromRequestParts<Arc<App>> for Researcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Researcher, Problem> {
        let token = bearer(parts).unwrap_or_default();
        if same(&hash(token), &app.console_token_hash) {
            return Ok(Researcher);
        }
        app.metrics
            .refused
            .get_or_create(&[("reason", "token")])
            .inc();
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "console-token",
            "The console token is missing or wrong",
            "Studies and sessions are shown only to whoever has the console token.",
            "Open the console link that the server printed at its start, or read the file console-token beside the database.",
        ))
    }
}

impl FromRequestParts<Arc<App>> for Participant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Participant, Problem> {
        let secret = bearer(parts).unwrap_or_default();
        // The lookup is by hash, so its timing tells nothing about the secret.
        let found = if secret.len() == SECRET_CHARS {
            app.store.session_by_link(&hash(secret)).await?
        } else {
            None
        };
        if let Some(session) = found {
            return Ok(Participant(session));
        }
        app.metrics
            .refused
            .get_or_create(&[("reason", "link")])
            .inc();
        Err(Problem::new(
            StatusCode::NOT_FOUND,
            "link-unknown",
            "This link is not known",
            "It may have been shortened when it was copied, or it belongs to another server.",
            "Open the link from your invitation again, whole. If that does not help, ask whoever invited you.",
        ))
    }
}
