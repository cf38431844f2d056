//! Chat completions with structured output.

use std::time::Duration;

use engine::cost::{Component, Usage};
use providers::chat::{
    ChatErrorCategory, Finish, Message, Quirks, Request, RetryHint, Schema, Structured, endpoint,
    parse_reply,
};
use providers::{PriceBook, Secret};
use serde_json::{Value, json};

use crate::support::KEY;

fn request() -> Request {
    Request {
        model: "gpt-6-luna".to_owned(),
        messages: vec![
            Message::system("Code each segment."),
            Message::user("1. Too expensive."),
        ],
        schema: Some(Schema {
            name: "segment_codes".to_owned(),
            schema: json!({ "type": "object", "additionalProperties": false, "required": ["segments"],
                "properties": { "segments": { "type": "array", "items": { "type": "string" } } } }),
        }),
        max_output_tokens: 4_000,
        cache_key: Some("study_42".to_owned()),
        quirks: Quirks::openai(),
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body()).unwrap()
}

#[test]
fn a_request_to_the_vendor_asks_for_strict_output_and_leaves_nothing_stored() {
    let schema = request().schema.unwrap().schema;
    let expected = json!({
        "model": "gpt-6-luna",
        "messages": [
            { "role": "system", "content": "Code each segment." },
            { "role": "user", "content": "1. Too expensive." },
        ],
        "response_format": { "type": "json_schema",
            "json_schema": { "name": "segment_codes", "strict": true, "schema": schema } },
        "max_completion_tokens": 4_000,
        "reasoning_effort": "none",
        "prompt_cache_key": "study_42",
        "store": false,
    });
    assert_eq!(body(&request()), expected);
}

#[test]
fn a_request_to_a_local_server_has_only_what_those_know() {
    let local = Request {
        quirks: Quirks::local(),
        ..request()
    };
    let sent = body(&local);
    let keys: Vec<&str> = sent
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in ["max_tokens", "messages", "model", "response_format"] {
        assert!(keys.contains(&key), "{key}");
    }
    assert_eq!(keys.len(), 4);

    let schema = local.schema.as_ref().unwrap().schema.clone();
    let vllm = Quirks {
        structured: Structured::StructuredOutputs,
        ..Quirks::local()
    };
    let sent = body(&Request {
        quirks: vllm,
        ..local.clone()
    });
    assert_eq!(sent["structured_outputs"], json!({ "json": schema }));
    let plain = Quirks {
        structured: Structured::JsonObject,
        ..Quirks::local()
    };
    let sent = body(&Request {
        quirks: plain,
        ..local
    });
    assert_eq!(sent["response_format"], json!({ "type": "json_object" }));
}

#[test]
fn the_key_is_sent_only_if_there_is_one_and_never_shown() {
    let with = endpoint("https://api.openai.com/v1/", Some(&Secret::new(KEY)));
    assert_eq!(with.url, "https://api.openai.com/v1/chat/completions");
    assert!(
        with.headers
            .contains(&("authorization".to_owned(), format!("Bearer {KEY}")))
    );
    assert!(!format!("{with:?}").contains(KEY));
    assert_eq!(endpoint("http://127.0.0.1:8000/v1", None).headers.len(), 1);
}

#[test]
fn a_schema_that_strict_output_would_refuse_is_found_before_it_is_sent() {
    let problem = |schema: Value| {
        Schema {
            name: "x".to_owned(),
            schema,
        }
        .strict_problem()
    };
    assert_eq!(request().schema.unwrap().strict_problem(), None);
    assert_eq!(
        problem(json!({ "type": "array" })),
        Some("the root is not an object".to_owned())
    );
    let open = json!({ "type": "object", "required": ["a"], "properties": { "a": {} } });
    assert_eq!(
        problem(open),
        Some("root lacks additionalProperties: false".to_owned())
    );
    let optional = json!({ "type": "object", "additionalProperties": false, "required": ["a"], "properties": {
        "a": { "type": "array", "items": { "type": "object", "additionalProperties": false, "required": [],
            "properties": { "b": {} } } } } });
    assert_eq!(
        problem(optional),
        Some("root.a[].b is not required".to_owned())
    );
}

fn answer(content: &Value, finish: &str) -> Vec<u8> {
    json!({ "id": "c", "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": finish,
        "message": { "role": "assistant", "content": content, "refusal": null } }],
        "usage": { "prompt_tokens": 1_000, "completion_tokens": 200, "total_tokens": 1_200,
            "prompt_tokens_details": { "cached_tokens": 600 },
            "completion_tokens_details": { "reasoning_tokens": 50 } } })
    .to_string()
    .into_bytes()
}

#[test]
fn an_answer_has_content_usage_and_limits() {
    let headers = [
        ("X-RateLimit-Limit-Requests", "500"),
        ("x-ratelimit-remaining-requests", "499"),
        ("x-ratelimit-reset-requests", "120ms"),
        ("x-ratelimit-limit-tokens", "-1"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-request-id", "req_1"),
    ];
    let reply = parse_reply(
        200,
        &headers,
        &answer(&json!(r#"{"segments":["price"]}"#), "stop"),
    )
    .unwrap();
    assert_eq!(reply.finish, Finish::Stop);
    assert_eq!(reply.json::<Value>().unwrap()["segments"][0], "price");
    assert_eq!(reply.request_id.as_deref(), Some("req_1"));
    let parts = [
        (Component::EnrichmentIn, 400),
        (Component::EnrichmentCached, 600),
        (Component::EnrichmentOut, 200),
    ];
    assert_eq!(
        reply.usage.iter().collect::<Vec<_>>(),
        parts,
        "cached is subtracted, thinking is contained"
    );
    let requests = reply.limits.requests.unwrap();
    assert_eq!(
        (requests.limit, requests.remaining, requests.reset),
        (500, 499, Duration::from_millis(120))
    );
    assert_eq!(
        reply.limits.tokens, None,
        "some gateways send -1 for nothing"
    );
}

/// gpt-6-luna bills 0.125 per million for cache writes and 0.10 for input (vendor's price page).
#[test]
fn what_the_vendor_writes_into_its_cache_is_billed_at_a_quarter_more() {
    let body = json!({ "choices": [{ "finish_reason": "stop", "message": { "content": "{}" } }],
        "usage": { "prompt_tokens": 1_000_000, "completion_tokens": 0,
            "prompt_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 1_000_000 } } });
    let reply = parse_reply(200, &[], body.to_string().as_bytes()).unwrap();
    let prices = PriceBook::built_in()
        .prices("gpt-6-luna", "2026-11-23")
        .unwrap();
    let cost: i64 = prices
        .charge(&reply.usage)
        .iter()
        .map(|charge| charge.cost.0)
        .sum();
    assert_eq!(cost, 125_000);
}

#[test]
fn a_server_that_reports_nothing_is_still_understood() {
    let body = br#"{"choices":[{"message":{"content":"```json\n{\"ok\":true}\n```"}}]}"#;
    let reply = parse_reply(200, &[], body).unwrap();
    assert_eq!(reply.usage, Usage::none());
    assert_eq!(
        reply.json::<Value>().unwrap(),
        json!({ "ok": true }),
        "and its Markdown fence is taken off"
    );
}

#[test]
fn an_answer_that_is_cut_refused_or_withheld_is_not_parsed_but_billed() {
    let category = |body: &[u8]| {
        let reply = parse_reply(200, &[], body).unwrap();
        assert!(!reply.usage.is_empty());
        reply.json::<Value>().unwrap_err().category
    };
    let whole = json!(r#"{"segments":[]}"#);
    assert_eq!(
        category(&answer(&whole, "length")),
        ChatErrorCategory::TooLarge,
        "even if it parses by accident"
    );
    assert_eq!(
        category(&answer(&Value::Null, "content_filter")),
        ChatErrorCategory::Refused
    );
    assert_eq!(
        category(&answer(&json!("Sure! Here it is"), "stop")),
        ChatErrorCategory::Malformed
    );
    let refusal = json!({ "choices": [{ "finish_reason": "stop",
        "message": { "content": null, "refusal": "I cannot." } }], "usage": { "prompt_tokens": 5 } });
    assert_eq!(
        category(refusal.to_string().as_bytes()),
        ChatErrorCategory::Refused
    );
}

fn failure(status: u16, body: &str) -> ChatErrorCategory {
    parse_reply(status, &[], body.as_bytes())
        .unwrap_err()
        .category
}

#[test]
fn the_same_429_has_three_meanings() {
    let minute = r#"{"error":{"message":"Rate limit reached for gpt-6-luna on tokens per min (TPM): Limit 200000, Used 162960, Requested 42288. Please try again in 1.574s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let large = r#"{"error":{"message":"Request too large for gpt-6-luna on tokens per min (TPM): Limit 30000, Requested 31538.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
    let quota = r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    assert_eq!(failure(429, minute), ChatErrorCategory::RateLimited);
    assert_eq!(failure(429, large), ChatErrorCategory::TooLarge);
    assert_eq!(failure(429, quota), ChatErrorCategory::Misconfigured);
}

#[test]
fn errors_are_told_apart_in_every_servers_shape() {
    let cases = [
        (
            401,
            r#"{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"#,
            ChatErrorCategory::Misconfigured,
        ),
        (403, "<html>", ChatErrorCategory::Misconfigured),
        (
            404,
            r#"{"error":"model 'x' not found"}"#,
            ChatErrorCategory::Misconfigured,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"bad grammar","type":"invalid_request_error"}}"#,
            ChatErrorCategory::Invalid,
        ),
        (
            400,
            r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#,
            ChatErrorCategory::TooLarge,
        ),
        (422, r#"{"detail":"nope"}"#, ChatErrorCategory::Invalid),
        (413, "", ChatErrorCategory::TooLarge),
        (408, "", ChatErrorCategory::Retryable),
        (409, "", ChatErrorCategory::Retryable),
        (
            500,
            r#"{"object":"error","message":"oops","code":500}"#,
            ChatErrorCategory::Retryable,
        ),
        (503, "upstream", ChatErrorCategory::Retryable),
        (200, "not json", ChatErrorCategory::Malformed),
        (
            200,
            r#"{"error":{"message":"out of memory","code":null}}"#,
            ChatErrorCategory::Retryable,
        ),
    ];
    for (status, body, category) in cases {
        assert_eq!(failure(status, body), category, "{status} {body}");
    }
}

#[test]
fn an_error_keeps_the_vendors_words_and_its_wish_for_a_pause() {
    let headers = [("retry-after-ms", "1574"), ("x-should-retry", "false")];
    let error = parse_reply(429, &headers, br#"{"error":{"message":"Slow down"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "rate_limited: HTTP 429: Slow down");
    assert_eq!(error.retry_after, Some(Duration::from_millis(1_574)));
    assert_eq!(error.retry, RetryHint::No);
    let long = parse_reply(500, &[], "x".repeat(5_000).as_bytes()).unwrap_err();
    assert_eq!(long.detail.chars().count(), 300);
}
