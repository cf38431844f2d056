//! What the answer means.

use std::time::Duration;

use engine::cost::{Component, Usage};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::headers::{Headers, RateLimits};

/// Longest detail that is kept of an answer: enough for a vendor's sentence, too little for a log to drown in.
const DETAIL_MAX_CHARS: usize = 300;

/// An answer that was generated, and is billed, whether or not it is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the model wrote; empty if it refused.
    pub content: String,
    /// What is billed, in enrichment components; nothing if the server does not say.
    pub usage: Usage,
    /// Why it ended.
    pub finish: Finish,
    /// The vendor's limits, as far as it tells.
    pub limits: RateLimits,
    /// The vendor's id of the call, for support tickets.
    pub request_id: Option<String>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Said in full.
    Stop,
    /// Cut at the limit of tokens: the end is missing.
    Length,
    /// The vendor's filter withheld it.
    ContentFilter,
    /// The model declined, in these words.
    Refusal(String),
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", category.name())]
pub struct ChatError {
    /// What can be done about it.
    pub category: ChatErrorCategory,
    /// The vendor's words, shortened. May quote the request: not for logs.
    pub detail: String,
    /// How long the vendor asks us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the vendor said that a retry makes sense (`x-should-retry`).
    pub retry: RetryHint,
    /// The vendor's limits, as far as it tells. A failed call counts against them too.
    pub limits: RateLimits,
}

/// Kinds of failure, by what can be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChatErrorCategory {
    /// Too many calls or tokens in this minute: wait, then send the same again.
    RateLimited,
    /// This one call is more than is ever allowed, or its answer did not fit: send a smaller batch.
    TooLarge,
    /// Key, quota, account, model or address is refused. The same call will fail again, and so will every other.
    Misconfigured,
    /// The vendor or the network failed: send the same again.
    Retryable,
    /// The server does not accept the request as it is formed.
    Invalid,
    /// The model declined or the vendor's filter withheld the answer: this material will not be coded.
    Refused,
    /// The answer makes no sense: not JSON, or not in the form that was asked for.
    Malformed,
}

impl ChatErrorCategory {
    /// The name in jobs, API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ChatErrorCategory::RateLimited => "rate_limited",
            ChatErrorCategory::TooLarge => "too_large",
            ChatErrorCategory::Misconfigured => "misconfigured",
            ChatErrorCategory::Retryable => "retryable",
            ChatErrorCategory::Invalid => "invalid",
            ChatErrorCategory::Refused => "refused",
            ChatErrorCategory::Malformed => "malformed",
        }
    }
}

/// Whether the vendor said that a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryHint {
    /// It said nothing.
    Unsaid,
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl Reply {
    /// The content in the form that was asked for.
    ///
    /// # Errors
    ///
    /// `TooLarge` if the answer was cut, `Refused` if there is none, `Malformed` if it is not of that form. The answer is
    /// billed all the same.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ChatError> {
        let fail = |category, detail: String| {
            let detail = shorten(&detail);
            Err(ChatError {
                category,
                detail,
                retry_after: None,
                retry: RetryHint::Unsaid,
                limits: self.limits,
            })
        };
        match &self.finish {
            Finish::Length => {
                return fail(
                    ChatErrorCategory::TooLarge,
                    "the answer was cut at its limit of tokens".to_owned(),
                );
            }
            Finish::ContentFilter => {
                return fail(
                    ChatErrorCategory::Refused,
                    "the vendor's filter withheld the answer".to_owned(),
                );
            }
            Finish::Refusal(words) => return fail(ChatErrorCategory::Refused, words.clone()),
            Finish::Stop => {}
        }
        let json = unfence(&self.content);
        serde_json::from_str(json)
            .or_else(|error| fail(ChatErrorCategory::Malformed, error.to_string()))
    }
}

/// Local servers without a grammar like to wrap their JSON in a Markdown fence.
fn unfence(content: &str) -> &str {
    let trimmed = content.trim();
    let inside = trimmed
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"));
    inside.map_or(trimmed, |inside| {
        inside.strip_prefix("json").unwrap_or(inside).trim()
    })
}

/// Reads an answer: its status, its headers and its whole body.
///
/// # Errors
///
/// By category: see [`ChatErrorCategory`].
pub fn parse_reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply, ChatError> {
    if !(200..300).contains(&status) {
        return Err(parse_error(status, headers, body));
    }
    let headers = Headers(headers);
    let fail = |category, detail: &str| failure(&headers, category, detail);
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| fail(ChatErrorCategory::Malformed, &error.to_string()))?;
    // Some gateways answer 200 and put the error into the body.
    let Some(choice) = answer.choices.into_iter().flatten().next() else {
        let error = ErrorBody::read(body);
        return Err(fail(categorise(502, &error), &error.message));
    };
    let message = choice.message.unwrap_or_default();
    let refusal = message.refusal.filter(|words| !words.is_empty());
    let finish = match (refusal, choice.finish_reason.as_deref()) {
        (Some(words), _) => Finish::Refusal(words),
        (None, Some("length")) => Finish::Length,
        (None, Some("content_filter")) => Finish::ContentFilter,
        (None, _) => Finish::Stop,
    };
    Ok(Reply {
        content: message.content.unwrap_or_default(),
        usage: answer.usage.map_or_else(Usage::none, Tokens::usage),
        finish,
        limits: headers.rate_limits(),
        request_id: headers.get("x-request-id").map(str::to_owned),
    })
}

/// Reads an answer whose status says that the call failed. Other endpoints of the vendors fail in the same ways.
#[must_use]
pub fn parse_error(status: u16, headers: &[(&str, &str)], body: &[u8]) -> ChatError {
    let error = ErrorBody::read(body);
    failure(
        &Headers(headers),
        categorise(status, &error),
        &format!("HTTP {status}: {}", error.message),
    )
}

fn failure(headers: &Headers<'_>, category: ChatErrorCategory, detail: &str) -> ChatError {
    ChatError {
        category,
        detail: shorten(detail),
        retry_after: headers.retry_after(),
        retry: match headers.get("x-should-retry") {
            Some("true") => RetryHint::Yes,
            Some("false") => RetryHint::No,
            _ => RetryHint::Unsaid,
        },
        limits: headers.rate_limits(),
    }
}

fn categorise(status: u16, error: &ErrorBody) -> ChatErrorCategory {
    const ACCOUNT: [&str; 7] = [
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "account_deactivated",
        "invalid_api_key",
        "model_not_found",
        "unsupported_country_region_territory",
    ];
    let is = |name: &str| error.code == name || error.kind == name;
    // The same 429 has three meanings, told apart by code and message (vendor's rate limit guide).
    if ACCOUNT.iter().any(|name| is(name)) {
        return ChatErrorCategory::Misconfigured;
    }
    if is("context_length_exceeded") || error.message.starts_with("Request too large") {
        return ChatErrorCategory::TooLarge;
    }
    match status {
        429 => ChatErrorCategory::RateLimited,
        // 404 is a wrong address or a model that a local server has not pulled; a redirect is another address, or the page of
        // a network that wants a login first.
        300..=399 | 401..=404 => ChatErrorCategory::Misconfigured,
        413 => ChatErrorCategory::TooLarge,
        408 | 409 | 425 | 500.. => ChatErrorCategory::Retryable,
        _ if is("rate_limit_exceeded") => ChatErrorCategory::RateLimited,
        _ => ChatErrorCategory::Invalid,
    }
}

/// An error in any of the shapes that are out there: `{"error":{"message","type","code"}}` with a code that is text, number
/// or null (OpenAI, llama.cpp), `{"error":"..."}` (Ollama), `{"message","type"}` (older vLLM), `{"detail"}` (FastAPI), or
/// no JSON at all (proxies).
struct ErrorBody {
    code: String,
    kind: String,
    message: String,
}

impl ErrorBody {
    fn read(body: &[u8]) -> ErrorBody {
        let Ok(root) = serde_json::from_slice::<Value>(body) else {
            let message = String::from_utf8_lossy(body).trim().to_owned();
            return ErrorBody {
                code: String::new(),
                kind: String::new(),
                message,
            };
        };
        let error = root.get("error").unwrap_or(&root);
        let text = |key: &str| match error.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = match (error, error.get("message").or_else(|| error.get("detail"))) {
            (Value::String(text), _) | (_, Some(Value::String(text))) => text.clone(),
            _ => error.to_string(),
        };
        ErrorBody {
            code: text("code"),
            kind: text("type"),
            message,
        }
    }
}

fn shorten(detail: &str) -> String {
    detail.chars().take(DETAIL_MAX_CHARS).collect()
}

#[derive(Deserialize)]
struct Answer {
    choices: Option<Vec<Choice>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Answered>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Answered {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

impl Tokens {
    /// Cached tokens are contained in prompt tokens, thinking in completion tokens. What the vendor writes into its cache
    /// costs 1.25 times input (gpt-5.6 and later): a quarter of it is counted as input once more, rounded up, because
    /// there is no component of its own.
    fn usage(self) -> Usage {
        let details = self.prompt_tokens_details.unwrap_or_default();
        let cached = details.cached_tokens.unwrap_or(0).min(self.prompt_tokens);
        let surcharge = details
            .cache_write_tokens
            .unwrap_or(0)
            .min(self.prompt_tokens)
            .div_ceil(4);
        Usage::none()
            .with(
                Component::EnrichmentIn,
                (self.prompt_tokens - cached).saturating_add(surcharge),
            )
            .with(Component::EnrichmentCached, cached)
            .with(Component::EnrichmentOut, self.completion_tokens)
    }
}
