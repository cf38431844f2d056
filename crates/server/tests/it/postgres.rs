//! The server on PostgreSQL, and what becomes of the work when that goes away in its midst.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use server::work::Report;
use sim::provider::SimConfig;
use store::ReportState;
use tokio::sync::Semaphore;

use crate::cluster::Cluster;
use crate::finished::{
    ANSWERS, ChatEndpoint, finish, good, recording, segments, until, until_all_done, until_report,
};
use crate::harness::house_with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_under_the_work_delays_it_and_nothing_else() {
    let cluster = Cluster::start();
    let address = cluster.database("colloquy").await;
    let held = Arc::new(Semaphore::new(1));
    let flying = Arc::new(AtomicUsize::new(1_000));
    let endpoint =
        ChatEndpoint::serve_held(Arc::clone(&held), |_, body| good(body, None), flying).await;
    let url = endpoint.url.clone();
    let house = house_with(SimConfig::instant(), |config| {
        config.store.database = address.into();
        config.enrichment.base_url = url;
        config.enrichment.batch_segments = 1;
        config.enrichment.concurrency = 1;
    })
    .await;
    let app = house.app();
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let (id, _) = house.invite().await;
        finish(app, &id, &ANSWERS, recording()).await;
        sessions.push(id);
    }
    until(app, "a second call", async || endpoint.calls() == 2).await;
    // Its answer comes, and is paid for, while nothing can be written.
    cluster.kill();
    held.add_permits(1_000);
    assert!(app.store.ping().await.is_err());
    cluster.start_again();
    for id in &sessions {
        until_report(app, id, ReportState::Ready).await;
        let report: Report =
            serde_json::from_value(app.store.report(id).await.unwrap().unwrap()).unwrap();
        assert_eq!(report.sentiment.uncoded, 0);
        assert_eq!(segments(app, id).await.len(), 3);
        house.until_recording(id).await;
    }
    assert_eq!(endpoint.codings().len(), 12, "no call is made twice");
    until_all_done(app).await;
}
