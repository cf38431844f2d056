#![expect(clippy::unwrap_used, reason = "tests")]

use engine::ids::{PeerNo, StudyId};
use engine::session::{Notice, State};
use store::{Length, NewSession, NewStudy, StoreConfig};
use tempfile::TempDir;

use super::*;

struct Bench {
    store: Store,
    id: SessionId,
    epoch: Epoch,
    outbox: Outbox,
    metrics: Arc<Metrics>,
    _folder: TempDir,
}

async fn bench(pages_max: Option<u32>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::new(folder.path().join("db"), folder.path().join("recordings"));
    config.pages_max = pages_max;
    let store = Store::open(config).await.unwrap();
    let (study_id, id) = (StudyId::from("study"), SessionId::from("session"));
    let source = "title: Study".to_owned();
    store
        .put_study(NewStudy {
            study_id: study_id.clone(),
            title: "Study".to_owned(),
            source,
        })
        .await
        .unwrap();
    let session = NewSession {
        session_id: id.clone(),
        study_id,
        study_version: 1,
        link_hash: [7; 32],
        language: "en".to_owned(),
        length: Length::Full,
        external_id: None,
        expires_at_us: None,
    };
    store.create_sessions(vec![session]).await.unwrap();
    let epoch = store.claim_session(&id, "node").await.unwrap();
    let metrics = Arc::new(Metrics::new());
    let last_seq = store.session(&id).await.unwrap().unwrap().last_seq;
    let outbox = Outbox::new(
        store.clone(),
        id.clone(),
        epoch,
        last_seq,
        Arc::clone(&metrics),
    );
    Bench {
        store,
        id,
        epoch,
        outbox,
        metrics,
        _folder: folder,
    }
}

fn fact(no: u32) -> Output {
    Output::Journal(Entry::PeerUp { peer: PeerNo(no) })
}

fn told() -> Output {
    Output::Tell(Notice::State(State::Active))
}

async fn journaled(bench: &Bench) -> usize {
    bench
        .store
        .journal(&bench.id)
        .await
        .unwrap()
        .iter()
        .filter(|row| row.kind == "peer_up")
        .count()
}

#[tokio::test]
async fn the_world_is_told_only_after_the_journal() {
    let mut bench = bench(None).await;
    for output in [told(), fact(1), fact(2), told(), fact(3)] {
        bench.outbox.push(output).unwrap();
    }
    assert_eq!(bench.outbox.next(), Some(told()), "nothing is before it");
    assert_eq!(bench.outbox.next(), None, "two entries are before the next");
    bench.outbox.progress().await.unwrap();
    assert_eq!(journaled(&bench).await, 2, "both in one write");
    assert_eq!(bench.outbox.next(), Some(told()));
    assert_eq!(bench.outbox.next(), None);
    let left = bench.outbox.close(Duration::from_secs(10)).await;
    assert_eq!(left.entries, []);
    assert_eq!(journaled(&bench).await, 3);
}

#[tokio::test]
async fn a_newer_owner_ends_it() {
    let mut bench = bench(None).await;
    bench.store.claim_session(&bench.id, "other").await.unwrap();
    bench.outbox.push(fact(1)).unwrap();
    assert_eq!(bench.outbox.next(), None);
    assert_eq!(bench.outbox.progress().await, Err(Stuck::Fenced));
    assert_eq!(journaled(&bench).await, 0);
}

#[tokio::test]
async fn a_store_in_trouble_does_not_stop_the_interview() {
    let mut bench = bench(None).await;
    bench.store.close().await.unwrap();
    bench.outbox.push(fact(1)).unwrap();
    bench.outbox.push(told()).unwrap();
    assert_eq!(bench.outbox.next(), None);
    bench.outbox.progress().await.unwrap();
    assert_eq!(
        bench.outbox.next(),
        Some(told()),
        "the interview goes on without the store"
    );
    assert!(
        bench
            .metrics
            .text()
            .contains("colloquy_write_failures_total{kind=\"journal\"} 1")
    );
    let left = bench.outbox.close(Duration::ZERO).await;
    assert_eq!(left.entries.len(), 1, "and nothing is forgotten");
}

#[tokio::test]
async fn what_was_kept_without_our_knowing_is_not_written_twice() {
    let mut bench = bench(None).await;
    // The write that the outbox believes to have failed was kept after all.
    bench
        .store
        .append(
            &bench.id,
            bench.epoch,
            vec![Entry::PeerUp { peer: PeerNo(1) }],
        )
        .await
        .unwrap();
    bench.outbox.push(fact(1)).unwrap();
    bench.outbox.push(fact(2)).unwrap();
    bench.outbox.writing = Writing::Retry { at: Instant::now() };
    assert_eq!(bench.outbox.next(), None);
    let left = bench.outbox.close(Duration::from_secs(10)).await;
    assert_eq!(left.entries, []);
    assert_eq!(journaled(&bench).await, 2);
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let mut bench = bench(None).await;
    for _ in 0..WAITING_MAX {
        bench.outbox.push(told()).unwrap();
    }
    assert_eq!(bench.outbox.push(told()), Err(Stuck::Overflow));
}
