//! The HTTP endpoints: models, temporary keys, chat completions, file transcription.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use sim::corpus::Corpus;
use sim::provider::{HttpFault, Keys, SimConfig};

use crate::client::{Client, Provider, provider};

fn url(provider: &Provider, path: &str) -> String {
    format!("http://{}/v1/{path}", provider.address)
}

async fn get(provider: &Provider, path: &str) -> (u16, Value) {
    let response = reqwest::Client::new()
        .get(url(provider, path))
        .bearer_auth("k")
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn post(provider: &Provider, path: &str, body: &Value) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(url(provider, path))
        .bearer_auth("k")
        .json(body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn coding_request(segments: &[(&str, &str)]) -> Value {
    let code = json!({
        "type": "object", "additionalProperties": false, "required": ["sentiment", "score", "topics", "quote"],
        "properties": {
            "sentiment": { "type": "string", "enum": ["negative", "mixed", "neutral", "positive"] },
            "score": { "type": "number", "minimum": -1, "maximum": 1 },
            "topics": { "type": "array", "items": { "type": "string" } },
            "quote": { "type": ["string", "null"] },
        },
    });
    let ids: Vec<&str> = segments.iter().map(|(id, _)| *id).collect();
    let properties: serde_json::Map<String, Value> = ids
        .iter()
        .map(|id| ((*id).to_owned(), code.clone()))
        .collect();
    let lines: Vec<String> = segments
        .iter()
        .map(|(id, text)| format!("{id}: {text}"))
        .collect();
    json!({
        "model": "gpt-6-luna", "max_completion_tokens": 4000,
        "messages": [
            { "role": "system", "content": "Code each segment." },
            { "role": "user", "content": format!("Segments:\n{}", lines.join("\n")) },
        ],
        "response_format": { "type": "json_schema", "json_schema": {
            "name": "segment_codes", "strict": true,
            "schema": { "type": "object", "additionalProperties": false, "required": ids, "properties": properties },
        } },
    })
}

#[tokio::test]
async fn models_are_listed_and_announce_their_end() {
    let provider = provider(SimConfig::instant()).await;
    let (status, list) = get(&provider, "models").await;
    assert_eq!((status, &list["object"]), (200, &json!("list")));
    assert_eq!(
        get(&provider, "models/gpt-realtime").await.1["shutdown_date"],
        "2027-01-20"
    );
    assert_eq!(
        get(&provider, "models/gpt-2").await,
        (404, get(&provider, "models/gpt-2").await.1)
    );
    assert_eq!(
        get(&provider, "models/gpt-2").await.1["error"]["code"],
        "model_not_found"
    );
    assert_eq!(get(&provider, "nonsense").await.0, 404);
}

#[tokio::test]
async fn a_temporary_key_opens_a_session() {
    let provider = provider(SimConfig {
        keys: Keys::OneOf(vec!["k".into()]),
        ..SimConfig::instant()
    })
    .await;
    let body = json!({ "session": { "type": "realtime", "model": "gpt-realtime-2.1" } });
    let (status, secret) = post(&provider, "realtime/client_secrets", &body).await;
    assert_eq!(status, 200);
    let key = secret["value"].as_str().unwrap();
    assert!(key.starts_with("ek_"));
    assert_eq!(
        Client::connect(&provider, key).await.unwrap().event().await["type"],
        "session.created"
    );
    assert!(Client::connect(&provider, "ek_guessed").await.is_err());
}

#[tokio::test]
async fn segments_are_coded_in_the_shape_of_the_schema() {
    let provider = provider(SimConfig::instant()).await;
    let clip = Corpus::embedded()
        .get("a-maya-exploration-meetings-1")
        .unwrap();
    let request = coding_request(&[
        ("s1", &clip.text),
        ("s2", "It is much too expensive, and I hate the contract."),
    ]);
    let response = reqwest::Client::new()
        .post(url(&provider, "chat/completions"))
        .bearer_auth("k")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    for header in [
        "x-request-id",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "openai-processing-ms",
    ] {
        assert!(response.headers().contains_key(header), "{header}");
    }
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
    let content: Value =
        serde_json::from_str(body["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    let schema = &request["response_format"]["json_schema"]["schema"];
    assert!(
        jsonschema::validator_for(schema)
            .unwrap()
            .is_valid(&content),
        "{content:#}"
    );
    assert_eq!(
        (&content["s1"]["sentiment"], &content["s1"]["topics"]),
        (&json!("positive"), &json!(clip.topics))
    );
    assert!(clip.text.contains(content["s1"]["quote"].as_str().unwrap()));
    assert_eq!(content["s2"]["sentiment"], "negative");
}

#[tokio::test]
async fn requests_that_the_vendor_refuses_are_refused_in_its_words() {
    let provider = provider(SimConfig::instant()).await;
    let good = coding_request(&[("s1", "Fine.")]);
    let mut open = good.clone();
    open["response_format"]["json_schema"]["schema"]["additionalProperties"] = json!(true);
    let mut old = good.clone();
    old["max_tokens"] = json!(100);
    let mut unknown = good.clone();
    unknown["model"] = json!("gpt-0");
    let mut mute = good.clone();
    mute["messages"] = json!([]);
    for (request, status, param) in [
        (&open, 400, "response_format"),
        (&old, 400, "max_tokens"),
        (&unknown, 404, "model"),
        (&mute, 400, "messages"),
    ] {
        let (got, body) = post(&provider, "chat/completions", request).await;
        assert_eq!(
            (got, &body["error"]["param"]),
            (status, &json!(param)),
            "{body}"
        );
    }
    let response = reqwest::Client::new()
        .post(url(&provider, "chat/completions"))
        .json(&good)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn any_other_schema_gets_a_valid_instance_and_no_schema_a_sentence() {
    let provider = provider(SimConfig::instant()).await;
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["summary", "count"], "properties": {"summary": {"type": "string"}, "count": {"type": "integer"}}});
    let mut request = json!({ "model": "gpt-6-luna", "messages": [{ "role": "user", "content": "The tools matter. Much else does not." }] });
    let (_, plain) = post(&provider, "chat/completions", &request).await;
    assert_eq!(
        plain["choices"][0]["message"]["content"],
        "In short: The tools matter."
    );
    request["response_format"] = json!({ "type": "json_schema", "json_schema": { "name": "report", "strict": true, "schema": schema } });
    let (_, shaped) = post(&provider, "chat/completions", &request).await;
    let content: Value =
        serde_json::from_str(shaped["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        content,
        json!({ "summary": "The tools matter.", "count": 0 })
    );
}

#[tokio::test]
async fn chat_fails_as_configured_and_then_recovers() {
    let faults = vec![
        (
            1,
            HttpFault::RateLimit {
                retry_after_ms: 1574,
            },
        ),
        (2, HttpFault::TooLarge),
        (3, HttpFault::Quota),
        (4, HttpFault::ServerError),
        (5, HttpFault::CutOff),
        (6, HttpFault::WrongShape),
    ];
    let provider = provider(SimConfig {
        chat_faults: faults,
        ..SimConfig::instant()
    })
    .await;
    let request = coding_request(&[("s1", "Fine, thank you, it works well.")]);
    let first = reqwest::Client::new()
        .post(url(&provider, "chat/completions"))
        .bearer_auth("k")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["retry-after-ms"].to_str().unwrap()
        ),
        (429, "1574")
    );
    let (status, body) = post(&provider, "chat/completions", &request).await;
    assert!(
        status == 429
            && body["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("Request too large"),
        "{body}"
    );
    assert_eq!(
        post(&provider, "chat/completions", &request).await.1["error"]["code"],
        "insufficient_quota"
    );
    assert_eq!(post(&provider, "chat/completions", &request).await.0, 500);
    let (_, cut) = post(&provider, "chat/completions", &request).await;
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    assert!(
        serde_json::from_str::<Value>(cut["choices"][0]["message"]["content"].as_str().unwrap())
            .is_err()
    );
    let (_, wrong) = post(&provider, "chat/completions", &request).await;
    assert!(
        serde_json::from_str::<Value>(wrong["choices"][0]["message"]["content"].as_str().unwrap())
            .unwrap()["s1"]
            .is_null()
    );
    let (status, good) = post(&provider, "chat/completions", &request).await;
    assert!(status == 200 && good["choices"][0]["finish_reason"] == "stop");
}

async fn transcribe(provider: &Provider, file: Vec<u8>) -> (u16, Value) {
    let form = reqwest::multipart::Form::new()
        .text("model", "gpt-transcribe")
        .part(
            "file",
            reqwest::multipart::Part::bytes(file).file_name("a.ogg"),
        );
    let response = reqwest::Client::new()
        .post(url(provider, "audio/transcriptions"))
        .bearer_auth("k")
        .multipart(form)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn an_uploaded_answer_is_transcribed_word_for_word() {
    let provider = provider(SimConfig::instant()).await;
    let clip = Corpus::embedded().get("a-owen-warmup-role-1").unwrap();
    let file = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/voices/en/a-owen-warmup-role-1.opus"
    ))
    .unwrap();
    let (status, body) = transcribe(&provider, file).await;
    assert_eq!((status, &body["text"]), (200, &json!(clip.text)));
    assert_eq!(body["usage"]["type"], "duration");
    assert_eq!(
        transcribe(&provider, b"no audio at all".to_vec()).await.0,
        400
    );
}
