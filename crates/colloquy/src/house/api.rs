//! The public API, as researchers and participants use it, and the metrics.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// A way to one server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An invitation to an interview.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) link: String,
}

/// What the figures need of a session.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) state: String,
    pub(crate) outcome: Option<String>,
    pub(crate) report: String,
    pub(crate) first_voice_ms: Option<u64>,
}

/// The work in one lane.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lane {
    pub(crate) ready: u64,
    pub(crate) leased: u64,
    pub(crate) dead: u64,
}

impl Api {
    pub(crate) fn new(base: String, token: String) -> anyhow::Result<Api> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()?;
        Ok(Api { http, base, token })
    }

    pub(crate) async fn put_study(&self, yaml: &'static str) -> anyhow::Result<()> {
        let request = self
            .http
            .post(format!("{}/api/v1/studies", self.base))
            .header("content-type", "text/yaml")
            .body(yaml);
        good(request.bearer_auth(&self.token)).await.map(drop)
    }

    /// Invites to a study, `full` or `rehearsal`.
    pub(crate) async fn invite(
        &self,
        study: &str,
        length: &str,
        count: u32,
    ) -> anyhow::Result<Vec<Invitation>> {
        #[derive(Deserialize)]
        struct Body {
            sessions: Vec<Invitation>,
        }
        let url = format!("{}/api/v1/studies/{study}/sessions", self.base);
        let request = self
            .http
            .post(url)
            .json(&json!({ "length": length, "count": count }));
        let body: Body = good(request.bearer_auth(&self.token)).await?.json().await?;
        Ok(body.sessions)
    }

    pub(crate) async fn session(&self, id: &str) -> anyhow::Result<Session> {
        #[derive(Deserialize)]
        struct Body {
            session: Session,
        }
        let request = self.http.get(format!("{}/api/v1/sessions/{id}", self.base));
        let body: Body = good(request.bearer_auth(&self.token)).await?.json().await?;
        Ok(body.session)
    }

    /// All journal entries of a session, oldest first.
    pub(crate) async fn journal(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        #[derive(Deserialize)]
        struct Body {
            entries: Vec<Value>,
        }
        let url = format!("{}/api/v1/sessions/{id}/journal", self.base);
        let body: Body = good(self.http.get(url).bearer_auth(&self.token))
            .await?
            .json()
            .await?;
        Ok(body.entries)
    }

    /// What a session cost.
    pub(crate) async fn costs(&self, id: &str) -> anyhow::Result<Value> {
        #[derive(Deserialize)]
        struct Body {
            costs: Value,
        }
        let url = format!("{}/api/v1/sessions/{id}/costs", self.base);
        let body: Body = good(self.http.get(url).bearer_auth(&self.token))
            .await?
            .json()
            .await?;
        Ok(body.costs)
    }

    /// What waits, is under way and is dead in each lane.
    pub(crate) async fn lanes(&self) -> anyhow::Result<Vec<Lane>> {
        #[derive(Deserialize)]
        struct Body {
            lanes: Vec<Lane>,
        }
        let url = format!("{}/api/v1/lanes", self.base);
        let body: Body = good(self.http.get(url).bearer_auth(&self.token))
            .await?
            .json()
            .await?;
        Ok(body.lanes)
    }

    /// Has an operator end a session.
    pub(crate) async fn end(&self, id: &str) -> anyhow::Result<()> {
        let request = self
            .http
            .post(format!("{}/api/v1/sessions/{id}/end", self.base));
        good(request.bearer_auth(&self.token)).await.map(drop)
    }

    /// Consents, offers, and returns the answer.
    pub(crate) async fn connect(
        &self,
        invitation: &Invitation,
        offer: String,
    ) -> anyhow::Result<String> {
        let (_, secret) = invitation
            .link
            .split_once('#')
            .context("the invitation's link has no secret")?;
        let consent = self
            .http
            .post(format!("{}/api/v1/participation/consent", self.base))
            .json(&json!({ "accepted": true }));
        good(consent.bearer_auth(secret)).await?;
        let peers = self
            .http
            .post(format!("{}/api/v1/participation/peers", self.base))
            .header("content-type", "application/sdp")
            .body(offer);
        Ok(good(peers.bearer_auth(secret)).await?.text().await?)
    }

    /// All metrics, as text.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        let request = self.http.get(format!("{}/metrics", self.base));
        Ok(Metrics(
            good(request.bearer_auth(&self.token)).await?.text().await?,
        ))
    }
}

async fn good(request: RequestBuilder) -> anyhow::Result<Response> {
    let response = request.send().await.context("the server does not answer")?;
    let (status, url) = (response.status(), response.url().path().to_owned());
    if status.is_success() {
        return Ok(response);
    }
    let problem: Value = response.json().await.unwrap_or_default();
    bail!(
        "{url} was answered with {status}: {} {}",
        problem["title"].as_str().unwrap_or_default(),
        problem["detail"].as_str().unwrap_or_default()
    );
}

/// Metrics in Prometheus' text format.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// As the server wrote it.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The bound of the bucket in which the percentile lies, in milliseconds, and the number of samples since `before`.
    pub(crate) fn percentile_ms(
        &self,
        before: &Metrics,
        histogram: &str,
        percent: u64,
    ) -> Option<(f64, u64)> {
        let (then, now) = (before.buckets(histogram), self.buckets(histogram));
        let old = |bound: f64| {
            then.iter()
                .find(|(other, _)| *other == bound)
                .map_or(0, |(_, count)| *count)
        };
        let new: Vec<(f64, u64)> = now
            .into_iter()
            .map(|(bound, count)| (bound, count - old(bound).min(count)))
            .collect();
        let total = new
            .last()
            .map(|(_, count)| *count)
            .filter(|count| *count > 0)?;
        let wanted = (total * percent).div_ceil(100);
        new.iter()
            .find(|(_, count)| *count >= wanted)
            .map(|(bound, _)| (bound * 1_000.0, total))
    }

    fn buckets(&self, histogram: &str) -> Vec<(f64, u64)> {
        let head = format!("{histogram}_bucket{{le=\"");
        let lines = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix(&head)?.split_once("\"} "));
        lines
            .filter_map(|(bound, count)| {
                Some((
                    bound.parse().unwrap_or(f64::INFINITY),
                    count.trim().parse().ok()?,
                ))
            })
            .collect()
    }

    /// The value of a metric without labels.
    pub(crate) fn gauge(&self, name: &str) -> Option<f64> {
        let line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(line)
    }

    /// All tasks, connections and links that are alive.
    pub(crate) fn alive(&self) -> f64 {
        let lines = self.0.lines();
        let alive = lines.filter(|line| line.starts_with("colloquy_alive{"));
        alive
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// What was dropped, `kind count`, zeros left out.
    pub(crate) fn dropped(&self) -> Vec<String> {
        let lines = self.0.lines().filter_map(|line| {
            line.strip_prefix("colloquy_dropped_total{kind=\"")?
                .split_once("\"} ")
        });
        lines
            .filter(|(_, count)| *count != "0")
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_of_a_histogram_counts_only_what_came_since() {
        let text = |counts: [u32; 3]| {
            let [a, b, c] = counts;
            Metrics(format!(
                "h_bucket{{le=\"0.01\"}} {a}\nh_bucket{{le=\"0.02\"}} {b}\nh_bucket{{le=\"+Inf\"}} {c}\nh_count {c}\n"
            ))
        };
        let (before, after) = (text([50, 50, 50]), text([60, 140, 150]));
        assert_eq!(after.percentile_ms(&before, "h", 10), Some((10.0, 100)));
        assert_eq!(after.percentile_ms(&before, "h", 50), Some((20.0, 100)));
        assert_eq!(
            after.percentile_ms(&before, "h", 99),
            Some((f64::INFINITY, 100))
        );
        assert_eq!(after.percentile_ms(&after, "h", 50), None);
    }

    #[test]
    fn only_what_was_really_dropped_is_listed() {
        let metrics = Metrics("colloquy_dropped_total{kind=\"datagram\"} 0\ncolloquy_dropped_total{kind=\"audio_in\"} 3\n".to_owned());
        assert_eq!(metrics.dropped(), ["audio_in 3"]);
    }
}
