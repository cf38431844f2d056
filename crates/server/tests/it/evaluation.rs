//! Coding in batches beside coding alone, measured on what is in the store.

use axum::http::StatusCode;
use engine::cost::Prices;
use serde_json::json;
use server::work::{Evaluation, evaluate};
use store::ReportState;

use crate::finished::{ANSWERS, ChatEndpoint, Reply, finish, good, keys, recording, until_report};
use crate::harness::House;
use crate::work::house_of;

async fn evaluated(house: &House, endpoint: &ChatEndpoint) -> anyhow::Result<Evaluation> {
    let app = house.app();
    let mut config = app.config.clone();
    config.enrichment.base_url.clone_from(&endpoint.url);
    let row = app.store.studies().await?.remove(0);
    let study = app.study(&row.study_id, row.version).await?.unwrap();
    let study = (&row.study_id, &*study);
    let told = |_: u32, _: usize, _: usize| {};
    evaluate(
        &config,
        &app.store,
        study,
        Prices::default(),
        5,
        &[1, 2],
        &told,
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_codes_batches_otherwise_is_seen_to_and_nothing_of_it_is_kept() {
    let pipeline = ChatEndpoint::serve(0, |_, body| good(body, None)).await;
    let house = house_of(&pipeline).await;
    let app = house.app();
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (id, _) = house.invite().await;
        finish(app, &id, &ANSWERS, recording()).await;
        until_report(app, &id, ReportState::Ready).await;
        sessions.push(id);
    }
    let before = app.store.segments(&sessions[0]).await.unwrap();
    let other = ChatEndpoint::serve(0, |_, body| match keys(body).as_slice() {
        [_alone] => good(body, None),
        keys => {
            let one = json!({ "sentiment": "neutral", "score": 0.0, "topics": ["First job"], "quote": null });
            let first = json!({ keys[0].clone(): one });
            Reply::Content(first.to_string())
        }
    })
    .await;
    let found = evaluated(&house, &other).await.unwrap();
    assert_eq!((found.segments, found.sessions), (5, 2));
    assert_eq!((found.alone.calls, found.alone.missing), (5, 0));
    let [again, pairs] = found.sizes.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((again.compared, again.sentiment_agreement), (5, Some(1.0)));
    // Three answers of one interview and two of the other: pairs, of which one half is answered, and one alone.
    assert_eq!((pairs.calls, pairs.missing, pairs.compared), (3, 2, 3));
    let agreed = pairs.sentiment_agreement.unwrap();
    assert!((agreed - 1.0 / 3.0).abs() < 0.001, "{agreed}");
    assert_eq!(pairs.topic_agreement, Some(1.0));
    assert!(pairs.tokens < again.tokens);
    assert_eq!(app.store.segments(&sessions[0]).await.unwrap(), before);

    let refusing = ChatEndpoint::serve(0, |_, _| {
        let body = json!({ "error": { "message": "no", "type": "invalid_request_error", "code": "invalid_api_key" } });
        Reply::Status(StatusCode::UNAUTHORIZED, body)
    })
    .await;
    let told = evaluated(&house, &refusing).await.unwrap_err().to_string();
    assert!(told.contains("refuses the key"), "{told}");
}
