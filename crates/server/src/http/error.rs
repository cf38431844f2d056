//! The one shape of an error (RFC 9457, `application/problem+json`).

use std::any::Any;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::mistake::Mistake;

/// What happened, what it means (`detail`) and what to do (`remedy`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind: `/problems/link-unknown`.
    #[serde(rename = "type")]
    kind: Box<str>,
    /// The kind in a few words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What happened here, and what it means.
    detail: String,
    /// What to do.
    remedy: String,
    /// Mistakes in a file, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<Mistake>,
    /// Where one stands who is to wait.
    #[serde(flatten)]
    in_line: Option<Box<InLine>>,
}

/// A place in line.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct InLine {
    /// Counted from 1. It is kept by asking again within 20 seconds.
    position: u32,
    /// How many stand in line.
    waiting: u32,
}

impl Problem {
    /// A problem of a kind such as `link-unknown`.
    pub fn new(
        status: StatusCode,
        kind: &str,
        title: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem {
            kind: format!("/problems/{kind}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            remedy: remedy.into(),
            mistakes: Vec::new(),
            in_line: None,
        }
    }

    /// With a place in line.
    #[must_use]
    pub fn in_line(mut self, position: u32, waiting: u32) -> Problem {
        self.in_line = Some(Box::new(InLine { position, waiting }));
        self
    }

    /// With mistakes of a file.
    #[must_use]
    pub fn with_mistakes(mut self, mistakes: Vec<Mistake>) -> Problem {
        self.mistakes = mistakes;
        self
    }

    /// No such thing.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Not found",
            format!("There is no {what} here."),
            "Check the address; it may come from another server or an older version.",
        )
    }

    /// Something of ours failed; the log has the reason, the answer has none.
    pub fn internal(error: &anyhow::Error) -> Problem {
        tracing::error!(error = format!("{error:#}"), "a request failed");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something failed on the server",
            "The request could not be answered because of a fault of the server. Nothing that was saved is lost.",
            "Try again in a moment. If it happens again, the server's log says why.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).expect("a problem is plain data");
        let mut response = (status, body).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let after = if self.in_line.is_some() { "5" } else { "2" };
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(after));
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::NotFound { what } => Problem::not_found(&what),
            StoreError::Conflict { what } => Problem::new(
                StatusCode::CONFLICT,
                "conflict",
                "That contradicts what is saved",
                format!("{what}."),
                "Read the current state again and decide anew.",
            ),
            StoreError::Full { .. } | StoreError::Busy { .. } | StoreError::Unavailable { .. } => {
                tracing::error!(error = %error, "the store refused a request");
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store-unavailable",
                    "The server cannot save at the moment",
                    "Nothing was changed by this request, and nothing that was saved is lost.",
                    "Try again in a moment. The operator finds the reason in the server's log.",
                )
            }
            // Not a fault that is over in a moment: whoever asks again gets the same answer, so it is no 5xx.
            StoreError::Corrupt { .. } => {
                tracing::error!(error = %error, "a request met a damaged record");
                Problem::new(
                    StatusCode::CONFLICT,
                    "record-damaged",
                    "The record of this interview is damaged",
                    "A part of what was saved cannot be read, so the interview cannot go on from it. What was saved is left as it is.",
                    "Trying again does not help. Tell whoever runs this server: its log names the place, and a backup may hold it.",
                )
            }
            StoreError::Fenced { .. }
            | StoreError::InUse { .. }
            | StoreError::NewerDatabase { .. }
            | StoreError::NotWritable { .. } => Problem::internal(&anyhow::Error::new(error)),
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Problem {
        Problem::internal(&error)
    }
}

/// An address below `/api` that means nothing.
pub(super) async fn no_such_resource() -> Problem {
    Problem::not_found("such resource in this API")
}

/// A handler panicked: the request fails, nothing else does.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::internal(&anyhow::anyhow!("a request handler panicked")).into_response()
}

/// Longest reason of the framework that is passed on: a line that names a field.
const REASON_BYTES_MAX: usize = 2_048;

/// Turns the plain-text refusals of the framework into problem documents.
pub(super) async fn problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/problem+json");
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (kind, title, detail, remedy) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => (
            "too-large",
            "The request is too large",
            "The body was refused before it was read to its end.",
            "A study file or an offer is far smaller; the limit is http.body_bytes_max.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method",
            "This method is not allowed here",
            "The address exists, but not for this method.",
            "The API document lists the methods: /api/v1/openapi.json.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "content-type",
            "The content type is not accepted here",
            "The body was not read.",
            "Send the Content-Type that the API document names.",
        ),
        StatusCode::GATEWAY_TIMEOUT => (
            "timeout",
            "The request took too long",
            "The server stopped waiting. Whether the change was made is not known.",
            "Read the state again before you repeat the request.",
        ),
        _ if status.is_server_error() => (
            "internal",
            "Something failed on the server",
            "The request could not be answered.",
            "Try again in a moment.",
        ),
        _ => (
            "bad-request",
            "The request cannot be read",
            "The body or a parameter is not what the API expects.",
            "Compare it with the API document: /api/v1/openapi.json.",
        ),
    };
    let (refusal, body) = response.into_parts();
    let said = to_bytes(body, REASON_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let detail = match said.trim() {
        reason if kind == "bad-request" && !reason.is_empty() => format!("{detail} {reason}"),
        _ => detail.to_owned(),
    };
    let mut response = Problem::new(status, kind, title, detail, remedy).into_response();
    if let Some(allowed) = refusal.headers.get(header::ALLOW) {
        response
            .headers_mut()
            .insert(header::ALLOW, allowed.clone());
    }
    response
}
