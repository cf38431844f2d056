//! Calls of the chat-completions endpoint, bounded in time and size; each with a turn of the [`Gate`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use providers::Secret;
use providers::chat::{
    ChatError, ChatErrorCategory, Message, Quirks, RateLimits, Reply, Request, RetryHint, Schema,
    endpoint, parse_reply,
};

use super::gate::{Gate, Turn};
use crate::config::Config;

/// An answer for twenty segments has some 4 KiB; more than this is no answer.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Fields that an endpoint can refuse, one after the other.
const LEARN_MAX: usize = 4;

/// The endpoint and how to call it.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
    /// As they are learnt.
    quirks: Mutex<Quirks>,
    model: String,
    gate: Arc<Gate>,
}

impl Client {
    pub(super) fn new(config: &Config, gate: Arc<Gate>) -> Client {
        let (base_url, key) = config.enrichment_endpoint();
        let key: Option<&Secret> = Some(&key).filter(|key| !key.expose().is_empty());
        let endpoint = endpoint(&base_url, key);
        let timeout = Duration::from_millis(config.enrichment.timeout_ms);
        let builder = builder(&base_url).timeout(timeout);
        let own = config.enrichment.base_url.is_empty() || base_url.contains("api.openai.com");
        Client {
            http: builder
                .build()
                .expect("the TLS library is compiled in, so a client can always be made"),
            url: endpoint.url,
            headers: endpoint.headers,
            quirks: Mutex::new(if own {
                Quirks::openai()
            } else {
                Quirks::local()
            }),
            model: config.enrichment.model.clone(),
            gate,
        }
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Asks for an answer in the form of `schema`, and lets the gate learn from how that went.
    pub(super) async fn ask(
        &self,
        turn: Turn,
        system: String,
        user: String,
        schema: Schema,
        cache_key: &str,
        max_output_tokens: u32,
    ) -> Result<Reply, ChatError> {
        let mut request = Request {
            model: self.model.clone(),
            messages: vec![Message::system(system), Message::user(user)],
            schema: Some(schema),
            max_output_tokens,
            cache_key: Some(cache_key.to_owned()),
            quirks: self.quirks().clone(),
        };
        let mut result = self.post(&request).await;
        for _ in 0..LEARN_MAX {
            match &result {
                Err(error) if error.category == ChatErrorCategory::Invalid => {
                    if !request.quirks.learn(&error.detail) {
                        break;
                    }
                }
                _ => break,
            }
            tracing::info!(
                "the chat endpoint does not know a field, which is left out from now on"
            );
            self.quirks().clone_from(&request.quirks);
            result = self.post(&request).await;
        }
        turn.end(&result);
        result
    }

    fn quirks(&self) -> MutexGuard<'_, Quirks> {
        // Held for a copy, which leaves it whole.
        self.quirks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn post(&self, request: &Request) -> Result<Reply, ChatError> {
        let post = self.http.post(&self.url).body(request.body());
        exchange(post, &self.headers, parse_reply).await
    }
}

/// Sends it with these headers and makes something of the answer.
pub(super) async fn exchange<T>(
    mut post: reqwest::RequestBuilder,
    headers: &[(String, String)],
    parse: impl FnOnce(u16, &[(&str, &str)], &[u8]) -> Result<T, ChatError>,
) -> Result<T, ChatError> {
    for (name, value) in headers {
        post = post.header(name, value);
    }
    let response = post.send().await.map_err(|error| unreachable(&error))?;
    let (status, headers, body) = read(response).await?;
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    parse(status, &headers, &body)
}

/// Status, headers and body of an answer, bounded.
async fn read(
    response: reqwest::Response,
) -> Result<(u16, Vec<(String, String)>, Vec<u8>), ChatError> {
    let status = response.status().as_u16();
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = Vec::new();
    let mut parts = response.bytes_stream();
    while let Some(part) = parts.next().await {
        body.extend_from_slice(&part.map_err(|error| unreachable(&error))?);
        if body.len() > BODY_BYTES_MAX {
            return Err(failed(
                ChatErrorCategory::Malformed,
                "the answer is larger than 1 MiB",
            ));
        }
    }
    Ok((status, headers, body))
}

/// A client for this address. A redirect would carry transcripts elsewhere; proxies of the environment are for the way out, not
/// for a server on this machine.
pub(super) fn builder(url: &str) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let local = ["://127.0.0.1", "://localhost", "://[::1]"];
    if local.iter().any(|host| url.contains(host)) {
        builder.no_proxy()
    } else {
        builder
    }
}

fn unreachable(error: &reqwest::Error) -> ChatError {
    let detail = if error.is_timeout() {
        "no answer in time"
    } else {
        "the endpoint cannot be reached"
    };
    failed(ChatErrorCategory::Retryable, detail)
}

fn failed(category: ChatErrorCategory, detail: &str) -> ChatError {
    ChatError {
        category,
        detail: detail.to_owned(),
        retry_after: None,
        retry: RetryHint::Unsaid,
        limits: RateLimits::default(),
    }
}
