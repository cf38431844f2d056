//! Jobs `webhook`: an event to the researcher's own server, signed, again and again until it is taken.
//!
//! Headers and signature are those of Standard Webhooks (<https://www.standardwebhooks.com>, November 2026), so that receivers
//! can check them with a library that they have: `webhook-id` is the same for every try, `webhook-signature` is
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use std::time::Duration;

use base64_simd::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use store::{Completion, Lane, Lease, NewJob};

use super::Failure;
use crate::app::App;
use crate::http::rfc3339;

/// The job's kind.
pub(super) const WEBHOOK: &str = "webhook";
/// An interview is over. Its results are not there yet.
pub(super) const SESSION_ENDED: &str = "session.ended";
/// A report is there, or was made again.
pub(super) const REPORT_READY: &str = "report.ready";

/// With waits up to a minute: about a quarter of an hour, then it is a dead letter, which can be put back.
pub(super) const ATTEMPTS_MAX: u32 = 20;
/// What a secret begins with that is written in base64.
const ENCODED: &str = "whsec_";

/// The job that tells of an event; none if nobody wants to know. `which` tells it from others of its kind, and may be empty.
pub(super) fn event_job(app: &App, of: &Lease, event: &str, which: &str) -> Option<NewJob> {
    if app.config.webhooks.url.is_empty() {
        return None;
    }
    Some(NewJob {
        lane: Lane::Delivery,
        kind: WEBHOOK.to_owned(),
        session_id: of.session_id.clone(),
        key: format!("{event}{which}"),
        rank: of.rank,
        due_us: of.due_us,
        body: json!({ "event": event }),
    })
}

/// Posts.
pub(super) struct Sender {
    http: reqwest::Client,
    timeout: Duration,
}

impl Sender {
    pub(super) fn new(app: &App) -> Sender {
        let webhooks = &app.config.webhooks;
        Sender {
            http: super::call::builder(&webhooks.url)
                .build()
                .expect("the TLS library is compiled in, so a client can always be made"),
            timeout: Duration::from_millis(webhooks.timeout_ms),
        }
    }
}

pub(super) async fn run(app: &App, sender: &Sender, lease: &Lease) -> Result<(), Failure> {
    let webhooks = &app.config.webhooks;
    if webhooks.url.is_empty() {
        return Err(Failure::hopeless(
            "there is no webhook any more: set webhooks.url and put this back, or leave it",
        ));
    }
    let now_us = app.store.now_us();
    let body = payload(app, lease, now_us).await?;
    let id = format!("{}:{}", lease.session_id, lease.key);
    let timestamp_s = now_us / 1_000_000;
    let signature = signature(webhooks.secret.expose(), &id, timestamp_s, &body);
    let post = sender
        .http
        .post(&webhooks.url)
        .timeout(sender.timeout)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp_s)
        .header("webhook-signature", signature)
        .body(body);
    // The address may hold a secret: no error of the client is repeated.
    let Ok(answer) = post.send().await else {
        return Err(Failure::transient(
            "the webhook's receiver cannot be reached, or does not answer in time",
        ));
    };
    match answer.status().as_u16() {
        200..=299 => Ok(app.store.complete(lease, Completion::default()).await?),
        410 => Err(Failure::hopeless(
            "the webhook's receiver says that it is gone (410)",
        )),
        status => Err(Failure::transient(format!(
            "the webhook's receiver answered {status}"
        ))),
    }
}

/// What is told: which session, and how it ended. What was said is for whoever has the console's token.
async fn payload(app: &App, lease: &Lease, now_us: i64) -> Result<String, Failure> {
    let Some(session) = app.store.session(&lease.session_id).await? else {
        return Err(Failure::hopeless("the session of this job does not exist"));
    };
    let event = lease.body.get("event").and_then(Value::as_str);
    let payload = json!({
        "type": event.unwrap_or_default(),
        "timestamp": rfc3339(now_us),
        "data": {
            "session_id": session.session_id.as_str(),
            "study_id": session.study_id.as_str(),
            "study_version": session.study_version,
            "external_id": session.external_id,
            "outcome": session.outcome.map(engine::journal::Outcome::name),
        },
    });
    Ok(payload.to_string())
}

fn signature(secret: &str, id: &str, timestamp_s: i64, body: &str) -> String {
    let key = secret
        .strip_prefix(ENCODED)
        .and_then(|encoded| STANDARD.decode_to_vec(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
    format!(
        "v1,{}",
        STANDARD.encode_to_string(mac.finalize().into_bytes())
    )
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_is_that_of_the_standards_own_example() {
        // <https://github.com/standard-webhooks/standard-webhooks>, the test of its JavaScript library.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
