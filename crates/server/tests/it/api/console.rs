//! What a researcher's page asks.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;
use sim::provider::SimConfig;
use store::ReportState;

use super::{Api, body, documented, invited, problem};
use crate::finished::{ANSWERS, finish, recording, until_report};
use crate::harness::{house, house_with};

const STUDY: &str = include_str!("../../../../../studies/remote-work-tools.yaml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_console_address_answers_as_the_document_says() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, recording()).await;
    until_report(house.app(), &id, ReportState::Ready).await;
    house.until_recording(&id).await;
    let api = Api::new(&house);
    let document = api.document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));

    let put = api
        .post("/api/v1/studies")
        .bearer_auth(&api.token)
        .header("content-type", "text/yaml")
        .body(STUDY)
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), StatusCode::CREATED);
    let put = body(put).await;
    documented(&document, "post", "/api/v1/studies", "201", &put);
    assert_eq!(put["study"]["source"], STUDY);
    let path = "/api/v1/studies/{id}/sessions";
    let made = api
        .console_post(
            "/api/v1/studies/remote-work-tools/sessions",
            &json!({ "count": 2 }),
        )
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    documented(&document, "post", path, "201", &body(made).await);

    let reads = [
        ("/api/v1/studies", "/api/v1/studies".to_owned()),
        (
            "/api/v1/studies/{id}",
            "/api/v1/studies/first-job".to_owned(),
        ),
        (
            "/api/v1/sessions",
            "/api/v1/sessions?limit=2&state=ended&study_id=first-job".to_owned(),
        ),
        ("/api/v1/sessions/{id}", format!("/api/v1/sessions/{id}")),
        (
            "/api/v1/sessions/{id}/turns",
            format!("/api/v1/sessions/{id}/turns"),
        ),
        (
            "/api/v1/sessions/{id}/report",
            format!("/api/v1/sessions/{id}/report"),
        ),
        (
            "/api/v1/sessions/{id}/costs",
            format!("/api/v1/sessions/{id}/costs"),
        ),
        (
            "/api/v1/sessions/{id}/journal",
            format!("/api/v1/sessions/{id}/journal"),
        ),
        (
            "/api/v1/sessions/{id}/waveform",
            format!("/api/v1/sessions/{id}/waveform"),
        ),
        (
            "/api/v1/studies/{id}/themes",
            "/api/v1/studies/first-job/themes".to_owned(),
        ),
        (
            "/api/v1/studies/{id}/grid",
            "/api/v1/studies/first-job/grid?limit=5".to_owned(),
        ),
        (
            "/api/v1/studies/{id}/search",
            "/api/v1/studies/first-job/search?q=bakery".to_owned(),
        ),
        ("/api/v1/operations", "/api/v1/operations".to_owned()),
        ("/api/v1/lanes", "/api/v1/lanes".to_owned()),
        (
            "/api/v1/jobs",
            format!("/api/v1/jobs?lane=enrichment&state=done&session_id={id}"),
        ),
    ];
    for (template, path) in &reads {
        let answer = api.console(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let answer = body(answer).await;
        assert_eq!(
            answer
                .as_object()
                .unwrap()
                .keys()
                .filter(
                    |key| !["next_before", "stopped", "counted", "truncated", "topics"]
                        .contains(&key.as_str())
                )
                .count(),
            1,
            "one resource: {answer}"
        );
        documented(&document, "get", template, "200", &answer);
    }
    let read: BTreeSet<&str> = reads.iter().map(|(template, _)| *template).collect();
    let unread: Vec<&String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, item)| {
            item["get"]["security"]
                .to_string()
                .contains("console_token")
                && !read.contains(path.as_str())
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(
        unread,
        [
            "/api/v1/events",
            "/api/v1/sessions/{id}/export",
            "/api/v1/sessions/{id}/recording",
            "/api/v1/studies/{id}/export"
        ],
        "tested on their own below"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_is_shown_with_its_codes_and_its_price() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, recording()).await;
    until_report(house.app(), &id, ReportState::Ready).await;
    house.until_recording(&id).await;
    let api = Api::new(&house);
    let path = format!("/api/v1/sessions/{id}");
    let session = body(api.console(&path).await).await["session"].take();
    assert_eq!(
        (
            &session["state"],
            &session["outcome"],
            &session["report"],
            &session["turns"]
        ),
        (
            &json!("ended"),
            &json!("complete"),
            &json!("ready"),
            &json!(6)
        )
    );
    assert!(
        session["recording"]["duration_ms"].as_u64().unwrap() > 5_000,
        "{session}"
    );
    assert!(
        session["ended_at"].as_str().unwrap().ends_with('Z'),
        "{session}"
    );
    let turns = body(api.console(&format!("{path}/turns")).await).await["turns"].take();
    let said: Vec<&str> = turns
        .as_array()
        .unwrap()
        .iter()
        .filter(|turn| turn["speaker"] == "participant")
        .map(|turn| turn["text"].as_str().unwrap())
        .collect();
    assert_eq!(said, ANSWERS);
    assert!(turns[1]["segments"][0]["sentiment"].is_string(), "{turns}");
    let costs = body(api.console(&format!("{path}/costs")).await).await["costs"].take();
    assert_eq!(costs["total_micro_usd"], session["cost_micro_usd"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_token_nothing_is_shown_and_nothing_done() {
    // Four tries at every address are more than one address may make at once.
    let house = house_with(SimConfig::instant(), |config| {
        config.http.requests_burst = 1_000
    })
    .await;
    let api = Api::new(&house);
    let (id, secret) = invited(&house, None).await;
    let document = api.document().await;
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let console = operation["security"].to_string().contains("console_token");
            let (status, kind, other) = if console {
                (
                    StatusCode::UNAUTHORIZED,
                    "/problems/console-token",
                    secret.as_str(),
                )
            } else {
                (
                    StatusCode::NOT_FOUND,
                    "/problems/link-unknown",
                    api.token.as_str(),
                )
            };
            let path = path
                .replace("{id}", id.as_str())
                .replace("{peer}", "1")
                .replace("{segment}", "1");
            let method: reqwest::Method = method.to_uppercase().parse().unwrap();
            for token in [None, Some(""), Some("nonsense"), Some(other)] {
                let mut request = api.request(method.clone(), &path);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let told = problem(request.send().await.unwrap(), status).await;
                assert_eq!(told["type"], kind, "{method} {path}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_file_with_mistakes_is_refused_and_each_is_named_with_its_place() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let put = async |text: String| {
        let request = api.post("/api/v1/studies").bearer_auth(&api.token);
        request
            .header("content-type", "text/yaml")
            .body(text)
            .send()
            .await
            .unwrap()
    };
    let wrong = STUDY
        .replace("id: remote-work-tools", "id: wrong-study")
        .replacen("title:", "titel:", 1);
    for text in [
        wrong,
        "id: [".to_owned(),
        String::new(),
        "\u{0}".to_owned(),
        "- a\n- b".to_owned(),
    ] {
        let told = problem(put(text).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        let mistakes = told["mistakes"].as_array().unwrap();
        assert!(!mistakes.is_empty(), "{told}");
        for mistake in mistakes {
            assert!(
                mistake["line"].is_u64() && mistake["field"].is_string(),
                "{mistake}"
            );
            assert!(
                !mistake["message"].as_str().unwrap().is_empty(),
                "{mistake}"
            );
            assert!(!mistake["remedy"].as_str().unwrap().is_empty(), "{mistake}");
        }
    }
    let provider = STUDY.replacen("gpt-realtime", "gpt-unheard-of", 1);
    let told = problem(put(provider).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert!(
        told["mistakes"].to_string().contains("gpt-unheard-of"),
        "{told}"
    );
    problem(
        api.console("/api/v1/studies/wrong-study").await,
        StatusCode::NOT_FOUND,
    )
    .await;
    assert_eq!(
        body(api.console("/api/v1/studies").await).await["studies"],
        json!([])
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invitations_have_limits_and_each_link_is_shown_once() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    invited(&house, None).await;
    let path = "/api/v1/studies/first-job/sessions";
    for wrong in [
        json!({ "count": 0 }),
        json!({ "count": 501 }),
        json!({ "length": "long" }),
        json!({ "language": "xx" }),
        json!({ "count": 2, "external_id": "p-1" }),
        json!({ "external_id": "x".repeat(201) }),
        json!({ "expires_in_hours": 0 }),
        json!({ "count": "many" }),
        json!({ "amount": 3 }),
    ] {
        let told = problem(
            api.console_post(path, &wrong).await,
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
        assert!(told["mistakes"].is_null(), "{told}");
    }
    problem(
        api.console_post("/api/v1/studies/nobody/sessions", &json!({}))
            .await,
        StatusCode::NOT_FOUND,
    )
    .await;
    let not_json = api
        .post(path)
        .bearer_auth(&api.token)
        .header("content-type", "application/json")
        .body("{")
        .send();
    problem(not_json.await.unwrap(), StatusCode::BAD_REQUEST).await;
    let no_type = api.post(path).bearer_auth(&api.token).body("{}").send();
    problem(no_type.await.unwrap(), StatusCode::UNSUPPORTED_MEDIA_TYPE).await;

    let made = body(
        api.console_post(path, &json!({ "count": 500, "expires_in_hours": 24 }))
            .await,
    )
    .await;
    let links: BTreeSet<&str> = made["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["link"].as_str().unwrap())
        .collect();
    assert_eq!(links.len(), 500, "all different");
    let (page, secret) = links.first().unwrap().split_once('#').unwrap();
    assert_eq!(
        (page, secret.len()),
        (format!("{}/i", api.base).as_str(), 43)
    );
    let listed = body(api.console("/api/v1/sessions?limit=200").await).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 200);
    assert!(
        !listed.to_string().contains(secret),
        "a link is shown only once"
    );
    let mut next = listed["next_before"].as_str().map(str::to_owned);
    let mut seen = 200;
    while let Some(before) = next {
        let page = body(
            api.console(&format!("/api/v1/sessions?limit=200&before={before}"))
                .await,
        )
        .await;
        seen += page["sessions"].as_array().unwrap().len();
        next = page["next_before"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, 501);
    for wrong in ["state=asleep", "limit=many", "colour=red"] {
        problem(
            api.console(&format!("/api/v1/sessions?{wrong}")).await,
            StatusCode::BAD_REQUEST,
        )
        .await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_served_whole_and_in_parts() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let api = Api::new(&house);
    let path = format!("/api/v1/sessions/{id}/recording");
    problem(api.console(&path).await, StatusCode::NOT_FOUND).await;
    finish(house.app(), &id, &ANSWERS, recording()).await;
    house.until_recording(&id).await;
    let answer = api.console(&path).await;
    assert_eq!(answer.headers()["content-type"], "audio/ogg");
    assert_eq!(answer.headers()["accept-ranges"], "bytes");
    assert!(
        answer.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("no-store")
    );
    let whole = answer.bytes().await.unwrap();
    assert!(whole.starts_with(b"OggS") && whole.len() > 1_000);
    let ask = async |range: &str| {
        let request = api
            .get(&path)
            .bearer_auth(&api.token)
            .header("range", range);
        request.send().await.unwrap()
    };
    for (range, from, to) in [
        ("bytes=0-99".to_owned(), 0, 100),
        ("bytes=100-".to_owned(), 100, whole.len()),
        ("bytes=-10".to_owned(), whole.len() - 10, whole.len()),
    ] {
        let part = ask(&range).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(
            part.headers()["content-range"],
            format!("bytes {from}-{}/{}", to - 1, whole.len()).as_str()
        );
        assert_eq!(
            part.bytes().await.unwrap(),
            whole.slice(from..to),
            "{range}"
        );
    }
    let beyond = ask("bytes=99999999-").await;
    assert_eq!(
        beyond.headers()["content-range"],
        format!("bytes */{}", whole.len()).as_str()
    );
    problem(beyond, StatusCode::RANGE_NOT_SATISFIABLE).await;
    house.close().await;
}
