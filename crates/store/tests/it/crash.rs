//! A process that dies without a word.

use std::time::Duration;

use engine::ids::SessionId;
use store::{Completion, Lane, ManualClock, Store, StoreConfig, Take};
use tempfile::TempDir;

use crate::bench::{START_US, begin, config, job, new_session, study, turn};

/// Runs on a runtime of its own, which is then dropped with all its tasks: the writer gets no chance to close.
fn die<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(life);
    runtime.shutdown_background();
    result
}

#[test]
fn what_was_acknowledged_survives_a_crash_and_leased_work_is_done_by_the_next_life() {
    let folder = TempDir::new().unwrap();
    let clock = ManualClock::at(START_US);
    let id = SessionId::from("S001");
    let place = die(crate::place(folder.path()));
    let lost = die(async {
        let store = Store::open(config(&folder, &place, &clock)).await.unwrap();
        store.put_study(study("title: Tools")).await.unwrap();
        store.create_sessions(vec![new_session(1)]).await.unwrap();
        let epoch = store.claim_session(&id, "node").await.unwrap();
        store
            .append(&id, epoch, vec![begin(), turn(1, 0, "kept")])
            .await
            .unwrap();
        store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
        store
            .claim(Lane::Enrichment, &Take::one(Duration::from_secs(600)))
            .await
            .unwrap()
            .pop()
            .unwrap()
    });
    die(async {
        let store = open_when_free(&config(&folder, &place, &clock)).await;
        assert_eq!(store.journal(&id).await.unwrap().len(), 3);
        assert_eq!(store.turns(&id).await.unwrap()[0].text, "kept");
        let left = store.unfinished_sessions().await.unwrap();
        assert_eq!(
            left.into_iter()
                .map(|row| row.session_id)
                .collect::<Vec<_>>(),
            std::slice::from_ref(&id)
        );
        assert_eq!(store.release_own_leases("node").await.unwrap(), 1);
        let again = store
            .claim(Lane::Enrichment, &Take::one(Duration::from_secs(600)))
            .await
            .unwrap()
            .pop()
            .unwrap();
        assert_eq!(again.job_id, lost.job_id);
        assert!(store.complete(&lost, Completion::default()).await.is_err());
        store.complete(&again, Completion::default()).await.unwrap();
    });
}

/// The lock goes with the last task of the life before; until its worker thread has noticed, opening is refused.
async fn open_when_free(config: &StoreConfig) -> Store {
    let free = async {
        loop {
            match Store::open(config.clone()).await {
                Ok(store) => return store,
                Err(store::StoreError::InUse { .. }) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), free)
        .await
        .unwrap()
}
