//! Who comes in: keys, error bodies, the headers of every answer, and the upgrade to a realtime session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat::vendor::Standing;
use super::config::{FaultKind, Keys, WrongKey};
use super::realtime::{Connection, socket};
use super::{Sim, unix_s};

/// Largest event that the vendor takes: 15 MiB of audio, in base64 and JSON.
const EVENT_MAX: usize = 21 * 1024 * 1024;

/// Read at once from a realtime session: some events of audio. The buffer is cleared for every read.
const READ_BYTES: usize = 8 * 1024;

/// Prefix of the subprotocol that carries a browser's key.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// An error as the vendor answers it.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    /// Hint in `retry-after-ms`.
    pub(crate) retry_after_ms: Option<u64>,
}

impl ApiError {
    /// 400: the request makes no sense.
    pub(crate) fn invalid(
        message: impl Into<String>,
        param: Option<&str>,
        code: Option<&'static str>,
    ) -> ApiError {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code,
            param: param.map(str::to_owned),
            message: message.into(),
            retry_after_ms: None,
        }
    }

    fn with_status(self, status: StatusCode) -> ApiError {
        ApiError { status, ..self }
    }

    fn key_refused(message: &str) -> ApiError {
        ApiError::invalid(message, None, Some("invalid_api_key"))
            .with_status(StatusCode::UNAUTHORIZED)
    }

    /// 404: no such model.
    pub(crate) fn no_model(model: &str) -> ApiError {
        let message =
            format!("The model `{model}` does not exist or you do not have access to it.");
        ApiError::invalid(message, Some("model"), Some("model_not_found"))
            .with_status(StatusCode::NOT_FOUND)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "message": self.message, "type": self.kind, "param": self.param, "code": self.code } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(ms) = self.retry_after_ms {
            response
                .headers_mut()
                .insert("retry-after-ms", HeaderValue::from(ms));
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        response
    }
}

impl Sim {
    /// Lets a request in, or says why not.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(key) = bearer(headers).filter(|key| !key.is_empty()) else {
            return Err(ApiError::key_refused(
                "You didn't provide an API key. Provide it in an Authorization header using Bearer auth.",
            ));
        };
        let known = match &self.config.keys {
            Keys::AnyNonEmpty => true,
            Keys::OneOf(keys) => {
                keys.contains(&key) || self.issued.lock().is_ok_and(|issued| issued.contains(&key))
            }
        };
        if known {
            Ok(())
        } else {
            Err(ApiError::key_refused(
                "Incorrect API key provided. You can find your API key in your account settings.",
            ))
        }
    }

    /// Adds the headers that every answer bears: request id, time taken, limits.
    pub(crate) fn sign(
        &self,
        mut response: Response,
        processing_ms: u64,
        standing: Standing,
    ) -> Response {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&format!("req_{:08x}{number:08x}", self.config.seed))
        {
            headers.insert("x-request-id", id);
        }
        headers.insert("openai-processing-ms", HeaderValue::from(processing_ms));
        let numbers = [
            ("x-ratelimit-limit-requests", standing.limit_requests),
            (
                "x-ratelimit-remaining-requests",
                standing.remaining_requests,
            ),
            ("x-ratelimit-limit-tokens", standing.limit_tokens),
            ("x-ratelimit-remaining-tokens", standing.remaining_tokens),
        ];
        for (name, number) in numbers {
            headers.insert(name, HeaderValue::from(number));
        }
        let durations = [
            ("x-ratelimit-reset-requests", standing.reset_requests_ms),
            ("x-ratelimit-reset-tokens", standing.reset_tokens_ms),
        ];
        for (name, ms) in durations {
            if let Ok(text) = HeaderValue::from_str(&format!("{ms}ms")) {
                headers.insert(name, text);
            }
        }
        response
    }
}

/// The key of a request: in the header, or where a browser has to put it.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let in_header = authorization
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|key| key.trim().to_owned());
    in_header.or_else(|| {
        let protocols = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
        protocols.split(',').find_map(|protocol| {
            protocol
                .trim()
                .strip_prefix(KEY_PROTOCOL)
                .map(str::to_owned)
        })
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct RealtimeQuery {
    model: Option<String>,
}

/// `GET /v1/realtime`: a session, if the key and the faults of this connection allow.
pub(super) async fn realtime(
    State(sim): State<Arc<Sim>>,
    Query(query): Query<RealtimeQuery>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let Ok(upgrade) = upgrade else {
        return Err(ApiError::invalid(
            "This endpoint speaks WebSocket: send an upgrade request.",
            None,
            None,
        )
        .with_status(StatusCode::UPGRADE_REQUIRED));
    };
    let number = sim.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let faults = sim.config.faults_of(number);
    let refused = sim.admit(&headers).err();
    let mut close = None;
    if let Some(error) = refused {
        match sim.config.wrong_key {
            WrongKey::Http401 => return Err(error),
            WrongKey::Close3000 => close = Some((3000, "invalid_request_error.invalid_api_key")),
        }
    }
    if faults.contains(&FaultKind::RefuseKey) {
        return Err(ApiError::key_refused(
            "Incorrect API key provided. You can find your API key in your account settings.",
        ));
    }
    if faults.contains(&FaultKind::CloseInvalidKey) {
        close = Some((3000, "invalid_request_error.invalid_api_key"));
    } else if faults.contains(&FaultKind::CloseAtOnce) {
        close = Some((
            1011,
            "The server had an error while processing your request.",
        ));
    }
    let Some(model) = query.model.filter(|model| !model.is_empty()) else {
        return Err(ApiError::invalid(
            "You must provide a model parameter.",
            Some("model"),
            Some("missing_model"),
        ));
    };
    let connection = Connection {
        number,
        model,
        unix_s: unix_s(),
    };
    let upgrade = upgrade
        .protocols(["realtime"])
        .read_buffer_size(READ_BYTES)
        .max_message_size(EVENT_MAX)
        .max_frame_size(EVENT_MAX);
    Ok(upgrade.on_upgrade(async move |mut socket| match close {
        None => socket::run(socket, sim, connection).await,
        Some((code, reason)) => {
            // The client may be gone already; then there is nobody left to tell.
            let _ = socket.send(socket::close(code, reason)).await;
        }
    }))
}

/// Any other address.
pub(super) async fn not_found(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    ApiError::invalid(format!("Invalid URL ({method} {})", uri.path()), None, None)
        .with_status(StatusCode::NOT_FOUND)
}

/// A JSON answer.
pub(crate) fn json_response(body: Value) -> Response {
    Json(body).into_response()
}
