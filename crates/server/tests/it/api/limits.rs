//! Too much of something: bodies, requests.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;
use sim::provider::SimConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Api, invited, problem};
use crate::harness::{Caller, House, PATIENCE, house, house_with};

const DECLARED: usize = 50 * 1024 * 1024;
/// More than the limit, and far less than was declared.
const SENT: usize = 600_000;

/// Declares 50 MB, sends a part and listens: whoever waits for the rest never answers.
async fn answer_to_a_part(
    house: &House,
    path: &str,
    token: &str,
    kind: &str,
    declare: &str,
) -> String {
    let mut stream = TcpStream::connect(house.running.http_addr()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n{declare}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let part = if declare.starts_with("transfer") {
        let mut chunk = format!("{SENT:x}\r\n").into_bytes();
        chunk.resize(chunk.len() + SENT, b'a');
        chunk
    } else {
        vec![b'a'; SENT]
    };
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let listen = async {
        let mut buffer = [0; 4_096];
        loop {
            let length = reading.read(&mut buffer).await.unwrap_or(0);
            answer.extend_from_slice(&buffer[..length]);
            let text = String::from_utf8_lossy(&answer);
            if length == 0 || text.contains("\"remedy\"") {
                return text.into_owned();
            }
        }
    };
    // The server may hang up while this is written.
    let (_, answer) = tokio::join!(writing.write_all(&part), timeout(PATIENCE, listen));
    answer.expect("it answers without waiting for the rest")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_50_mb_is_refused_before_it_was_read() {
    let house = house(SimConfig::instant()).await;
    let (_, secret) = house.invite().await;
    let console = house.running.console_token().to_owned();
    let length = format!("content-length: {DECLARED}");
    for (path, token, kind) in [
        ("/api/v1/studies", &console, "text/yaml"),
        (
            "/api/v1/studies/first-job/sessions",
            &console,
            "application/json",
        ),
        ("/api/v1/participation/consent", &secret, "application/json"),
        ("/api/v1/participation/peers", &secret, "application/sdp"),
    ] {
        for declare in [length.as_str(), "transfer-encoding: chunked"] {
            let answer = answer_to_a_part(&house, path, token, kind, declare).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
            assert!(
                answer.contains("application/problem+json"),
                "{path}: {answer}"
            );
            assert!(answer.contains("http.body_bytes_max"), "{path}: {answer}");
        }
    }
    let stranger =
        answer_to_a_part(&house, "/api/v1/studies", "nobody", "text/yaml", &length).await;
    assert!(stranger.starts_with("HTTP/1.1 401 "), "{stranger}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_from_one_address_are_refused_and_nobody_else_notices() {
    let house = house_with(SimConfig::instant(), |config| {
        config.http.requests_per_minute = 1
    })
    .await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    let (_, secret) = invited(&house, None).await;
    let flood = Api::new(&house);
    let neighbour = Api::from(&house, [127, 0, 0, 2].into());
    let path = "/api/v1/participation";
    let asked = join_all((0..1_000).map(|_| flood.get(path).bearer_auth(&secret).send())).await;
    let (mut served, mut refused) = (0, 0);
    for answer in asked {
        let answer = answer.unwrap();
        if answer.status() == StatusCode::OK {
            served += 1;
            continue;
        }
        assert!(answer.headers().contains_key("retry-after"));
        let told = problem(answer, StatusCode::TOO_MANY_REQUESTS).await;
        assert_eq!(told["type"], "/problems/rate");
        refused += 1;
    }
    // The burst, and what the clock added meanwhile.
    assert!(
        (120..=140).contains(&served),
        "{served} served, {refused} refused"
    );
    // Pages are public too.
    problem(
        flood.get("/i").send().await.unwrap(),
        StatusCode::TOO_MANY_REQUESTS,
    )
    .await;
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            flood.get(probe).send().await.unwrap().status(),
            StatusCode::OK,
            "{probe}"
        );
    }
    assert_eq!(
        flood.console("/api/v1/sessions").await.status(),
        StatusCode::OK,
        "the console from the same address"
    );
    let other = neighbour
        .post("/api/v1/participation/consent")
        .bearer_auth(&secret)
        .json(&json!({ "accepted": true }));
    assert_eq!(
        other.send().await.unwrap().status(),
        StatusCode::OK,
        "another address"
    );
    let text = house.app().metrics.text();
    assert!(
        text.contains(&format!(
            "colloquy_refused_total{{reason=\"rate\"}} {}",
            refused + 1
        )),
        "{text}"
    );
    // The interview that runs never noticed.
    caller.say(r#"{"type":"repeat"}"#).await;
    caller.hears_more(25).await;
    house.app().registry.end(&id).await.unwrap();
    caller.until_type("ended").await;
    house.ended(&id).await;
    house.idle().await;
    house.close().await;
}
