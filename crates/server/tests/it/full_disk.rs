//! The work after interviews while the disk is full.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use engine::cost::Component;
use sim::provider::SimConfig;
use store::ReportState;
use tokio::sync::Semaphore;

use crate::finished::{
    ANSWERS, ChatEndpoint, TOKENS_IN, finish, good, segments, until, until_all_done, until_report,
};
use crate::harness::house_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_under_the_work_delays_it_and_nothing_that_was_paid_is_asked_again() {
    let held = Arc::new(Semaphore::new(1));
    let flying = Arc::new(AtomicUsize::new(1_000));
    let endpoint =
        ChatEndpoint::serve_held(Arc::clone(&held), |_, body| good(body, None), flying).await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
        config.enrichment.batch_segments = 1;
        config.enrichment.concurrency = 1;
    })
    .await;
    let app = house.app();
    let (id, _) = house.invite().await;
    // Long answers: what follows needs room.
    let answers = ANSWERS.map(|answer| answer.repeat(400));
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    finish(app, &id, &answers, Vec::new()).await;
    until(app, "a second call", async || endpoint.calls() == 2).await;
    app.store.limit_pages(Some(1)).await.unwrap();
    let full = app.store.stats().full;
    held.add_permits(1_000);
    until(app, "a write that finds no room", async || {
        app.store.stats().full > full
    })
    .await;
    let calls = endpoint.codings().len();
    app.store.limit_pages(None).await.unwrap();
    until_report(app, &id, ReportState::Ready).await;
    let coded = segments(app, &id).await;
    assert!(coded.iter().all(|segment| segment.coding.is_some()));
    // What was under way when the disk was full was asked once.
    assert!(calls < coded.len(), "{calls} of {}", coded.len());
    assert_eq!(endpoint.codings().len(), coded.len());
    let ledger = app.store.ledger(&id).await.unwrap();
    let billed: u64 = ledger
        .iter()
        .filter(|row| row.component == Component::EnrichmentIn)
        .map(|row| row.quantity)
        .sum();
    assert_eq!(billed, TOKENS_IN * endpoint.calls() as u64);
    until_all_done(app).await;
    house.close().await;
}
