//! Pages and API. Every answer to a mistake is a problem document (RFC 9457) that says what happened, what it means and
//! what to do; every request has a size limit, a deadline, and, where it is public, a rate limit per address.

mod assets;
mod auth;
mod corrections;
mod document;
mod error;
mod events;
mod export;
mod grant;
mod jobs;
mod limit;
mod operations;
mod participation;
mod probes;
mod recording;
mod restart;
mod results;
mod sessions;
mod studies;
mod time;
mod views;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

use document::Document;
pub use error::Problem;
pub(crate) use time::rfc3339;

/// All routes of the API and its OpenAPI document.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(participation::read))
        .routes(routes!(participation::consent))
        .routes(routes!(participation::offer))
        .routes(routes!(participation::close_peer, restart::restart_peer))
        .routes(routes!(participation::request))
        .routes(routes!(studies::list, studies::put))
        .routes(routes!(studies::read))
        .routes(routes!(studies::invite))
        .routes(routes!(results::themes))
        .routes(routes!(results::grid))
        .routes(routes!(results::search))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::read))
        .routes(routes!(sessions::turns))
        .routes(routes!(sessions::report))
        .routes(routes!(sessions::costs))
        .routes(routes!(sessions::journal))
        .routes(routes!(sessions::waveform))
        .routes(routes!(sessions::end))
        .routes(routes!(corrections::put, corrections::withdraw))
        .routes(routes!(operations::read))
        .routes(routes!(jobs::lanes))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::replay_all))
        .routes(routes!(jobs::replay_one))
}

/// The OpenAPI document as JSON, the same for every running server.
#[must_use]
pub fn openapi_json() -> String {
    document::json(streaming(api()))
}

/// Routes whose answers may take as long as they like.
fn streaming(router: OpenApiRouter<Arc<App>>) -> OpenApiRouter<Arc<App>> {
    router
        .routes(routes!(sessions::recording))
        .routes(routes!(events::stream))
        .routes(routes!(export::session))
        .routes(routes!(export::study))
}

/// The whole face of the server.
pub fn router(app: Arc<App>) -> Router {
    let http = &app.config.http;
    let deadline = TimeoutLayer::with_status_code(
        StatusCode::GATEWAY_TIMEOUT,
        Duration::from_millis(http.request_timeout_ms),
    );
    let (quick, _) = api().split_for_parts();
    let (slow, _) = streaming(OpenApiRouter::new()).split_for_parts();
    let limits = Arc::new(limit::Limits::new(
        http.requests_per_minute,
        http.requests_burst,
    ));
    Router::new()
        .merge(quick.layer(deadline))
        .merge(slow)
        .route(
            "/api/v1/openapi.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], openapi_json()) }),
        )
        .route(
            "/api/{*rest}",
            get(error::no_such_resource).fallback(error::no_such_resource),
        )
        .route("/runbook/{name}", get(operations::runbook))
        // Pages and API share the limit; probes and metrics below do not: a scraper must never be refused.
        .fallback(assets::serve)
        .layer(from_fn_with_state((Arc::clone(&app), limits), limit::limit))
        .layer(DefaultBodyLimit::max(http.body_bytes_max))
        .merge(probes::routes())
        .layer(from_fn(error::problems))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(header_layer("x-content-type-options", "nosniff"))
        .layer(header_layer("referrer-policy", "no-referrer"))
        .layer(header_layer("x-frame-options", "DENY"))
        .layer(header_layer("cross-origin-opener-policy", "same-origin"))
        .layer(header_layer(
            "permissions-policy",
            "microphone=(self), camera=(), geolocation=()",
        ))
        .layer(header_layer(
            "content-security-policy",
            CONTENT_SECURITY_POLICY,
        ))
        .with_state(app)
}

/// Nothing from elsewhere, no inline scripts; audio from blobs, because recordings are fetched with a token.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; media-src 'self' blob: mediastream:; \
     style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn header_layer(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::Path;

    /// The pages' client is generated from this file. `UPDATE_EXPECT=1` writes it anew.
    #[test]
    fn the_document_is_the_one_that_the_pages_were_generated_from() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/openapi.json");
        let document = super::openapi_json();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, &document).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert!(
            kept == document,
            "the API changed: run this test with UPDATE_EXPECT=1, then `npm --prefix web run generate`"
        );
    }
}
