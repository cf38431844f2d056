//! For machines: is it alive, does it take sessions, what are its numbers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::error::Problem;
use crate::app::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Whether new sessions are taken and the store answers.
async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    let not_ready = |detail: &str| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "Not ready",
            detail,
            "Send new participants elsewhere, or ask again in a moment. Interviews that run are not concerned.",
        )
    };
    if !app.readiness.get() {
        return Err(not_ready("The server is starting or draining."));
    }
    app.store.ping().await.map_err(|error| {
        tracing::warn!(%error, "the store does not answer the readiness probe");
        not_ready("The store does not answer; the log says why.")
    })?;
    Ok("ready\n")
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    crate::vitals::count(&app).await;
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        app.metrics.text(),
    )
}
