//! Many writes in one transaction, and what each of them may count on.

use std::time::Duration;

use engine::ids::SessionId;
use store::{Epoch, StoreError};
use tokio::task::JoinSet;

use crate::bench::{Bench, ended, job, nudge};

#[tokio::test]
async fn concurrent_appends_share_transactions() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(5)).await;
    let mut sessions = Vec::new();
    for number in 1..=50 {
        let id = bench.session(number).await;
        let epoch = bench.store.claim_session(&id, "n").await.unwrap();
        sessions.push((id, epoch));
    }
    let before = bench.store.stats();
    let mut writers = JoinSet::new();
    for (id, epoch) in sessions.clone() {
        let store = bench.store.clone();
        writers.spawn(async move {
            for _ in 0..10 {
                store.append(&id, epoch, vec![nudge()]).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let after = bench.store.stats();
    let (operations, transactions) = (
        after.operations - before.operations,
        after.transactions - before.transactions,
    );
    assert_eq!(operations, 500);
    assert!(
        transactions <= 100,
        "{transactions} transactions for {operations} appends"
    );
    for (id, _) in sessions {
        assert_eq!(bench.kinds(&id).await.len(), 11);
    }
}

#[tokio::test]
async fn an_operation_that_fails_leaves_its_neighbours_alone() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(20)).await;
    let good = bench.session(1).await;
    let epoch = bench.store.claim_session(&good, "n").await.unwrap();
    let before = bench.store.stats();
    let append = |id: &SessionId, epoch: Epoch| {
        let (store, id) = (bench.store.clone(), id.clone());
        async move { store.append(&id, epoch, vec![nudge(), nudge()]).await }
    };
    let nobody = SessionId::from("nobody");
    let (first, fenced, missing, second) = tokio::join!(
        append(&good, epoch),
        append(&good, Epoch(77)),
        append(&nobody, epoch),
        append(&good, epoch)
    );
    assert_eq!((first.unwrap(), second.unwrap()), (3, 5));
    assert!(matches!(fenced, Err(StoreError::Fenced { .. })));
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    let after = bench.store.stats();
    assert_eq!(
        after.transactions - before.transactions,
        1,
        "all four were one group"
    );
    assert_eq!(
        (
            after.operations - before.operations,
            after.failed - before.failed
        ),
        (2, 2)
    );
    assert_eq!(bench.kinds(&good).await.len(), 5);
}

#[tokio::test]
async fn an_operation_that_fails_halfway_is_undone_within_its_group() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(20)).await;
    let (bad, good) = (bench.session(1).await, bench.session(2).await);
    let bad_epoch = bench.store.claim_session(&bad, "n").await.unwrap();
    let good_epoch = bench.store.claim_session(&good, "n").await.unwrap();
    let before = bench.store.stats();
    // Its entries are written before it turns out that the job cannot be put.
    let foreign = vec![job(&"nobody".into(), "", 1)];
    let (refused, finished, appended) = tokio::join!(
        bench
            .store
            .finish_session(&bad, bad_epoch, vec![ended()], foreign),
        bench
            .store
            .finish_session(&good, good_epoch, vec![ended()], vec![job(&good, "", 1)]),
        bench.store.append(&bad, bad_epoch, vec![nudge()]),
    );
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    finished.unwrap();
    assert_eq!(
        appended,
        Ok(2),
        "the number that the undone entry had is used again"
    );
    assert_eq!(bench.store.stats().transactions - before.transactions, 1);
    assert_eq!(bench.kinds(&bad).await, ["session_created", "nudged"]);
    assert_eq!(bench.kinds(&good).await, ["session_created", "ended"]);
}

#[tokio::test]
async fn a_queue_that_stays_full_says_so_after_its_deadline() {
    let bench = Bench::with(|config| {
        config.queue = 1;
        config.queue_wait = Duration::from_millis(1);
        // The writer takes one write and then waits for more of its group, while the queue fills behind a second.
        config.group_max = 1;
    })
    .await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..200 {
        let (store, id) = (bench.store.clone(), id.clone());
        writers.spawn(async move { store.append(&id, epoch, vec![nudge()]).await });
    }
    let (mut kept, mut busy) = (0, 0);
    while let Some(done) = writers.join_next().await {
        match done.unwrap() {
            Ok(_) => kept += 1,
            Err(StoreError::Busy { waited_ms }) => {
                assert_eq!(waited_ms, 1);
                busy += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        busy > 0,
        "200 writes at once cannot all pass a queue of 1 within 1 ms of waiting"
    );
    assert_eq!(
        bench.kinds(&id).await.len(),
        1 + kept,
        "what was refused was not written"
    );
}
