//! A server that goes and comes back.

use std::time::Duration;

use engine::ids::SessionId;
use store::{Lane, ManualClock, Store, StoreConfig, StoreError, Take};
use tempfile::TempDir;

use crate::bench::{LEASE, START_US, begin, config, job, new_session, nudge, study};
use crate::cluster::Cluster;

/// Tries until the server is there again.
async fn append_when_back(store: &Store, id: &SessionId, epoch: store::Epoch) -> u64 {
    let back = async {
        loop {
            match store.append(id, epoch, vec![nudge()]).await {
                Ok(seq) => return seq,
                Err(StoreError::Unavailable { .. } | StoreError::InUse { .. }) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_server_that_was_killed_loses_nothing_and_is_written_to_again_once_it_is_back() {
    let cluster = Cluster::start();
    let folder = TempDir::new().unwrap();
    let place = std::path::PathBuf::from(cluster.database("study").await);
    let config: StoreConfig = config(&folder, &place, &ManualClock::at(START_US));
    let store = Store::open(config).await.unwrap();
    store.put_study(study("title: Tools")).await.unwrap();
    store.create_sessions(vec![new_session(1)]).await.unwrap();
    let id = SessionId::from("S001");
    let epoch = store.claim_session(&id, "node").await.unwrap();
    assert_eq!(store.append(&id, epoch, vec![begin()]).await, Ok(2));
    store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
    let lease = store
        .claim(Lane::Enrichment, &Take::one(LEASE))
        .await
        .unwrap()
        .pop()
        .unwrap();

    cluster.kill();
    for _ in 0..2 {
        let refused = store.append(&id, epoch, vec![nudge()]).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Unavailable { .. }),
            "{refused}"
        );
    }
    let told = store.append(&id, epoch, vec![nudge()]).await.unwrap_err();
    assert!(told.to_string().contains("cannot be reached"), "{told}");
    assert!(store.ping().await.is_err());

    cluster.start_again();
    let seq = append_when_back(&store, &id, epoch).await;
    let journal = store.journal(&id).await.unwrap();
    assert_eq!(journal.len() as u64, seq);
    assert_eq!(seq, 3, "what was refused was not written");
    // The work that was under way is still this node's.
    store.heartbeat(&lease, LEASE).await.unwrap();
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_said_without_its_password() {
    let folder = TempDir::new().unwrap();
    let address = format!(
        "postgres://colloquy:secret@localhost/study?host={}",
        folder.path().display()
    );
    let config = StoreConfig::new(address, folder.path().join("recordings"));
    let told = Store::open(config).await.unwrap_err().to_string();
    assert!(told.contains("postgres://localhost/study"), "{told}");
    assert!(told.contains("Check that it runs"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
