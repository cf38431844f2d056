//! The console's API, as the demo needs it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

/// A researcher's way in.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An invitation.
#[derive(Deserialize)]
pub(super) struct Invitation {
    pub(super) id: String,
    pub(super) link: String,
}

/// What the summary needs of a session.
#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) outcome: Option<String>,
    pub(super) report: String,
}

/// What the summary needs of a report.
#[derive(Deserialize)]
pub(super) struct Figures {
    pub(super) turns: u64,
    pub(super) minutes: f64,
    pub(super) phases_visited: u64,
    pub(super) first_voice_ms: Option<u64>,
    pub(super) response_latency_p50_ms: Option<u64>,
    pub(super) cost_micro_usd: i64,
}

impl Client {
    pub(super) fn new(base: &str, token: &str) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()?;
        Ok(Client {
            http,
            base: base.to_owned(),
            token: token.to_owned(),
        })
    }

    pub(super) fn console_link(&self) -> String {
        format!("{}/console#token={}", self.base, self.token)
    }

    pub(super) fn session_link(&self, id: &str) -> String {
        format!("{}/console/sessions/{id}#token={}", self.base, self.token)
    }

    pub(super) async fn put_study(&self, yaml: &'static str) -> anyhow::Result<()> {
        let request = self
            .http
            .post(format!("{}/api/v1/studies", self.base))
            .header("content-type", "text/yaml")
            .body(yaml);
        self.answer::<serde_json::Value>(request)
            .await
            .context("the example study was not accepted")
            .map(drop)
    }

    pub(super) async fn invite(&self, study: &str, length: &str) -> anyhow::Result<Invitation> {
        #[derive(Deserialize)]
        struct Body {
            sessions: Vec<Invitation>,
        }
        let url = format!("{}/api/v1/studies/{study}/sessions", self.base);
        let body: Body = self
            .answer(
                self.http
                    .post(url)
                    .json(&serde_json::json!({ "length": length })),
            )
            .await?;
        body.sessions
            .into_iter()
            .next()
            .context("the server made no session")
    }

    /// Waits for the report: the session, its figures, and how long it took from now.
    pub(super) async fn report(
        &self,
        id: &str,
        stop: &CancellationToken,
    ) -> anyhow::Result<(Session, Figures, Duration)> {
        #[derive(Deserialize)]
        struct One {
            session: Session,
        }
        #[derive(Deserialize)]
        struct Report {
            figures: Figures,
        }
        #[derive(Deserialize)]
        struct Body {
            report: Report,
        }
        let began = Instant::now();
        loop {
            let one: One = self
                .answer(self.http.get(format!("{}/api/v1/sessions/{id}", self.base)))
                .await?;
            match one.session.report.as_str() {
                "ready" => {
                    let waited = began.elapsed();
                    let body: Body = self
                        .answer(
                            self.http
                                .get(format!("{}/api/v1/sessions/{id}/report", self.base)),
                        )
                        .await?;
                    return Ok((one.session, body.report.figures, waited));
                }
                "failed" => bail!("the report failed: the session's page in the console says why"),
                _ => {}
            }
            tokio::select! {
                () = stop.cancelled() => bail!("stopped while waiting for the report"),
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .context("the server does not answer")?;
        let status = response.status();
        let text = response.text().await?;
        if status == StatusCode::OK || status == StatusCode::CREATED {
            return serde_json::from_str(&text)
                .context("the server's answer is not what its API promises");
        }
        bail!("the server answered {status}: {text}")
    }
}
