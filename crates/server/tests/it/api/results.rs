//! What the interviews of a study say together, over HTTP.

use reqwest::{Method, StatusCode};
use sim::provider::SimConfig;
use store::ReportState;

use super::{Api, body, problem};
use crate::finished::{
    ChatEndpoint, Reply, finish, is_merge, is_summary, keys, until, until_report,
};
use crate::harness::house_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn themes_count_participants_the_grid_shows_each_and_words_are_found_where_they_fell() {
    // Who says "hate" is against, whoever else speaks of the first job is for.
    let endpoint = ChatEndpoint::serve(0, |_, body| {
        if is_summary(body) {
            return crate::finished::good(body, None);
        }
        let asked = body["messages"].to_string();
        let sentiment = if asked.contains("hated") { "negative" } else { "positive" };
        let one = serde_json::json!({ "sentiment": sentiment, "score": 0.5, "topics": ["First job"], "quote": null });
        let all: serde_json::Map<_, _> = keys(body).into_iter().map(|key| (key, one.clone())).collect();
        Reply::Content(serde_json::Value::Object(all).to_string())
    })
    .await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url
    })
    .await;
    let app = house.app();
    let mut ids = Vec::new();
    for answers in [
        ["I loved the Bäckerei.", "It was fine."],
        ["A BACKEREI in Leipzig.", "Good people."],
        ["I hated it.", "Really hated."],
    ] {
        let (id, _) = house.invite().await;
        finish(app, &id, &answers, Vec::new()).await;
        until_report(app, &id, ReportState::Ready).await;
        ids.push(id.to_string());
    }
    let api = Api::new(&house);
    let themes = body(api.console("/api/v1/studies/first-job/themes").await).await;
    let theme = &themes["themes"][0];
    assert_eq!(
        (&themes["counted"], &themes["truncated"]),
        (&3.into(), &false.into())
    );
    assert_eq!(
        (&theme["participants"], &theme["of"], &theme["segments"]),
        (&3.into(), &3.into(), &6.into()),
        "{theme}"
    );
    assert_eq!(
        (
            &theme["feelings"]["positive"],
            &theme["feelings"]["negative"]
        ),
        (&2.into(), &1.into())
    );
    let case = &theme["against"][0];
    assert_eq!(case["session_id"], ids[2].as_str(), "the negative case");
    assert_eq!(case["turn"], 2);
    assert_eq!(theme["against"].as_array().unwrap().len(), 1);
    assert_eq!(theme["phases"][0]["of"], 3);

    // New links are no respondents.
    for _ in 0..3 {
        house.invite().await;
    }
    let first = body(api.console("/api/v1/studies/first-job/grid?limit=2").await).await;
    assert_eq!(first["rows"].as_array().unwrap().len(), 2);
    assert_eq!(
        first["rows"][0]["session_id"],
        ids[2].as_str(),
        "newest first"
    );
    assert_eq!(first["rows"][0]["cells"][0]["sentiment"], "negative");
    let before = first["next_before"].as_str().unwrap();
    let rest = body(
        api.console(&format!(
            "/api/v1/studies/first-job/grid?limit=2&before={before}"
        ))
        .await,
    )
    .await;
    assert_eq!(rest["rows"][0]["session_id"], ids[0].as_str());
    assert_eq!(rest["topics"][0]["topic"], "first job");

    let hits = body(
        api.console("/api/v1/studies/first-job/search?q=b%C3%A4ckerei")
            .await,
    )
    .await;
    let found: Vec<(&str, u64, u64)> = hits["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| {
            let session = hit["session_id"].as_str().unwrap();
            (
                session,
                hit["from_char"].as_u64().unwrap(),
                hit["to_char"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, [(ids[1].as_str(), 2, 10), (ids[0].as_str(), 12, 20)]);
    assert_eq!(hits["next_before"], serde_json::Value::Null);
    let path = "/api/v1/studies/first-job/search?q=b%C3%A4ckerei";
    let older = body(api.console(&format!("{path}&before={}", ids[1])).await).await;
    assert_eq!(older["hits"][0]["session_id"], ids[0].as_str());
    assert_eq!(older["hits"].as_array().unwrap().len(), 1);
    let said_by_us = body(
        api.console("/api/v1/studies/first-job/search?q=and%20then")
            .await,
    )
    .await;
    assert_eq!(
        said_by_us["hits"],
        serde_json::json!([]),
        "only what participants said"
    );
    let nothing = api.console("/api/v1/studies/first-job/search?q=%20").await;
    problem(nothing, StatusCode::BAD_REQUEST).await;
    for path in ["themes", "grid", "search?q=x"] {
        let unknown = api
            .console(&format!("/api/v1/studies/nothing/{path}"))
            .await;
        problem(unknown, StatusCode::NOT_FOUND).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_reaches_transcript_report_themes_and_exports_and_can_be_taken_back() {
    let endpoint = ChatEndpoint::serve(0, |_, body| crate::finished::good(body, None)).await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url
    })
    .await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &["It was fine.", "Really."], Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let api = Api::new(&house);
    let path = format!("/api/v1/sessions/{id}/segments/2001/correction");
    let put = async |body: serde_json::Value| {
        let request = api.request(Method::PUT, &path).bearer_auth(&api.token);
        request.json(&body).send().await.unwrap()
    };
    let kept =
        put(serde_json::json!({ "sentiment": "negative", "topics": ["Cost", "Cost"] })).await;
    assert_eq!(kept.status(), StatusCode::NO_CONTENT);
    let report = format!("/api/v1/sessions/{id}/report");
    crate::finished::until(app, "the report made again", async || {
        body(api.console(&report).await).await["report"]["sentiment"]["negative"] == 1
    })
    .await;
    let turns = body(api.console(&format!("/api/v1/sessions/{id}/turns")).await).await;
    let segment = &turns["turns"][1]["segments"][0];
    assert_eq!(segment["topics"], serde_json::json!(["Cost"]));
    assert!(segment["corrected_at"].is_string(), "{segment}");
    let themes = body(api.console("/api/v1/studies/first-job/themes").await).await;
    assert!(
        themes["themes"].to_string().contains("\"topic\":\"Cost\""),
        "{themes}"
    );
    let csv = api
        .console("/api/v1/studies/first-job/export?format=csv&table=codings")
        .await;
    assert!(csv.text().await.unwrap().contains(",researcher,"));
    let summaries = endpoint.calls() - endpoint.codings().len();
    assert_eq!(summaries, 1, "the summary is not paid for twice");

    for (wrong, remedy) in [
        (
            serde_json::json!({ "sentiment": "angry", "topics": [] }),
            "negative",
        ),
        (
            serde_json::json!({ "sentiment": "mixed", "topics": [" "] }),
            "few words",
        ),
    ] {
        let refused = problem(put(wrong).await, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert!(
            refused["remedy"].as_str().unwrap().contains(remedy),
            "{refused}"
        );
    }
    let nowhere = path.replace("2001", "9001");
    let missing = api
        .request(Method::DELETE, &nowhere)
        .bearer_auth(&api.token);
    problem(missing.send().await.unwrap(), StatusCode::NOT_FOUND).await;
    let back = api.request(Method::DELETE, &path).bearer_auth(&api.token);
    assert_eq!(back.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    crate::finished::until(app, "the model's word again", async || {
        body(api.console(&report).await).await["report"]["sentiment"]["negative"] == 0
    })
    .await;
    house.close().await;
}

/// An endpoint that gives the n-th interview's answers this label, and merges labels as told.
async fn labelled(merge: fn(&serde_json::Value) -> Reply) -> ChatEndpoint {
    ChatEndpoint::serve(0, move |_, body| {
        if is_summary(body) {
            return crate::finished::good(body, None);
        }
        if is_merge(body) {
            return merge(body);
        }
        let asked = body["messages"].to_string();
        let label = if asked.contains("bakery") { "early shifts" } else { "Getting up early" };
        let one = serde_json::json!({ "sentiment": "negative", "score": -0.5, "topics": [label], "quote": null });
        let all: serde_json::Map<_, _> = keys(body).into_iter().map(|key| (key, one.clone())).collect();
        Reply::Content(serde_json::Value::Object(all).to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_labels_of_different_interviews_that_mean_the_same_are_one_theme() {
    let endpoint = labelled(|body| {
        let asked = body["messages"][1]["content"].as_str().unwrap();
        assert!(
            asked.contains("Themes so far:\n- early shifts\n"),
            "{asked}"
        );
        assert!(asked.contains("l1: getting up early"), "{asked}");
        Reply::Content(serde_json::json!({ "l1": "early shifts" }).to_string())
    })
    .await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
    })
    .await;
    let app = house.app();
    let study = engine::ids::StudyId::from("first-job");
    for answer in ["In a bakery, at three.", "I hated mornings."] {
        let (id, _) = house.invite().await;
        finish(app, &id, &[answer], Vec::new()).await;
        until_report(app, &id, ReportState::Ready).await;
        until(app, "all labels to have a theme", async || {
            let topics = app.store.open_topics(&study).await.unwrap();
            !topics.is_empty() && topics.iter().all(|topic| topic.theme.is_some())
        })
        .await;
    }
    let api = Api::new(&house);
    let themes = body(api.console("/api/v1/studies/first-job/themes").await).await;
    assert_eq!(themes["themes"].as_array().unwrap().len(), 1, "{themes}");
    let theme = &themes["themes"][0];
    assert_eq!(
        (&theme["topic"], &theme["participants"]),
        (&"early shifts".into(), &2.into())
    );
    let grid = body(api.console("/api/v1/studies/first-job/grid").await).await;
    assert_eq!(grid["topics"].as_array().unwrap().len(), 1, "{grid}");
    let csv = api
        .console("/api/v1/studies/first-job/export?format=csv&table=codings")
        .await;
    let csv = csv.text().await.unwrap();
    // As it was coded, and the theme that it belongs to.
    assert!(
        csv.contains(r#""[""getting up early""]","[""early shifts""]""#),
        "{csv}"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_that_nobody_can_merge_stay_themes_of_their_own_and_hold_back_no_report() {
    let endpoint = labelled(|_| Reply::Content("I'd rather talk about bread.".to_owned())).await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
    })
    .await;
    let app = house.app();
    for answer in ["In a bakery, at three.", "I hated mornings."] {
        let (id, _) = house.invite().await;
        finish(app, &id, &[answer], Vec::new()).await;
        until_report(app, &id, ReportState::Ready).await;
    }
    house.idle().await;
    let themes = body(
        Api::new(&house)
            .console("/api/v1/studies/first-job/themes")
            .await,
    )
    .await;
    assert_eq!(themes["themes"].as_array().unwrap().len(), 2, "{themes}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merging_that_cannot_be_done_keeps_no_report_waiting() {
    let refused =
        serde_json::json!({ "error": { "message": "wrong key", "code": "invalid_api_key" } });
    let endpoint = ChatEndpoint::serve(0, move |_, body| {
        if is_merge(body) {
            return Reply::Status(StatusCode::UNAUTHORIZED, refused.clone());
        }
        if is_summary(body) {
            return crate::finished::good(body, None);
        }
        let asked = body["messages"].to_string();
        let word = asked.rsplit("word").next().unwrap();
        let label: String = word.chars().take_while(char::is_ascii_digit).collect();
        let one = serde_json::json!({ "sentiment": "neutral", "score": 0, "topics": [format!("label {label}")], "quote": null });
        let all: serde_json::Map<_, _> = keys(body).into_iter().map(|key| (key, one.clone())).collect();
        Reply::Content(serde_json::Value::Object(all).to_string())
    })
    .await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
        config.enrichment.concurrency = 1;
        config.enrichment.probe_every_ms = 50;
    })
    .await;
    let app = house.app();
    // One worker in the lane, and each interview brings a label that would have to be asked about.
    for no in 0..3 {
        let (id, _) = house.invite().await;
        finish(app, &id, &[&format!("I said word{no}.")], Vec::new()).await;
        until_report(app, &id, ReportState::Ready).await;
    }
    house.close().await;
}
