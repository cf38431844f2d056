//! `POST /v1/audio/transcriptions`: words of an uploaded file, recognised by sound.

mod decode;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::vendor::Standing;
use super::door::{ApiError, json_response};
use super::realtime::transcription_usage;
use super::{Sim, ears};

/// Largest file that the vendor takes.
const FILE_MAX: usize = 25 * 1024 * 1024;

/// The form, as far as it matters here.
#[derive(Debug, Default)]
struct Form {
    file: Option<Bytes>,
    model: Option<String>,
    format: Option<String>,
    language: Option<String>,
}

/// `POST /v1/audio/transcriptions`
pub(super) async fn transcribe(
    State(sim): State<Arc<Sim>>,
    headers: HeaderMap,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    sim.admit(&headers)?;
    let multipart =
        multipart.map_err(|_| ApiError::invalid("Expected a multipart form.", None, None))?;
    let form = read(multipart).await?;
    let (model, file) = form.check(&sim.config.models)?;
    let decoded = tokio::task::spawn_blocking(move || decode::decode(&file)).await;
    let unreadable = |_| {
        ApiError::invalid(
            "Audio file might be corrupted or unsupported.",
            Some("file"),
            Some("invalid_value"),
        )
    };
    let pcm = decoded
        .map_err(|_| ())
        .and_then(|decoded| decoded.map_err(|_| ()))
        .map_err(unreadable)?;
    let ms = pcm.len() as u64 / 24;
    let text = ears::words(pcm.into()).await;
    tokio::time::sleep(Duration::from_millis(sim.config.latency.http_ms)).await;
    let response = if form.format.as_deref() == Some("text") {
        (
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("{text}\n"),
        )
            .into_response()
    } else {
        let mut body = json!({ "text": text, "usage": transcription_usage(&model, ms, &text) });
        if let Some(language) = form.language {
            body["languages"] = Value::Array(vec![json!({ "code": language })]);
        }
        json_response(body)
    };
    Ok(sim.sign(response, sim.config.latency.http_ms, Standing::ROOMY))
}

impl Form {
    /// The model and the file, if the form is one that the vendor takes.
    fn check(&self, models: &[String]) -> Result<(String, Bytes), ApiError> {
        let required = |name: &str| {
            ApiError::invalid(
                format!("Missing required parameter: '{name}'."),
                Some(name),
                Some("missing_required_parameter"),
            )
        };
        let model = self.model.clone().ok_or_else(|| required("model"))?;
        if !models.contains(&model) {
            return Err(ApiError::no_model(&model));
        }
        let file = self.file.clone().ok_or_else(|| required("file"))?;
        if file.len() > FILE_MAX {
            let message = format!(
                "Maximum content size limit ({FILE_MAX}) exceeded ({} bytes read)",
                file.len()
            );
            return Err(ApiError {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                ..ApiError::invalid(message, None, None)
            });
        }
        let format = self.format.as_deref().unwrap_or("json");
        if format != "json" && format != "text" {
            let message = format!(
                "response_format '{format}' is not compatible with model '{model}'. Use 'json' or 'text' instead."
            );
            return Err(ApiError::invalid(
                message,
                Some("response_format"),
                Some("unsupported_value"),
            ));
        }
        Ok((model, file))
    }
}

async fn read(mut multipart: Multipart) -> Result<Form, ApiError> {
    let broken = |_| ApiError::invalid("The multipart form is broken.", None, None);
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        match field.name().unwrap_or_default() {
            "file" => form.file = Some(field.bytes().await.map_err(broken)?),
            "model" => form.model = Some(field.text().await.map_err(broken)?),
            "response_format" => form.format = Some(field.text().await.map_err(broken)?),
            "language" | "languages[]" => form.language = Some(field.text().await.map_err(broken)?),
            // Prompts and keywords steer a real model; recognition by sound has no use for them.
            _ => {}
        }
    }
    Ok(form)
}
