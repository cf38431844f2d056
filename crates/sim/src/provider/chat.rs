//! `POST /v1/chat/completions`: checks the request as the vendor does, and answers what it asks for.

pub mod coder;
mod lexicon;
pub mod schema;
mod themes;
pub mod vendor;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::config::HttpFault;
use super::door::{ApiError, json_response};
use super::{Sim, tokens, unix_s};
use vendor::{End, Entry};

/// Prompts that are remembered for the cache.
const PROMPTS_MAX: usize = 16;

/// The vendor caches prompts from this many tokens on, in steps of [`CACHE_GRAIN`] (prompt caching guide, November 2026).
const CACHE_MIN: u64 = 1024;

/// Cached tokens come in multiples of this.
const CACHE_GRAIN: u64 = 128;

/// A request that was checked.
#[derive(Debug)]
struct Request {
    model: String,
    /// All messages as one text, with the schema.
    prompt: String,
    /// The last message of the user.
    question: String,
    schema: Option<Value>,
    max_tokens: Option<u64>,
}

/// `POST /v1/chat/completions`
pub(super) async fn complete(
    State(sim): State<Arc<Sim>>,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Response, ApiError> {
    sim.admit(&headers)?;
    let Json(body) = body.map_err(|_| {
        ApiError::invalid(
            "We could not parse the JSON body of your request.",
            None,
            None,
        )
    })?;
    let number = sim.chats.fetch_add(1, Ordering::Relaxed) + 1;
    let request = read(&body, &sim.config.models)?;
    let fault = sim
        .config
        .chat_faults
        .iter()
        .find(|(at, _)| *at == number)
        .map(|(_, fault)| *fault);
    if let Some(error) = fault.and_then(|fault| refusal(fault, &request)) {
        return Err(error);
    }
    let segments = vendor::segments(request.schema.as_ref());
    let prompt_tokens = tokens::of_text(&request.prompt);
    let chat = &sim.config.chat;
    let (entry, standing) = chat.enter(Instant::now(), prompt_tokens, segments);
    let (end, takes) = match entry {
        Entry::Refused { retry_after_ms } => {
            let refused = refused(HttpFault::RateLimit { retry_after_ms }, &request);
            return Ok(sim.sign(refused, 0, standing));
        }
        Entry::In { end, takes } => (end, takes),
    };
    tokio::time::sleep(takes).await;
    chat.leave(end);
    if end == End::Failure {
        let failed = refused(HttpFault::ServerError, &request);
        return Ok(sim.sign(failed, millis(takes), standing));
    }
    let mut content = answer(&request);
    if end == End::Short {
        content = shortened(&content);
    }
    let mut finish = "stop";
    let longest = request
        .max_tokens
        .filter(|max| tokens::of_text(&content) > *max);
    if fault == Some(HttpFault::WrongShape) {
        content = "{\"unexpected\": true}".into();
    } else if longest.is_some() || fault == Some(HttpFault::CutOff) {
        let keep = longest.map_or(content.chars().count() / 2, |max| {
            usize::try_from(max * 4).unwrap_or(usize::MAX)
        });
        content = content.chars().take(keep).collect();
        finish = "length";
    }
    let completion_tokens = tokens::of_text(&content);
    let cached = sim.cached(&request.prompt);
    let body = json!({
        "id": format!("chatcmpl-{:016x}{number:08x}", sim.config.seed), "object": "chat.completion", "created": unix_s(), "model": request.model,
        "choices": [{
            "index": 0, "message": { "role": "assistant", "content": content, "refusal": null, "annotations": [] },
            "logprobs": null, "finish_reason": finish,
        }],
        "usage": {
            "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": { "cached_tokens": cached, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 },
        },
        "service_tier": "default", "system_fingerprint": null,
    });
    Ok(sim.sign(json_response(body), millis(takes), standing))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// An answer without the first of its segments.
fn shortened(content: &str) -> String {
    let Ok(Value::Object(mut all)) = serde_json::from_str(content) else {
        return content.to_owned();
    };
    if let Some(first) = all.keys().next().cloned() {
        all.remove(&first);
    }
    Value::Object(all).to_string()
}

impl Sim {
    /// How much of a prompt is in the vendor's cache; remembers it.
    fn cached(&self, prompt: &str) -> u64 {
        let Ok(mut prompts) = self.prompts.lock() else {
            return 0;
        };
        let longest = prompts
            .iter()
            .map(|before| common_prefix(before, prompt))
            .max()
            .unwrap_or(0);
        if prompts.len() >= PROMPTS_MAX {
            prompts.remove(0);
        }
        prompts.push(prompt.to_owned());
        let tokens = tokens::of_text(&prompt[..longest]);
        if tokens < CACHE_MIN {
            0
        } else {
            tokens / CACHE_GRAIN * CACHE_GRAIN
        }
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.chars()
        .zip(b.chars())
        .take_while(|(a, b)| a == b)
        .map(|(c, _)| c.len_utf8())
        .sum()
}

fn read(body: &Value, models: &[String]) -> Result<Request, ApiError> {
    let missing = |name: &str| {
        ApiError::invalid(
            format!("Missing required parameter: '{name}'."),
            Some(name),
            Some("missing_required_parameter"),
        )
    };
    let model = body["model"].as_str().ok_or_else(|| missing("model"))?;
    if !models.iter().any(|known| known == model) {
        return Err(ApiError::no_model(model));
    }
    check_options(body, model)?;
    let messages = body["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| missing("messages"))?;
    let (mut prompt, mut question) = (String::new(), String::new());
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !["system", "developer", "user", "assistant", "tool"].contains(&role) {
            let param = format!("messages[{index}].role");
            return Err(ApiError::invalid(
                format!("Invalid value: '{role}'."),
                Some(&param),
                Some("invalid_value"),
            ));
        }
        let text = text_of(&message["content"]);
        prompt.push_str(&text);
        prompt.push('\n');
        if role == "user" {
            question = text;
        }
    }
    let schema = response_schema(&body["response_format"])?;
    if let Some(schema) = &schema {
        prompt.insert_str(0, &schema.to_string());
    }
    let max_tokens = body["max_completion_tokens"]
        .as_u64()
        .or(body["max_tokens"].as_u64());
    Ok(Request {
        model: model.to_owned(),
        prompt,
        question,
        schema,
        max_tokens,
    })
}

/// Options that the vendor's present models refuse, and what this simulator does not do.
fn check_options(body: &Value, model: &str) -> Result<(), ApiError> {
    if body["stream"] == true {
        return Err(ApiError::invalid(
            "This simulator does not stream chat completions.",
            Some("stream"),
            Some("unsupported_value"),
        ));
    }
    let modern = model.starts_with("gpt-5") || model.starts_with("gpt-6");
    if modern && body.get("max_tokens").is_some_and(|value| !value.is_null()) {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(ApiError::invalid(
            message,
            Some("max_tokens"),
            Some("unsupported_parameter"),
        ));
    }
    if modern
        && body["temperature"]
            .as_f64()
            .is_some_and(|temperature| (temperature - 1.0).abs() > f64::EPSILON)
    {
        let message = "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) value is supported.";
        return Err(ApiError::invalid(
            message,
            Some("temperature"),
            Some("unsupported_value"),
        ));
    }
    Ok(())
}

/// Text of a message: a string, or a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

fn response_schema(format: &Value) -> Result<Option<Value>, ApiError> {
    let invalid = |message: String, param: &str| {
        ApiError::invalid(message, Some(param), Some("invalid_value"))
    };
    match format["type"].as_str() {
        None if format.is_null() => Ok(None),
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(
            json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": false }),
        )),
        Some("json_schema") => {
            let wanted = &format["json_schema"];
            let name = wanted["name"].as_str().unwrap_or_default();
            let name_fits = (1..=64).contains(&name.len())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if !name_fits {
                let message = "Invalid 'response_format.json_schema.name': 1 to 64 letters, digits, underscores and hyphens.";
                return Err(invalid(message.into(), "response_format.json_schema.name"));
            }
            let schema = &wanted["schema"];
            if wanted["strict"] == true {
                schema::check_strict(schema).map_err(|fault| {
                    ApiError::invalid(
                        format!("Invalid schema for response_format '{name}': {fault}"),
                        Some("response_format"),
                        None,
                    )
                })?;
            }
            Ok(Some(schema.clone()))
        }
        other => Err(invalid(
            format!("Invalid value: '{}'.", other.unwrap_or_default()),
            "response_format.type",
        )),
    }
}

fn refused(fault: HttpFault, request: &Request) -> Response {
    refusal(fault, request).map_or_else(
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        IntoResponse::into_response,
    )
}

fn refusal(fault: HttpFault, request: &Request) -> Option<ApiError> {
    let limited =
        |message: String, kind: &'static str, code: &'static str, retry_after_ms| ApiError {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind,
            code: Some(code),
            param: None,
            message,
            retry_after_ms,
        };
    let (model, asked) = (&request.model, tokens::of_text(&request.prompt));
    match fault {
        HttpFault::RateLimit { retry_after_ms } => {
            let message = format!(
                "Rate limit reached for {model} in organization org-sim on tokens per min (TPM): Limit 200000, Used 199990, Requested {asked}. Please try again in {retry_after_ms}ms. Visit https://platform.openai.com/account/rate-limits to learn more."
            );
            Some(limited(
                message,
                "tokens",
                "rate_limit_exceeded",
                Some(retry_after_ms),
            ))
        }
        HttpFault::TooLarge => {
            let message = format!(
                "Request too large for {model} in organization org-sim on tokens per min (TPM): Limit 30000, Requested {asked}. The input or output tokens must be reduced in order to run successfully."
            );
            Some(limited(message, "tokens", "rate_limit_exceeded", None))
        }
        HttpFault::Quota => {
            let message =
                "You exceeded your current quota, please check your plan and billing details.";
            Some(limited(
                message.into(),
                "insufficient_quota",
                "insufficient_quota",
                None,
            ))
        }
        HttpFault::ServerError => Some(ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "server_error",
            code: None,
            param: None,
            message: "The server had an error while processing your request. Sorry about that!"
                .into(),
            retry_after_ms: None,
        }),
        HttpFault::WrongShape | HttpFault::CutOff => None,
    }
}

fn answer(request: &Request) -> String {
    match &request.schema {
        Some(wanted) => coder::fill(wanted, &request.question)
            .or_else(|| themes::fill(wanted, &request.question))
            .unwrap_or_else(|| schema::instance(wanted, &request.question))
            .to_string(),
        None => format!("In short: {}", schema::summary(&request.question)),
    }
}
