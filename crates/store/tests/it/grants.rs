//! Grants: issued, redeemed once, given back, forgotten.

use std::time::Duration;

use store::{Redeemed, StoreError};
use tokio::task::JoinSet;

use crate::bench::{Bench, START_US};

/// The hash of the grant of that number.
fn hash(number: u8) -> [u8; 32] {
    [number; 32]
}

#[tokio::test]
async fn a_grant_is_redeemed_once_and_brings_the_next_one() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    assert_eq!(bench.store.grant(&hash(1)).await.unwrap(), None);
    bench.store.issue_grant(&id, hash(1)).await.unwrap();
    let row = bench.store.grant(&hash(1)).await.unwrap().unwrap();
    assert_eq!((row.grant_hash, &row.session_id), (hash(1), &id));
    assert_eq!((row.issued_at_us, row.used_at_us), (START_US, None));
    bench.clock.advance(Duration::from_secs(1));
    let redeem = async |grant, next| bench.store.redeem_grant(&id, grant, next).await.unwrap();
    assert_eq!(redeem(hash(1), hash(2)).await, Redeemed::Now);
    assert_eq!(redeem(hash(1), hash(3)).await, Redeemed::Before);
    let used = bench.store.grant(&hash(1)).await.unwrap().unwrap();
    assert_eq!(used.used_at_us, Some(START_US + 1_000_000));
    assert_eq!(
        bench.store.grant(&hash(3)).await.unwrap(),
        None,
        "a redemption that came too late issues nothing"
    );
    assert_eq!(redeem(hash(2), hash(3)).await, Redeemed::Now);
    let bench = bench.reopen().await;
    let good = bench.store.grant(&hash(3)).await.unwrap().unwrap();
    assert_eq!(good.used_at_us, None, "grants survive the process");
}

#[tokio::test]
async fn of_many_redemptions_at_once_exactly_one_wins() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(20)).await;
    let id = bench.session(1).await;
    bench.store.issue_grant(&id, hash(0)).await.unwrap();
    let mut tries = JoinSet::new();
    for number in 1..=20 {
        let (store, id) = (bench.store.clone(), id.clone());
        tries.spawn(async move { (number, store.redeem_grant(&id, hash(0), hash(number)).await) });
    }
    let mut winners = Vec::new();
    while let Some(tried) = tries.join_next().await {
        let (number, redeemed) = tried.unwrap();
        if redeemed.unwrap() == Redeemed::Now {
            winners.push(number);
        }
    }
    let [winner] = winners[..] else {
        panic!("one wins, not {winners:?}");
    };
    for number in 1..=20 {
        let issued = bench.store.grant(&hash(number)).await.unwrap().is_some();
        assert_eq!(issued, number == winner, "{number}");
    }
}

#[tokio::test]
async fn a_grant_opens_no_session_but_its_own() {
    let bench = Bench::new().await;
    let (one, other) = (bench.session(1).await, bench.session(2).await);
    bench.store.issue_grant(&one, hash(1)).await.unwrap();
    let redeemed = bench.store.redeem_grant(&other, hash(1), hash(2)).await;
    assert_eq!(redeemed, Ok(Redeemed::Before));
    let row = bench.store.grant(&hash(1)).await.unwrap().unwrap();
    assert_eq!(row.used_at_us, None);
    let nobody = bench.store.issue_grant(&"S999".into(), hash(3)).await;
    assert!(
        matches!(nobody, Err(StoreError::NotFound { .. })),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn a_newer_grant_takes_the_place_of_the_one_before() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.issue_grant(&id, hash(1)).await.unwrap();
    bench.store.issue_grant(&id, hash(2)).await.unwrap();
    let older = bench.store.redeem_grant(&id, hash(1), hash(3)).await;
    assert_eq!(older, Ok(Redeemed::Before));
    let newer = bench.store.redeem_grant(&id, hash(2), hash(3)).await;
    assert_eq!(newer, Ok(Redeemed::Now));
}

#[tokio::test]
async fn a_grant_given_back_is_good_again_unless_somebody_else_came() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let redeem = async |grant, next| bench.store.redeem_grant(&id, grant, next).await.unwrap();
    bench.store.issue_grant(&id, hash(1)).await.unwrap();
    assert_eq!(redeem(hash(1), hash(2)).await, Redeemed::Now);
    bench.store.return_grant(hash(1), hash(2)).await.unwrap();
    assert_eq!(bench.store.grant(&hash(2)).await.unwrap(), None);
    assert_eq!(redeem(hash(1), hash(3)).await, Redeemed::Now);
    // Somebody comes by the link alone before it is given back.
    bench.store.issue_grant(&id, hash(4)).await.unwrap();
    bench.store.return_grant(hash(1), hash(3)).await.unwrap();
    assert_eq!(redeem(hash(1), hash(5)).await, Redeemed::Before);
    assert_eq!(redeem(hash(4), hash(5)).await, Redeemed::Now);
}

#[tokio::test]
async fn used_grants_are_forgotten_in_their_order_and_never_the_good_one() {
    let bench = Bench::new().await;
    let (id, neighbour) = (bench.session(1).await, bench.session(2).await);
    bench
        .store
        .issue_grant(&neighbour, hash(255))
        .await
        .unwrap();
    bench.store.issue_grant(&id, hash(0)).await.unwrap();
    for number in 0..100 {
        let redeemed = bench
            .store
            .redeem_grant(&id, hash(number), hash(number + 1));
        assert_eq!(redeemed.await, Ok(Redeemed::Now));
    }
    let mut kept = Vec::new();
    for number in 0..=100 {
        if let Some(row) = bench.store.grant(&hash(number)).await.unwrap() {
            kept.push((number, row.used_at_us.is_some()));
        }
    }
    let used = (92..100).map(|number| (number, true));
    assert_eq!(kept, used.chain([(100, false)]).collect::<Vec<_>>());
    assert!(bench.store.grant(&hash(255)).await.unwrap().is_some());
}
