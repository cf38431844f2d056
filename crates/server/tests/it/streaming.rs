//! Coding while the interview runs, and again when a person says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{JobState, ReportState};

use crate::finished::{
    ANSWERS, ChatEndpoint, Reply, begin, end, finish, good, is_summary, jobs, keys, segments,
    until, until_report,
};
use crate::work::{house_of, report};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_never_right_is_a_dead_letter_and_a_replay_of_it_mends_the_report() {
    let mended = Arc::new(AtomicBool::new(false));
    let right = Arc::clone(&mended);
    let endpoint = ChatEndpoint::serve(0, move |_, body| {
        if is_summary(body) || right.load(Ordering::Relaxed) {
            return good(body, None);
        }
        Reply::Content("{}".to_owned())
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS, Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    assert_eq!(report(app, &id).await.sentiment.uncoded, 3);
    let dead: Vec<_> = jobs(app)
        .await
        .into_iter()
        .filter(|job| job.state == JobState::Dead)
        .collect();
    assert_eq!(dead.len(), 3);
    assert_eq!(dead[0].last_error.as_deref(), Some("not answered, 4 times"));

    mended.store(true, Ordering::Relaxed);
    assert_eq!(app.store.replay(store::Replay::All).await.unwrap(), 3);
    until(app, "the mended report", async || {
        report(app, &id).await.sentiment.mixed == 3
    })
    .await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_coded_while_the_interview_runs_and_only_the_tail_is_left_at_its_end() {
    let endpoint = ChatEndpoint::serve(0, |_, body| good(body, None)).await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    let epoch = begin(app, &id, &["One.", "Two.", "Three.", "Four.", "Five."]).await;
    until(app, "all but the last answer", async || {
        let coded = segments(app, &id).await;
        coded.iter().filter(|row| row.coding.is_some()).count() == 4
    })
    .await;
    assert_eq!(
        house.row(&id).await.report,
        ReportState::None,
        "it still runs"
    );
    end(app, &id, epoch).await;
    until_report(app, &id, ReportState::Ready).await;
    let mut asked: Vec<Vec<String>> = endpoint.codings().iter().map(keys).collect();
    assert_eq!(
        asked.pop().unwrap(),
        ["s10001"],
        "the tail, and nothing else"
    );
    let mut before = asked.concat();
    before.sort();
    assert_eq!(before, ["s2001", "s4001", "s6001", "s8001"], "each once");
    assert_eq!(report(app, &id).await.sentiment.mixed, 5);
    house.close().await;
}
