#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use engine::ids::{SessionId, StudyId};
use store::{
    Completion, JobFilter, JobRow, JobState, Lane, Lease, Length, NEVER_DUE, NewJob, NewSession,
    NewStudy, Store, StoreConfig, Take,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Failure, LEASE, Office, WAIT, look, worker};
use crate::metrics::Metrics;

const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    office: Office,
    session_id: SessionId,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::new(folder.path().join("db"), folder.path().join("recordings"));
        let store = Store::open(config).await.unwrap();
        let study = NewStudy {
            study_id: StudyId::from("study"),
            title: "Study".to_owned(),
            source: String::new(),
        };
        let study = store.put_study(study).await.unwrap();
        let session_id = SessionId::from("session");
        let session = NewSession {
            session_id: session_id.clone(),
            study_id: study.study_id,
            study_version: study.version,
            link_hash: [1; 32],
            language: "en".to_owned(),
            length: Length::Full,
            external_id: None,
            expires_at_us: None,
        };
        store.create_sessions(vec![session]).await.unwrap();
        let office = Office {
            store,
            metrics: Arc::new(Metrics::new()),
            attempts_max: 2,
            stop: CancellationToken::new(),
        };
        Bench {
            office,
            session_id,
            _folder: folder,
        }
    }

    async fn put(&self, key: &str, rank: i64) {
        self.put_in(Lane::Analysis, key, rank).await;
    }

    async fn put_in(&self, lane: Lane, key: &str, rank: i64) {
        let job = NewJob {
            lane,
            kind: "test".to_owned(),
            session_id: self.session_id.clone(),
            key: key.to_owned(),
            rank,
            due_us: NEVER_DUE,
            body: serde_json::json!({}),
        };
        self.office.store.enqueue(vec![job]).await.unwrap();
    }

    async fn jobs(&self) -> Vec<JobRow> {
        let mut jobs = self.office.store.jobs(JobFilter::default()).await.unwrap();
        jobs.sort_by_key(|job| job.job_id);
        jobs
    }
}

#[tokio::test]
async fn a_job_that_panics_fails_and_its_worker_goes_on_to_the_next() {
    let bench = Bench::new().await;
    bench.put("bad", 2).await;
    bench.put("good", 1).await;
    let done = Arc::new(Notify::new());
    let (store, told) = (bench.office.store.clone(), Arc::clone(&done));
    let job = move |leases: Vec<Lease>, _| {
        let lease = leases[0].clone();
        let (store, told) = (store.clone(), Arc::clone(&told));
        async move {
            assert!(lease.key == "good", "a bug");
            store.complete(&lease, Completion::default()).await?;
            told.notify_one();
            Ok(())
        }
    };
    let working = tokio::spawn(worker(
        bench.office.clone(),
        Lane::Analysis,
        Take::one(LEASE),
        None,
        job,
    ));
    timeout(PATIENCE, done.notified()).await.unwrap();
    bench.office.stop.cancel();
    timeout(PATIENCE, working).await.unwrap().unwrap();
    let jobs = bench.jobs().await;
    let [bad, good] = &jobs[..] else {
        panic!("{jobs:?}")
    };
    assert_eq!(good.state, JobState::Done);
    assert!(
        matches!(bad.state, JobState::Ready | JobState::Dead),
        "{bad:?}"
    );
    assert!(bad.attempts >= 1, "{bad:?}");
    assert!(
        bad.last_error.as_deref().unwrap().contains("panicked"),
        "{bad:?}"
    );
}

#[tokio::test]
async fn a_job_that_is_cut_off_by_a_stop_is_given_back_at_once_and_for_free() {
    let bench = Bench::new().await;
    bench.put("slow", 1).await;
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let job = move |_, _| {
        told.notify_one();
        std::future::pending::<Result<(), Failure>>()
    };
    let working = tokio::spawn(worker(
        bench.office.clone(),
        Lane::Analysis,
        Take::one(LEASE),
        None,
        job,
    ));
    timeout(PATIENCE, begun.notified()).await.unwrap();
    bench.office.stop.cancel();
    timeout(PATIENCE, working).await.unwrap().unwrap();
    let jobs = bench.jobs().await;
    assert_eq!((jobs[0].state, jobs[0].attempts), (JobState::Ready, 0));
    let again = bench
        .office
        .store
        .claim(Lane::Analysis, &Take::one(PATIENCE))
        .await
        .unwrap();
    assert_eq!(again.len(), 1, "not only after its lease ran out");
}

#[tokio::test]
async fn a_job_that_took_its_process_with_it_too_often_is_a_dead_letter() {
    let bench = Bench::new().await;
    bench.put_in(Lane::Recording, "poison", 1).await;
    let store = &bench.office.store;
    for _ in 0..4 {
        let leases = store
            .claim(Lane::Recording, &Take::one(PATIENCE))
            .await
            .unwrap();
        assert_eq!(leases.len(), 1);
        // The process dies; the next one finds the lease at its start.
        let owner = bench.jobs().await[0].owner.clone().unwrap();
        assert_eq!(store.release_own_leases(&owner).await.unwrap(), 1);
    }
    let working = {
        let office = bench.office.clone();
        tokio::spawn(worker(
            office,
            Lane::Recording,
            Take::one(LEASE),
            None,
            async |_, _| panic!("it is not run again"),
        ))
    };
    let dead = async {
        while bench.jobs().await[0].state != JobState::Dead {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, dead).await.unwrap();
    bench.office.stop.cancel();
    timeout(PATIENCE, working).await.unwrap().unwrap();
    let jobs = bench.jobs().await;
    assert!(
        jobs[0].last_error.as_deref().unwrap().contains("came back"),
        "{jobs:?}"
    );
    assert_eq!(bench.office.metrics.dead_jobs.get(), 1);
}

#[tokio::test]
async fn patience_costs_no_attempt_and_trouble_does_until_there_are_no_more() {
    let bench = Bench::new().await;
    bench.put("a", 1).await;
    let store = &bench.office.store;
    let claim = async || {
        let leases = store
            .claim(Lane::Analysis, &Take::one(PATIENCE))
            .await
            .unwrap();
        leases.into_iter().next()
    };
    let busy = providers::chat::ChatError {
        category: providers::chat::ChatErrorCategory::RateLimited,
        detail: String::new(),
        retry_after: Some(Duration::ZERO),
        retry: providers::chat::RetryHint::Unsaid,
        limits: providers::chat::RateLimits::default(),
    };
    for _ in 0..5 {
        let lease = claim().await.unwrap();
        assert_eq!(lease.attempts, 1);
        Failure::from(busy.clone())
            .settle(&bench.office, &lease)
            .await;
    }
    let lease = claim().await.unwrap();
    Failure::transient("it broke")
        .settle(&bench.office, &lease)
        .await;
    let row = &bench.jobs().await[0];
    assert_eq!((row.state, row.attempts), (JobState::Ready, 1));
    assert!(row.not_before_us > row.created_at_us, "after a while");
    let second = Lease {
        attempts: 2,
        ..lease
    };
    // The same lease again: it was given back, so this changes nothing.
    Failure::transient("late")
        .settle(&bench.office, &second)
        .await;
    assert_eq!(bench.jobs().await[0].state, JobState::Ready);
}

#[tokio::test]
async fn work_that_falls_due_is_found_though_nobody_puts_any() {
    let bench = Bench::new().await;
    let store = &bench.office.store;
    for key in ["a", "b", "c"] {
        bench.put(key, 1).await;
    }
    for _ in 0..3 {
        let take = Take::one(PATIENCE);
        let leases = store.claim(Lane::Analysis, &take).await.unwrap();
        Failure::transient("it broke")
            .settle(&bench.office, &leases[0])
            .await;
    }
    let mut working = JoinSet::new();
    working.spawn(look(store.clone(), bench.office.stop.clone()));
    for _ in 0..3 {
        let done = store.clone();
        let job = move |leases: Vec<Lease>, _| {
            let (store, lease) = (done.clone(), leases[0].clone());
            async move { Ok(store.complete(&lease, Completion::default()).await?) }
        };
        let office = bench.office.clone();
        let take = Take::one(LEASE);
        working.spawn(worker(office, Lane::Analysis, take, None, job));
    }
    let all_done = async {
        let is_done = |job: &JobRow| job.state == JobState::Done;
        while !bench.jobs().await.iter().all(is_done) {
            tokio::task::yield_now().await;
        }
    };
    // Without a look all workers would sleep for as long as they may: longer than this.
    timeout(WAIT / 2, all_done).await.unwrap();
    bench.office.stop.cancel();
    while let Some(ended) = working.join_next().await {
        ended.unwrap();
    }
}
