//! No room left.

use std::time::Duration;

use engine::ids::SessionId;
use store::{Epoch, StoreError};
use tokio::task::JoinSet;

use crate::bench::{Bench, nudge, turn};

/// Appends until there is no room; gives back how many turns were acknowledged.
async fn fill(bench: &Bench, id: &SessionId, epoch: Epoch) -> u32 {
    let words = "word ".repeat(2_000);
    for number in 1..10_000 {
        match bench
            .store
            .append(id, epoch, vec![turn(number, u64::from(number), &words)])
            .await
        {
            Ok(_) => {}
            Err(StoreError::Full { what, place }) => {
                assert_eq!(what, "the database");
                assert!(place.ends_with("colloquy.db"), "{place}");
                return number - 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the limit does not hold");
}

#[tokio::test]
async fn a_full_disk_is_said_clearly_loses_nothing_and_writing_goes_on_once_there_is_room() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    bench.store.limit_pages(Some(120)).await.unwrap();
    let kept = fill(&bench, &id, epoch).await;
    assert!(kept > 0);
    assert!(bench.store.stats().full >= 1);
    // Reading goes on, and finds exactly what was acknowledged.
    assert_eq!(bench.store.turns(&id).await.unwrap().len(), kept as usize);
    assert_eq!(bench.kinds(&id).await.len(), 1 + kept as usize);

    bench.store.limit_pages(None).await.unwrap();
    bench.store.append(&id, epoch, vec![nudge()]).await.unwrap();
    let bench = bench.reopen().await;
    let row = bench.store.session(&id).await.unwrap().unwrap();
    assert_eq!((row.turns, row.last_seq), (kept, u64::from(kept) + 2));
    assert_eq!(bench.kinds(&id).await.len(), 2 + kept as usize);
}

#[tokio::test]
async fn the_write_without_room_fails_and_small_neighbours_in_its_group_do_not() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(20)).await;
    let mut sessions = Vec::new();
    for number in 1..=9 {
        let id = bench.session(number).await;
        let epoch = bench.store.claim_session(&id, "n").await.unwrap();
        sessions.push((id, epoch));
    }
    bench.store.limit_pages(Some(150)).await.unwrap();
    let mut writers = JoinSet::new();
    for (number, (id, epoch)) in sessions.into_iter().enumerate() {
        let store = bench.store.clone();
        writers.spawn(async move {
            let big = number == 4;
            let entry = if big {
                turn(1, 0, &"word ".repeat(200_000))
            } else {
                nudge()
            };
            (big, store.append(&id, epoch, vec![entry]).await)
        });
    }
    while let Some(done) = writers.join_next().await {
        let (big, result) = done.unwrap();
        if big {
            assert!(matches!(result, Err(StoreError::Full { .. })), "{result:?}");
        } else {
            assert_eq!(result, Ok(2));
        }
    }
}
