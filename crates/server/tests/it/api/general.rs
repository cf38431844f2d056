//! What holds for the whole face of the server: events, addresses that mean nothing, headers, metrics.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::metrics::Metrics;
use sim::provider::SimConfig;
use store::ReportState;
use tokio::time::timeout;

use super::{Api, documented, invited, problem};
use crate::finished::{ANSWERS, ChatEndpoint, Reply, finish, until, until_report};
use crate::harness::{PATIENCE, house, house_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_stream_tells_of_a_change_with_the_whole_summary() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = invited(&house, None).await;
    let mut stream = api.console("/api/v1/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let decided = api
        .post("/api/v1/participation/consent")
        .bearer_auth(&secret)
        .json(&json!({ "accepted": false }));
    assert_eq!(decided.send().await.unwrap().status(), StatusCode::OK);
    let heard = async {
        let mut text = String::new();
        while !text.contains("\n\n") {
            text.push_str(&String::from_utf8_lossy(
                &stream.chunk().await.unwrap().unwrap(),
            ));
        }
        text
    };
    let text = timeout(PATIENCE, heard).await.unwrap();
    assert!(text.starts_with("event: session\n"), "{text}");
    let data = text
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let summary: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (&summary["id"], &summary["outcome"]),
        (&json!(id.as_str()), &json!("no_consent"))
    );
    let document = api.document().await;
    let listed = json!({ "sessions": [summary], "next_before": null });
    documented(&document, "get", "/api/v1/sessions", "200", &listed);
    // An open stream does not keep the server from stopping.
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_mean_nothing_say_so_and_every_answer_is_guarded() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    for path in [
        "/api/v1/nonsense",
        "/api/",
        "/api",
        "/assets/none.js",
        "/nonsense",
        "/i/../../etc/passwd",
        "/interview",
    ] {
        problem(api.get(path).send().await.unwrap(), StatusCode::NOT_FOUND).await;
    }
    for path in [
        "/api/v1/sessions/none",
        "/api/v1/sessions/none/turns",
        "/api/v1/sessions/none/report",
        "/api/v1/studies/none",
    ] {
        problem(api.console(path).await, StatusCode::NOT_FOUND).await;
    }
    for (method, path) in [
        (Method::PUT, "/api/v1/studies"),
        (Method::DELETE, "/api/v1/sessions"),
        (Method::POST, "/healthz"),
    ] {
        problem(
            api.request(method, path).send().await.unwrap(),
            StatusCode::METHOD_NOT_ALLOWED,
        )
        .await;
    }
    problem(
        api.console_post("/api/v1/sessions/none/end", &json!({}))
            .await,
        StatusCode::NOT_FOUND,
    )
    .await;
    let (id, _) = house.invite().await;
    problem(
        api.console_post(&format!("/api/v1/sessions/{id}/end"), &json!({}))
            .await,
        StatusCode::CONFLICT,
    )
    .await;
    problem(
        api.console(&format!("/api/v1/sessions/{id}/report")).await,
        StatusCode::NOT_FOUND,
    )
    .await;

    for path in [
        "/",
        "/i",
        "/console/sessions/x",
        "/api/v1/studies",
        "/api/v1/nonsense",
        "/healthz",
        "/metrics",
    ] {
        let answer = api.get(path).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert!(
            headers["permissions-policy"]
                .to_str()
                .unwrap()
                .contains("microphone=(self)"),
            "{path}"
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("script-src"),
            "{policy}"
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_be_scraped_and_hold_no_secret() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, Vec::new()).await;
    until_report(house.app(), &id, ReportState::Ready).await;
    drop(
        api.get("/api/v1/participation")
            .bearer_auth(&secret)
            .send()
            .await
            .unwrap(),
    );
    drop(api.console("/api/v1/sessions").await);
    assert_eq!(
        api.get("/readyz").send().await.unwrap().status(),
        StatusCode::OK
    );
    let answer = api.get("/metrics").send().await.unwrap();
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text().await.unwrap();
    for hidden in [
        secret.as_str(),
        api.token.as_str(),
        id.as_str(),
        "127.0.0.1",
        "test-key",
    ] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series
            .split('{')
            .next()
            .unwrap()
            .strip_prefix("colloquy_")
            .unwrap();
        let known = Metrics::NAMES.iter().any(|known| {
            name.strip_prefix(known)
                .is_some_and(|rest| ["", "_total", "_sum", "_count", "_bucket"].contains(&rest))
        });
        assert!(known, "{line}");
    }
    let gauge = |text: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("colloquy_enrichment_queue_segments "))
            .map(str::to_owned)
    };
    assert_eq!(
        gauge(&text).as_deref(),
        Some("0"),
        "a drained queue reports 0"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_segments_are_counted_when_somebody_asks() {
    let endpoint = ChatEndpoint::serve(0, |_, _| Reply::Never).await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url
    })
    .await;
    let (id, _) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, Vec::new()).await;
    until(house.app(), "a call", async || endpoint.calls() == 1).await;
    let text = Api::new(&house)
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.contains("colloquy_enrichment_queue_segments 3"),
        "{text}"
    );
    house.close().await;
}
