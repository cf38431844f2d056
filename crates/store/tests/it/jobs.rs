//! The life of a job.

use std::time::Duration;

use engine::cost::Component;
use store::{Completion, JobFilter, JobState, Lane, Lease, NewJob, ReportState, Retry, StoreError};

use crate::bench::{Bench, LEASE, START_US, charge, job};

async fn claim_one(bench: &Bench) -> Option<Lease> {
    bench.claim(Lane::Enrichment, 1).await.pop()
}

#[tokio::test]
async fn the_newest_finished_session_goes_first_and_each_job_goes_once() {
    let bench = Bench::new().await;
    let (old, new) = (bench.session(1).await, bench.session(2).await);
    let jobs = vec![
        job(&old, "a", 10),
        job(&new, "a", 20),
        job(&new, "b", 20),
        job(&old, "b", 10),
    ];
    bench.store.enqueue(jobs).await.unwrap();
    let first = bench.claim(Lane::Enrichment, 3).await;
    let rest = bench.claim(Lane::Enrichment, 3).await;
    let order: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|lease| (lease.rank, lease.key.as_str()))
        .collect();
    assert_eq!(order, [(20, "a"), (20, "b"), (10, "a"), (10, "b")]);
    assert_eq!(claim_one(&bench).await, None);
    assert_eq!(
        bench.claim(Lane::Recording, 3).await,
        [],
        "another lane has work of its own"
    );
}

#[tokio::test]
async fn a_job_that_is_on_record_is_not_put_again_even_when_it_is_done() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench
        .store
        .enqueue(vec![job(&id, "a", 1), job(&id, "a", 2)])
        .await
        .unwrap();
    let lease = claim_one(&bench).await.unwrap();
    assert_eq!(lease.rank, 1);
    bench
        .store
        .complete(&lease, Completion::default())
        .await
        .unwrap();
    bench.store.enqueue(vec![job(&id, "a", 3)]).await.unwrap();
    assert_eq!(claim_one(&bench).await, None);
}

#[tokio::test]
async fn a_lease_that_ran_out_goes_to_another_and_its_holder_cannot_complete() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
    let slow = claim_one(&bench).await.unwrap();
    bench.clock.advance(LEASE - Duration::from_micros(1));
    assert_eq!(
        claim_one(&bench).await,
        None,
        "a lease holds to its last microsecond"
    );
    bench.clock.advance(Duration::from_micros(1));
    let quick = claim_one(&bench).await.unwrap();
    assert_eq!((quick.job_id, quick.attempts), (slow.job_id, 2));
    assert!(quick.fence > slow.fence);

    let charges = vec![charge(Component::EnrichmentIn, 10, 99)];
    let late = Completion {
        charges,
        ..Completion::default()
    };
    assert!(matches!(
        bench.store.complete(&slow, late).await,
        Err(StoreError::Fenced { .. })
    ));
    assert!(matches!(
        bench.store.heartbeat(&slow, LEASE).await,
        Err(StoreError::Fenced { .. })
    ));
    let given_back = bench.store.fail(&slow, "late", Retry::Dead, true).await;
    assert!(matches!(given_back, Err(StoreError::Fenced { .. })));
    assert_eq!(
        bench.store.ledger(&id).await.unwrap(),
        [],
        "nothing of a fenced-off completion is kept"
    );
    bench
        .store
        .complete(&quick, Completion::default())
        .await
        .unwrap();
    assert!(
        bench
            .store
            .complete(&quick, Completion::default())
            .await
            .is_err(),
        "done once"
    );
}

#[tokio::test]
async fn a_heartbeat_keeps_a_lease() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
    let lease = claim_one(&bench).await.unwrap();
    for _ in 0..3 {
        bench.clock.advance(LEASE - Duration::from_secs(1));
        bench.store.heartbeat(&lease, LEASE).await.unwrap();
        assert_eq!(claim_one(&bench).await, None);
    }
    bench
        .store
        .complete(&lease, Completion::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_failed_job_waits_for_its_time_and_a_rate_limit_costs_no_attempt() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
    let later = |seconds: i64| Retry::At(START_US + seconds * 1_000_000);

    let lease = claim_one(&bench).await.unwrap();
    bench
        .store
        .fail(&lease, "429", later(10), false)
        .await
        .unwrap();
    assert_eq!(claim_one(&bench).await, None, "not before its time");
    bench.clock.advance(Duration::from_secs(10));
    let lease = claim_one(&bench).await.unwrap();
    assert_eq!(lease.attempts, 1);
    bench
        .store
        .fail(&lease, "not JSON", later(20), true)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(10));
    let lease = claim_one(&bench).await.unwrap();
    assert_eq!(lease.attempts, 2);
}

#[tokio::test]
async fn a_dead_letter_is_visible_with_its_reason_and_is_never_claimed() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench
        .store
        .enqueue(vec![job(&id, "a", 1), job(&id, "b", 1)])
        .await
        .unwrap();
    let lease = claim_one(&bench).await.unwrap();
    bench
        .store
        .fail(&lease, &"x".repeat(5_000), Retry::Dead, true)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(3_600));
    let other = claim_one(&bench).await.unwrap();
    assert_eq!(other.key, "b");
    assert_eq!(claim_one(&bench).await, None);
    assert_eq!(
        bench.store.session(&id).await.unwrap().unwrap().report,
        ReportState::Working,
        "not failed while anything may still bring the report"
    );
    bench
        .store
        .complete(&other, Completion::default())
        .await
        .unwrap();

    let filter = JobFilter {
        state: Some(JobState::Dead),
        session_id: Some(id.clone()),
        ..JobFilter::default()
    };
    let dead = bench.store.jobs(filter).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].key.as_str(), dead[0].attempts, dead[0].ended_at_us),
        ("a", 1, Some(START_US))
    );
    assert_eq!(
        dead[0].last_error.as_deref().map(str::len),
        Some(2_000),
        "bounded"
    );
    assert_eq!(
        bench.store.session(&id).await.unwrap().unwrap().report,
        ReportState::Failed
    );
}

#[tokio::test]
async fn a_node_that_comes_back_releases_its_own_leases_only() {
    let bench = Bench::with(|config| config.node = "node-a".to_owned()).await;
    let id = bench.session(1).await;
    let recording = NewJob {
        lane: Lane::Recording,
        ..job(&id, "b", 1)
    };
    let jobs = vec![job(&id, "a", 1), recording];
    bench.store.enqueue(jobs).await.unwrap();
    let lost = claim_one(&bench).await.unwrap();
    assert_eq!(bench.claim(Lane::Recording, 1).await.len(), 1);
    assert_eq!(bench.store.release_own_leases("node-b").await.unwrap(), 0);
    assert_eq!(claim_one(&bench).await, None);
    assert_eq!(bench.store.release_own_leases("node-a").await.unwrap(), 2);
    let again = claim_one(&bench).await.unwrap();
    assert_eq!((again.job_id, again.attempts), (lost.job_id, 1));
    let recording = bench.claim(Lane::Recording, 1).await;
    assert_eq!(
        recording[0].attempts, 2,
        "what may have killed the process counts"
    );
    assert!(
        bench
            .store
            .complete(&lost, Completion::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_completion_puts_the_jobs_that_follow_and_wakes_their_lane() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.enqueue(vec![job(&id, "a", 1)]).await.unwrap();
    let lease = claim_one(&bench).await.unwrap();
    let mut follow = job(&id, "", 5);
    follow.lane = Lane::Analysis;
    follow.kind = "report".to_owned();
    let waiter = {
        let store = bench.store.clone();
        tokio::spawn(async move {
            store
                .wait_for_work(Lane::Analysis, Duration::from_secs(600))
                .await
        })
    };
    bench
        .store
        .complete(
            &lease,
            Completion {
                jobs: vec![follow],
                ..Completion::default()
            },
        )
        .await
        .unwrap();
    waiter.await.unwrap();
    let next = bench.claim(Lane::Analysis, 5).await;
    assert_eq!(next[0].kind, "report");
    let done = bench
        .store
        .jobs(JobFilter {
            state: Some(JobState::Done),
            ..JobFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(
        done.iter().map(|row| row.job_id).collect::<Vec<_>>(),
        [lease.job_id]
    );
}

#[tokio::test]
async fn whichever_job_of_a_finished_session_ends_last_puts_what_follows_done_or_given_up() {
    let bench = Bench::new().await;
    let (id, other) = (bench.finished(1).await, bench.session(2).await);
    let mut report = job(&id, "", 5);
    report.lane = Lane::Analysis;
    report.kind = "report".to_owned();
    let last = || Some(report.clone());
    let keys = ["a", "b", "c"].map(|key| job(&id, key, 2));
    bench.store.enqueue(keys.to_vec()).await.unwrap();
    // Another session's work is no reason to wait.
    bench
        .store
        .enqueue(vec![job(&other, "z", 1)])
        .await
        .unwrap();
    let leases = bench.claim(Lane::Enrichment, 3).await;
    let [a, b, c] = &leases[..] else {
        panic!("{leases:?}")
    };
    let reports = async || bench.claim(Lane::Analysis, 5).await.len();
    let follow_up = Completion {
        jobs: vec![job(&id, "d", 2)],
        last: last(),
        ..Completion::default()
    };
    bench.store.complete(a, follow_up).await.unwrap();
    bench.store.give_up(b, "hopeless", last()).await.unwrap();
    let done = || Completion {
        last: last(),
        ..Completion::default()
    };
    bench.store.complete(c, done()).await.unwrap();
    assert_eq!(reports().await, 0, "the follow-up of a waits");
    let d = claim_one(&bench).await.unwrap();
    assert_eq!(d.key, "d");
    bench.store.give_up(&d, "hopeless", last()).await.unwrap();
    assert_eq!(reports().await, 1);
    assert!(bench.store.give_up(&d, "again", last()).await.is_err());
}

#[tokio::test]
async fn a_wake_up_is_kept_for_a_worker_that_was_not_waiting_yet() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench
        .store
        .enqueue(vec![job(&id, "a", 1), job(&id, "b", 1)])
        .await
        .unwrap();
    bench
        .store
        .wait_for_work(Lane::Enrichment, Duration::from_secs(600))
        .await;
    // It took all that it may; so there may be more, and the next worker is told.
    claim_one(&bench).await.unwrap();
    bench
        .store
        .wait_for_work(Lane::Enrichment, Duration::from_secs(600))
        .await;
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let keys = ["a", "b", "c", "d", "e"];
    bench
        .store
        .enqueue(keys.iter().map(|key| job(&id, key, 1)).collect())
        .await
        .unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = bench
            .store
            .jobs(JobFilter {
                before,
                limit: 2,
                ..JobFilter::default()
            })
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.job_id);
        seen.extend(page.into_iter().map(|row| row.key));
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"]);
}
