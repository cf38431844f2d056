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
//! Each lane has its own workers and its own failures: a slow lane never blocks another. A panic in a job fails the job.

mod assemble;
mod call;
mod coding;
mod failure;
mod finish;
pub mod report;

use std::sync::Arc;
use std::time::Duration;

use engine::ids::SessionId;
use store::{JobFilter, JobState, Lane, Lease, NewJob, SessionFilter};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
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
/// Sessions looked at when the process starts, newest first: what ended since the last start.
const RECOVER_MAX: u32 = 500;

/// Works until stopped. Jobs under way get no time to finish: their leases are given back and they run again.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    recover(&app).await;
    let client = Arc::new(call::Client::new(&app));
    let mut workers = JoinSet::new();
    for (lane, count) in [
        (Lane::Recording, 1),
        (Lane::Enrichment, app.config.enrichment.concurrency),
        (Lane::Analysis, 1),
    ] {
        for _ in 0..count {
            workers.spawn(worker(
                Arc::clone(&app),
                Arc::clone(&client),
                lane,
                stop.clone(),
            ));
        }
    }
    while workers.join_next().await.is_some() {}
}

/// A crash may have come between the last coding and the enqueuing of its report.
async fn recover(app: &App) {
    let filter = SessionFilter {
        state: Some(engine::session::State::Ended),
        limit: RECOVER_MAX,
        ..SessionFilter::default()
    };
    let Ok(rows) = app.store.sessions(filter).await else {
        return;
    };
    for row in rows
        .iter()
        .filter(|row| row.report == store::ReportState::None && row.turns > 0)
    {
        if let Err(error) = app
            .store
            .enqueue(vec![report_job(
                &row.session_id,
                row.ended_at_us.unwrap_or_default(),
            )])
            .await
        {
            tracing::error!(session.id = %row.session_id, error = %error, "a report that was left behind cannot be enqueued");
        }
    }
}

async fn worker(app: Arc<App>, client: Arc<call::Client>, lane: Lane, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let leases = match app.store.claim(lane, 1, LEASE).await {
            Ok(leases) => leases,
            Err(error) => {
                tracing::error!(lane = lane.name(), error = %error, "no job can be claimed");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(REST) => continue,
                }
            }
        };
        if leases.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.store.wait_for_work(lane, WAIT) => {}
            }
        }
        for lease in leases {
            tokio::select! {
                () = stop.cancelled() => return,
                () = process(&app, &client, lease) => {}
            }
        }
    }
}

/// Does one job, in a task of its own so that a panic ends only the job.
async fn process(app: &Arc<App>, client: &Arc<call::Client>, lease: Lease) {
    let mut job = JoinSet::new();
    job.spawn(work(Arc::clone(app), Arc::clone(client), lease.clone()));
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.tick().await;
    let result = loop {
        tokio::select! {
            ended = job.join_next() => break ended,
            _ = heartbeat.tick() => {
                if let Err(error) = app.store.heartbeat(&lease, LEASE).await {
                    tracing::warn!(job.id = lease.job_id, error = %error, "a lease cannot be extended");
                }
            }
        }
    };
    let result = match result {
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(Failure::transient(
            "the job panicked; the log has the place",
        )),
        None => Ok(()),
    };
    if let Err(failure) = result {
        failure.settle(app, &lease).await;
    }
    depth(app).await;
    app.changed(&lease.session_id);
}

async fn work(app: Arc<App>, client: Arc<call::Client>, lease: Lease) -> Result<(), Failure> {
    match lease.kind.as_str() {
        crate::session::FINISH_RECORDING => finish::run(&app, &lease).await,
        CODE => coding::run(&app, &client, &lease).await,
        REPORT => assemble::run(&app, &client, &lease).await,
        other => Err(Failure::hopeless(format!(
            "no worker knows the kind `{other}`: a newer release made this job"
        ))),
    }
}

/// The report follows the last coding. Asked after each one that ends, well or not: whoever is last finds nothing left.
async fn report_if_last(app: &App, session_id: &SessionId, rank: i64) -> Result<(), Failure> {
    for state in [JobState::Ready, JobState::Leased] {
        let filter = JobFilter {
            lane: Some(Lane::Enrichment),
            state: Some(state),
            session_id: Some(session_id.clone()),
            limit: 1,
            ..JobFilter::default()
        };
        if !app.store.jobs(filter).await?.is_empty() {
            return Ok(());
        }
    }
    app.store
        .enqueue(vec![report_job(session_id, rank)])
        .await?;
    Ok(())
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

/// Segments that wait, for the metric. Jobs hold the numbers of their segments.
async fn depth(app: &App) {
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
