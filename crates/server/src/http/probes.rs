//! For machines: is it alive, does it take sessions, what are its numbers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::app::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Whether new sessions are taken and the store answers.
async fn ready(State(app): State<Arc<App>>) -> impl IntoResponse {
    if !app.readiness.get() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: starting or draining\n".to_owned(),
        );
    }
    match app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => {
            tracing::warn!(error = %error, "the store does not answer the readiness probe");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the store does not answer\n".to_owned(),
            )
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    crate::work::measure(&app).await;
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        app.metrics.text(),
    )
}
