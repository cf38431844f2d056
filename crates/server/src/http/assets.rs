//! The web pages, embedded into the binary.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;

use super::error::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Pages;

/// Both pages are one application that routes by path.
const APPLICATION: &[&str] = &["/i", "/console"];

/// Serves a file, or the application.
pub(super) async fn serve(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Problem::not_found("such page").into_response();
    }
    let path = request.uri().path();
    if path == "/" {
        return Redirect::temporary("/console").into_response();
    }
    let is_application = APPLICATION.iter().any(|page| {
        path.strip_prefix(page)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if is_application {
        return file("index.html", "no-cache").unwrap_or_else(not_built);
    }
    // Files below /assets carry a hash in their names and never change.
    let cache = if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    file(path.trim_start_matches('/'), cache)
        .unwrap_or_else(|| Problem::not_found("such page").into_response())
}

fn file(name: &str, cache: &'static str) -> Option<Response> {
    let file = Pages::get(name)?;
    let kind = file.metadata.mimetype().to_owned();
    Some(
        (
            [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, cache.to_owned()),
            ],
            file.data.into_owned(),
        )
            .into_response(),
    )
}

fn not_built() -> Response {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "pages",
        "The pages are missing",
        "The web pages are not part of this binary: it was built before them.",
        "Run `make build` and start again.",
    )
    .into_response()
}
