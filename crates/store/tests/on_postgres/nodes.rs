//! Several nodes on one database.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::ids::SessionId;
use store::{Completion, Fate, JobFilter, Lane, Settlement, Store, StoreError, Take};
use tokio::task::JoinSet;

use crate::bench::{Bench, LEASE, begin, ended, job, nudge};
use crate::work::{coded, cut};

/// A second node on the same database.
async fn other(bench: &Bench, name: &str) -> Store {
    let mut config = bench.config();
    config.node = name.to_owned();
    Store::open(config).await.unwrap()
}

#[tokio::test]
async fn a_second_process_of_the_same_name_is_refused_and_one_of_another_is_not() {
    let bench = Bench::new().await;
    let refused = Store::open(bench.config()).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("node name"), "{refused}");
    other(&bench, "second").await.ping().await.unwrap();
}

#[tokio::test]
async fn work_that_one_node_puts_wakes_the_other() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let second = other(&bench, "second").await;
    // Until it listens nothing can be heard; what is put is then found by looking.
    let heard = async {
        loop {
            bench.store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
            let waits = second.wait_for_work(Lane::Enrichment, Duration::from_secs(600));
            if tokio::time::timeout(Duration::from_millis(200), waits)
                .await
                .is_ok()
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard)
        .await
        .unwrap();
}

#[tokio::test]
async fn each_segment_is_taken_by_one_node_and_the_last_of_all_puts_the_report_once() {
    let bench = Bench::new().await;
    let mut sessions = Vec::new();
    for number in 1..=6 {
        let id = bench.finished(number).await;
        sessions.push(id);
    }
    let numbers: Vec<u32> = (1..=30).map(|no| no * 1_000).collect();
    for id in &sessions {
        let lease = one(&bench, id).await;
        let completion = Completion {
            cut: Some(cut(&numbers, store::Extent::All, 1, store::NEVER_DUE)),
            ..Completion::default()
        };
        bench.store.complete(&lease, completion).await.unwrap();
    }
    let nodes = [
        bench.store.clone(),
        other(&bench, "second").await,
        other(&bench, "third").await,
    ];
    let mut workers = JoinSet::new();
    for node in nodes {
        for _ in 0..3 {
            workers.spawn(work_off(node.clone()));
        }
    }
    let mut taken = Vec::new();
    while let Some(done) = workers.join_next().await {
        taken.extend(done.unwrap());
    }
    assert_eq!(taken.len(), 180);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 180);
    let filter = JobFilter {
        lane: Some(Lane::Analysis),
        limit: 100,
        ..JobFilter::default()
    };
    let reports = bench.store.jobs(filter).await.unwrap();
    assert_eq!(reports.len(), 6, "a report for each interview");
    for id in &sessions {
        let segments = bench.store.segments(id).await.unwrap();
        assert!(segments.iter().all(|segment| segment.coding.is_some()));
    }
}

async fn one(bench: &Bench, id: &SessionId) -> store::Lease {
    bench
        .store
        .enqueue(vec![store::NewJob {
            lane: Lane::Transcript,
            ..job(id, "", 1)
        }])
        .await
        .unwrap();
    bench.claim(Lane::Transcript, 1).await.pop().unwrap()
}

/// Takes and settles until nothing is left.
async fn work_off(node: Store) -> Vec<i64> {
    let take = Take {
        at_once: vec![4],
        ..Take::one(LEASE)
    };
    let mut taken = Vec::new();
    loop {
        let leases = node.claim(Lane::Enrichment, &take).await.unwrap();
        let Some(first) = leases.first() else {
            return taken;
        };
        let fate = |lease: &store::Lease| -> (i64, Fate) {
            (lease.job_id, coded(lease.key.parse().unwrap()))
        };
        let settlement = Settlement {
            fates: leases.iter().map(fate).collect(),
            last: Some(store::NewJob {
                lane: Lane::Analysis,
                ..job(&first.session_id, "report", 1)
            }),
            ..Settlement::default()
        };
        let held = node.settle(&leases, settlement).await.unwrap();
        assert_eq!(held, leases.len());
        taken.extend(leases.iter().map(|lease| lease.job_id));
    }
}

#[tokio::test]
async fn a_node_takes_up_its_own_interviews_and_leaves_those_of_others_alone() {
    let bench = Bench::new().await;
    let second = other(&bench, "second").await;
    let (mine, theirs) = (bench.session(1).await, bench.session(2).await);
    bench.store.claim_session(&mine, "node").await.unwrap();
    second.claim_session(&theirs, "second").await.unwrap();
    let unfinished = |rows: Vec<store::SessionRow>| {
        rows.into_iter()
            .map(|row| row.session_id)
            .collect::<Vec<_>>()
    };
    let of_first = bench.store.unfinished_sessions().await.unwrap();
    assert_eq!(unfinished(of_first), std::slice::from_ref(&mine));
    let of_second = second.unfinished_sessions().await.unwrap();
    assert_eq!(unfinished(of_second), [theirs]);
}

#[tokio::test]
async fn a_session_that_another_node_claims_is_lost_to_the_one_before_whatever_it_was_writing() {
    let bench = Bench::new().await;
    let second = other(&bench, "second").await;
    let id = bench.session(1).await;
    let before = bench.store.claim_session(&id, "node").await.unwrap();
    bench
        .store
        .append(&id, before, vec![begin()])
        .await
        .unwrap();
    let after = second.claim_session(&id, "second").await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (bench.store.clone(), id.clone());
        writers.spawn(async move { store.append(&id, before, vec![nudge()]).await });
    }
    let written = second.append(&id, after, vec![nudge()]).await;
    assert_eq!(written, Ok(3));
    while let Some(done) = writers.join_next().await {
        let refused = done.unwrap();
        assert!(
            matches!(refused, Err(StoreError::Fenced { .. })),
            "{refused:?}"
        );
    }
    second
        .finish_session(&id, after, vec![ended()], vec![])
        .await
        .unwrap();
    assert_eq!(bench.kinds(&id).await.len(), 4);
}

/// Groups of two nodes lock the same sessions in opposite orders. Whoever the database stops writes one by one.
#[tokio::test]
async fn nodes_that_write_about_the_same_sessions_in_opposite_orders_both_come_through() {
    let bench = Bench::with(|config| config.gather = Duration::from_millis(20)).await;
    let mut config = bench.config();
    config.node = "second".to_owned();
    config.gather = Duration::from_millis(20);
    let second = Store::open(config).await.unwrap();
    let mut sessions = Vec::new();
    for number in 1..=8 {
        sessions.push(bench.session(number).await);
    }
    for round in 0..10 {
        let mut writers = JoinSet::new();
        for (store, turned) in [(bench.store.clone(), false), (second.clone(), true)] {
            let mut ids = sessions.clone();
            if turned {
                ids.reverse();
            }
            writers.spawn(async move {
                let grants = ids.iter().enumerate().map(|(number, id)| {
                    let mut hash = [round; 32];
                    hash[0] = u8::try_from(number).unwrap();
                    hash[1] = u8::from(turned);
                    store.issue_grant(id, hash)
                });
                for issued in futures_util::future::join_all(grants).await {
                    issued.unwrap();
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
    }
}
