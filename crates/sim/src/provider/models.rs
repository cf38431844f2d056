//! `/v1/models` and temporary keys: what a health check asks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::chat::vendor::Standing;
use super::door::{ApiError, json_response};
use super::{Sim, unix_s};

/// Temporary keys that are remembered.
const ISSUED_MAX: usize = 1000;

/// How long a temporary key is said to be valid, in seconds (the vendor's default).
const SECRET_S: u64 = 600;

/// Models that the vendor has announced to end, and when (SDK docstrings, November 2026).
const SHUTDOWNS: [(&str, &str); 3] = [
    ("gpt-realtime", "2027-01-20"),
    ("gpt-4o-transcribe", "2027-02-26"),
    ("gpt-4o-mini", "2027-01-14"),
];

fn model(id: &str) -> Value {
    let mut model =
        json!({ "id": id, "object": "model", "created": 1_780_272_000, "owned_by": "system" });
    if let Some((_, date)) = SHUTDOWNS.iter().find(|(name, _)| *name == id) {
        model["shutdown_date"] = json!(date);
    }
    model
}

/// `GET /v1/models`
pub(super) async fn list(
    State(sim): State<Arc<Sim>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    sim.admit(&headers)?;
    let models: Vec<Value> = sim.config.models.iter().map(|id| model(id)).collect();
    Ok(sim.sign(
        json_response(json!({ "object": "list", "data": models })),
        1,
        Standing::ROOMY,
    ))
}

/// `GET /v1/models/{id}`
pub(super) async fn one(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    sim.admit(&headers)?;
    if !sim.config.models.contains(&id) {
        return Err(ApiError::no_model(&id));
    }
    Ok(sim.sign(json_response(model(&id)), 1, Standing::ROOMY))
}

/// `POST /v1/realtime/client_secrets`: a temporary key, which also proves that the real one and the model are good.
pub(super) async fn client_secret(
    State(sim): State<Arc<Sim>>,
    headers: HeaderMap,
    body: Json<Value>,
) -> Result<Response, ApiError> {
    sim.admit(&headers)?;
    let mut session = body.0["session"].clone();
    if session["type"] != "realtime" {
        return Err(ApiError::invalid(
            "Missing required parameter: 'session.type'.",
            Some("session.type"),
            Some("missing_required_parameter"),
        ));
    }
    let default = sim.config.models.first().cloned().unwrap_or_default();
    let name = session["model"].as_str().unwrap_or(&default).to_owned();
    if !sim.config.models.contains(&name) {
        return Err(ApiError::no_model(&name));
    }
    let expires_at = unix_s() + SECRET_S;
    let mut secret = "ek_".to_owned();
    secret.extend((0..32).map(|_| fastrand::alphanumeric()));
    session["model"] = json!(name);
    session["object"] = json!("realtime.session");
    session["id"] = json!(format!("sess_{}", &secret[3..19]));
    if let Ok(mut issued) = sim.issued.lock() {
        if issued.len() >= ISSUED_MAX {
            issued.remove(0);
        }
        issued.push(secret.clone());
    }
    Ok(sim.sign(
        json_response(json!({ "value": secret, "expires_at": expires_at, "session": session })),
        2,
        Standing::ROOMY,
    ))
}
