//! The work after interviews, over HTTP.

use reqwest::StatusCode;
use serde_json::json;
use sim::provider::SimConfig;
use store::ReportState;

use super::{Api, body, problem};
use crate::finished::{ANSWERS, ChatEndpoint, Reply, finish, good, is_summary, until_report};
use crate::harness::house_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_with_their_reason_and_put_back_by_one_call() {
    let endpoint = ChatEndpoint::serve(0, |_, body| {
        if is_summary(body) {
            return good(body, None);
        }
        Reply::Content("{}".to_owned())
    })
    .await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
    })
    .await;
    let (id, _) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, Vec::new()).await;
    until_report(house.app(), &id, ReportState::Ready).await;
    let api = Api::new(&house);
    let lanes = body(api.console("/api/v1/lanes").await).await;
    let dead: Vec<(&str, u64)> = lanes["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lane| {
            (
                lane["lane"].as_str().unwrap(),
                lane["dead"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        dead,
        [
            ("recording", 0),
            ("transcript", 0),
            ("enrichment", 3),
            ("analysis", 0),
            ("delivery", 0),
            ("second_transcript", 0)
        ]
    );
    let listed = body(api.console("/api/v1/jobs?state=dead&limit=2").await).await;
    assert_eq!(listed["jobs"][0]["last_error"], "not answered, 4 times");
    assert_eq!(listed["jobs"][0]["key"], "6001");
    let before = listed["next_before"].as_i64().unwrap();
    let rest = format!("/api/v1/jobs?state=dead&limit=2&before={before}");
    let rest = body(api.console(&rest).await).await;
    assert_eq!(rest["jobs"].as_array().unwrap().len(), 1);
    assert!(rest["next_before"].is_null(), "{rest}");

    let one = format!("/api/v1/jobs/{}/replay", listed["jobs"][0]["id"]);
    let put_back = body(api.console_post(&one, &json!({})).await).await;
    assert_eq!(put_back["replayed"], 1);
    let others = json!({ "lane": "recording" });
    let none = body(api.console_post("/api/v1/jobs/replay", &others).await).await;
    assert_eq!(none["replayed"], 0);
    for wrong in ["/api/v1/jobs?lane=post", "/api/v1/jobs?state=lost"] {
        let refused = api.console(wrong).await;
        let refused = problem(refused, StatusCode::BAD_REQUEST).await;
        assert!(
            refused["remedy"].as_str().unwrap().contains("Use one of"),
            "{refused}"
        );
    }
    house.close().await;
}
