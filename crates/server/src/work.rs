//! What happens after an interview: the recording is finished, the transcript coded, the report assembled. Each step is a
//! durable job of the store; a worker takes a lease, works without holding a transaction, and commits results, cost and
//! follow-up jobs in one.
//!
//! ```text
//! session ends ─> recording: finish_recording ─┬─> enrichment: code (one call per job) ─┬─> analysis: report
//!                                              │      └─> code again what was refused ──┤
//!                                              └─ nothing to code ──────────────────────┘
//! ```
//!
//! Whichever coding job ends last puts the report's job, in the transaction of its own end ([`store::Completion::last`]):
//! no crash can come between the two. Each lane has its own workers and its own failures: a slow lane never blocks
//! another. A panic in a job fails the job.

mod assemble;
mod call;
mod coding;
mod failure;
mod finish;
pub mod report;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine::ids::SessionId;
use store::{JobFilter, JobState, Lane, Lease, NewJob, Retry, Store, StoreError};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::metrics::Metrics;
pub use failure::Failure;
pub use report::Report;

/// Job kinds.
const CODE: &str = "code";
const REPORT: &str = "report";

/// How long a lease lasts without a heartbeat.
const LEASE: Duration = Duration::from_secs(60);
/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// New work wakes its lane at once; this is for work that becomes due by time, and for lost wake-ups.
const WAIT: Duration = Duration::from_millis(1_000);
/// After a fault of the store, before it is asked again.
const REST: Duration = Duration::from_millis(500);
/// Finishing a recording keeps a core busy, which interviews need.
const RECORDING_WORKERS: usize = 1;
/// A report is mostly waiting for its summary.
const ANALYSIS_WORKERS: usize = 2;

/// What leasing needs, whatever the work is.
#[derive(Clone)]
struct Office {
    store: Store,
    metrics: Arc<Metrics>,
    attempts_max: u32,
    stop: CancellationToken,
}

/// Works until stopped. Jobs under way get no time to finish: they are given back, and run again.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let client = Arc::new(call::Client::new(&app));
    let office = Office {
        store: app.store.clone(),
        metrics: Arc::clone(&app.metrics),
        attempts_max: app.config.enrichment.attempts_max,
        stop,
    };
    let coders = app.config.enrichment.concurrency;
    let mut workers = JoinSet::new();
    for (lane, count) in [
        (Lane::Recording, RECORDING_WORKERS),
        (Lane::Enrichment, coders),
        (Lane::Analysis, ANALYSIS_WORKERS),
    ] {
        for _ in 0..count {
            let (app, client) = (Arc::clone(&app), Arc::clone(&client));
            let job = move |lease| work(Arc::clone(&app), Arc::clone(&client), lease);
            workers.spawn(worker(office.clone(), lane, job));
        }
    }
    while workers.join_next().await.is_some() {}
}

/// Takes one job after the other. `job` is what is done with a lease.
async fn worker<J, W>(office: Office, lane: Lane, job: J)
where
    J: Fn(Lease) -> W + Send,
    W: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let Office { store, stop, .. } = &office;
    while !stop.is_cancelled() {
        let leases = match store.claim(lane, 1, LEASE).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::error!(lane = lane.name(), %error, "no job can be claimed");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(REST) => continue,
                }
            }
        };
        if leases.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = store.wait_for_work(lane, WAIT) => {}
            }
        }
        for lease in leases {
            process(&office, &lease, job(lease.clone())).await;
        }
    }
}

/// Does one job, in a task of its own so that a panic ends only the job.
async fn process(
    office: &Office,
    lease: &Lease,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) {
    if lease.attempts > office.attempts_max.saturating_mul(2) {
        // Attempts that fail are counted and stop at the maximum; only those that took their process with them get here.
        let reason =
            "nobody who took this job came back; the log of the process that died has the place";
        return Failure::hopeless(reason).settle(office, lease).await;
    }
    let mut job = JoinSet::new();
    job.spawn(work);
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.tick().await;
    let result = loop {
        tokio::select! {
            ended = job.join_next() => break ended.map_or(Ok(()), outcome),
            () = office.stop.cancelled() => {
                job.shutdown().await;
                return give_back(&office.store, lease).await;
            }
            _ = heartbeat.tick() => match office.store.heartbeat(lease, LEASE).await {
                Ok(()) => {}
                // Somebody else has the job: what is done here could not be committed any more.
                Err(StoreError::Fenced { .. }) => return job.shutdown().await,
                Err(error) => tracing::warn!(job.id = lease.job_id, %error, "a lease cannot be extended"),
            }
        }
    };
    if let Err(failure) = result {
        failure.settle(office, lease).await;
    }
}

fn outcome(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    ended.unwrap_or_else(|_| {
        Err(Failure::transient(
            "the job panicked; the log has the place",
        ))
    })
}

/// A job that is cut off by the server's stop is nobody's failure.
async fn give_back(store: &Store, lease: &Lease) {
    let now = Retry::At(store.now_us());
    match store
        .fail(lease, "the server stopped meanwhile", now, false)
        .await
    {
        // Fenced: it ended in the very moment in which it was stopped.
        Ok(()) | Err(StoreError::Fenced { .. }) => {}
        Err(error) => {
            tracing::warn!(job.id = lease.job_id, %error, "a job cannot be given back; the next start does it");
        }
    }
}

async fn work(app: Arc<App>, client: Arc<call::Client>, lease: Lease) -> Result<(), Failure> {
    let result = match lease.kind.as_str() {
        crate::session::FINISH_RECORDING => finish::run(&app, &lease).await,
        CODE => coding::run(&app, &client, &lease).await,
        REPORT => assemble::run(&app, &client, &lease).await,
        other => Err(Failure::hopeless(format!(
            "no worker knows the kind `{other}`: a newer release made this job"
        ))),
    };
    app.changed(&lease.session_id);
    result
}

fn report_job(session_id: &SessionId, rank: i64) -> NewJob {
    NewJob {
        lane: Lane::Analysis,
        kind: REPORT.to_owned(),
        session_id: session_id.clone(),
        key: String::new(),
        rank,
        body: serde_json::json!({}),
    }
}

/// Segments that wait, counted when somebody asks: a number that is kept up to date by whoever works goes stale with the
/// last of them. Jobs hold the numbers of their segments.
pub(crate) async fn measure(app: &App) {
    let mut waiting = 0;
    for state in [JobState::Ready, JobState::Leased] {
        let filter = JobFilter {
            lane: Some(Lane::Enrichment),
            state: Some(state),
            limit: 500,
            ..JobFilter::default()
        };
        let Ok(jobs) = app.store.jobs(filter).await else {
            return;
        };
        waiting += jobs
            .iter()
            .map(|job| coding::segment_numbers(&job.body).len())
            .sum::<usize>();
    }
    app.metrics
        .enrichment_queue_segments
        .set(i64::try_from(waiting).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests;
