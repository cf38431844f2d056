//! What happens after an interview: the recording is finished, the transcript coded, the report assembled. Each step is a
//! durable job of the store; a worker takes a lease, works without holding a transaction, and commits results, cost and
//! follow-up jobs in one.
//!
//! ```text
//! session ends ─┬─> recording: finish_recording
//!               │     └─> second transcript: hear, a job per turn (if configured)
//!               └─> transcript: cut_transcript ─> enrichment: code, a job per segment ─> analysis: report
//! session runs ───> segments so far ──────────────^
//! ```
//!
//! A worker that is free takes the segment that is first in the order and those that may share its call; what became of each is
//! written with the cost of the call ([`store::Settlement`]). Whichever job of a session ends last puts the report's job, in
//! the transaction of its own end ([`store::Completion::last`]): no crash can come between the two. Each lane has its own
//! workers and its own failures: a slow lane never blocks another. A panic in a job fails the job.

mod assemble;
mod call;
mod coding;
mod eval;
mod failure;
mod finish;
mod gate;
mod lexicon;
mod merge;
pub mod report;
mod second;
mod stream;
mod summary;
mod transcript;
mod webhook;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine::enrich::sizes;
use engine::ids::SessionId;
use store::{Lane, Lease, NewJob, Retry, Store, StoreError, Take};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::metrics::Metrics;
pub use eval::{Evaluation, Sized, evaluate};
pub use failure::Failure;
pub use gate::Gate;
use gate::Turn;
pub use report::Report;

/// Job kinds.
const CODE: &str = "code";
const REPORT: &str = "report";
const HEAR: &str = "hear";
const MERGE: &str = "merge_topics";

/// How long a lease lasts without a heartbeat.
const LEASE: Duration = Duration::from_secs(60);
/// Between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// New work wakes its lane at once; for work that becomes due by time one worker of each lane is woken so often. Who finds
/// some wakes the next.
const LOOK_EVERY: Duration = Duration::from_millis(1_000);
/// Nobody waits longer for being woken.
const WAIT: Duration = Duration::from_secs(60);
/// After a fault of the store, before it is asked again.
const REST: Duration = Duration::from_millis(500);
/// Finishing a recording keeps a core busy, which interviews need.
const RECORDING_WORKERS: usize = 1;
/// Cutting a transcript is a read and a write.
const TRANSCRIPT_WORKERS: usize = 1;

/// A receiver that is slow holds up the other events for a while, no more.
const DELIVERY_WORKERS: usize = 2;

/// What leasing needs, whatever the work is.
#[derive(Clone)]
struct Office {
    store: Store,
    metrics: Arc<Metrics>,
    attempts_max: u32,
    stop: CancellationToken,
}

/// Ways to others.
struct Tools {
    client: call::Client,
    sender: webhook::Sender,
    hearer: second::Hearer,
}

/// Works until stopped. Jobs under way get no time to finish: they are given back, and run again.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let tools = Arc::new(Tools {
        client: call::Client::new(&app.config, Arc::clone(&app.gate)),
        sender: webhook::Sender::new(&app),
        hearer: second::Hearer::new(&app.config),
    });
    let office = Office {
        store: app.store.clone(),
        metrics: Arc::clone(&app.metrics),
        attempts_max: app.config.enrichment.attempts_max,
        stop,
    };
    let enrichment = &app.config.enrichment;
    let one = Take {
        order: enrichment.order,
        ..Take::one(LEASE)
    };
    let together = Take {
        at_once: sizes(u32::try_from(enrichment.batch_segments).unwrap_or(1)).to_vec(),
        ..one.clone()
    };
    let turns = Take {
        at_once: vec![second::TURNS_AT_ONCE],
        ..one.clone()
    };
    let mut workers = JoinSet::new();
    for (lane, count, take) in [
        (Lane::Recording, RECORDING_WORKERS, &one),
        (Lane::Transcript, TRANSCRIPT_WORKERS, &one),
        // While some write down what came of their calls, others make theirs; the gate counts calls.
        (
            Lane::Enrichment,
            enrichment.concurrency * 5 / 4 + 1,
            &together,
        ),
        // A report is mostly waiting for its summary, for which it takes a turn like everybody.
        (Lane::Analysis, enrichment.concurrency, &one),
        (Lane::Delivery, DELIVERY_WORKERS, &one),
        (
            Lane::SecondTranscript,
            app.config.second_transcript.concurrency,
            &turns,
        ),
    ] {
        let mut office = office.clone();
        if lane == Lane::Delivery {
            office.attempts_max = webhook::ATTEMPTS_MAX;
        }
        for _ in 0..count {
            let (app, tools) = (Arc::clone(&app), Arc::clone(&tools));
            let gate = (lane == Lane::Enrichment).then(|| Arc::clone(tools.client.gate()));
            let job = move |leases, turn| work(Arc::clone(&app), Arc::clone(&tools), leases, turn);
            workers.spawn(worker(office.clone(), lane, take.clone(), gate, job));
        }
    }
    workers.spawn(look(office.store.clone(), office.stop.clone()));
    workers.spawn(stream::run(Arc::clone(&app), office.stop.clone()));
    while workers.join_next().await.is_some() {}
}

/// Has one worker of each lane look for work, again and again: as many as there are would ask the database for the same.
async fn look(store: Store, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => store.wake_all_lanes(),
        }
    }
}

/// Takes work, again and again. `job` is what is done with leases that are taken together. Where calls need a turn it is
/// waited for first: who is first in the order when there is one shall have it.
async fn worker<J, W>(office: Office, lane: Lane, take: Take, gate: Option<Arc<Gate>>, job: J)
where
    J: Fn(Vec<Lease>, Option<Turn>) -> W + Send,
    W: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let Office { store, stop, .. } = &office;
    while !stop.is_cancelled() {
        let turn = match &gate {
            None => None,
            Some(gate) => tokio::select! {
                () = stop.cancelled() => return,
                turn = gate.turn(None) => Some(turn),
            },
        };
        let leases = match store.claim(lane, &take).await {
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
            drop(turn);
            tokio::select! {
                () = stop.cancelled() => return,
                () = store.wait_for_work(lane, WAIT) => {}
            }
        } else {
            process(&office, leases.clone(), job(leases, turn)).await;
        }
    }
}

/// Does jobs that were taken together, in a task of its own so that a panic ends only them.
async fn process(
    office: &Office,
    mut leases: Vec<Lease>,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) {
    let lost = |lease: &Lease| lease.attempts > office.attempts_max.saturating_mul(2);
    if leases.iter().any(lost) {
        // Attempts that fail are counted and stop at the maximum; only those that took their process with them get here.
        let reason =
            "nobody who took this job came back; the log of the process that died has the place";
        for lease in &leases {
            if lost(lease) {
                Failure::hopeless(reason).settle(office, lease).await;
            } else {
                give_back(&office.store, lease).await;
            }
        }
        return;
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
                for lease in &leases {
                    give_back(&office.store, lease).await;
                }
                return;
            }
            _ = heartbeat.tick() => {
                keep(office, &mut leases).await;
                // Somebody else has the jobs: what is done here could not be committed any more.
                if leases.is_empty() {
                    return job.shutdown().await;
                }
            }
        }
    };
    if let Err(failure) = result {
        for lease in &leases {
            failure.clone().settle(office, lease).await;
        }
    }
}

/// Extends leases, and lets go of those that somebody else has by now.
async fn keep(office: &Office, leases: &mut Vec<Lease>) {
    let mut kept = Vec::with_capacity(leases.len());
    for lease in leases.drain(..) {
        match office.store.heartbeat(&lease, LEASE).await {
            Err(StoreError::Fenced { .. }) => continue,
            Err(error) => {
                tracing::warn!(job.id = lease.job_id, %error, "a lease cannot be extended");
            }
            Ok(()) => {}
        }
        kept.push(lease);
    }
    *leases = kept;
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

async fn work(
    app: Arc<App>,
    tools: Arc<Tools>,
    leases: Vec<Lease>,
    turn: Option<Turn>,
) -> Result<(), Failure> {
    let client = &tools.client;
    let Some(lease) = leases.first() else {
        return Ok(());
    };
    let result = match lease.kind.as_str() {
        crate::session::FINISH_RECORDING => finish::run(&app, lease).await,
        crate::session::CUT_TRANSCRIPT => transcript::run(&app, lease).await,
        CODE => {
            // Whoever takes coding waited for a turn first.
            let turn = turn.ok_or_else(|| Failure::transient("there was no turn for a call"))?;
            coding::run(&app, client, &leases, turn).await
        }
        REPORT => assemble::run(&app, client, lease).await,
        MERGE => merge::run(&app, client, lease).await,
        HEAR => second::run(&app, &tools.hearer, &leases).await,
        webhook::WEBHOOK => webhook::run(&app, &tools.sender, lease).await,
        other => Err(Failure::hopeless(format!(
            "no worker knows the kind `{other}`: a newer release made this job"
        ))),
    };
    app.changed(&lease.session_id);
    result
}

fn report_job(of: &Lease) -> NewJob {
    NewJob {
        lane: Lane::Analysis,
        kind: REPORT.to_owned(),
        session_id: of.session_id.clone(),
        key: String::new(),
        rank: of.rank,
        due_us: of.due_us,
        body: serde_json::json!({}),
    }
}

/// The report of a session that a person changed: made again, at once.
pub(crate) fn report_again(session_id: &SessionId, now_us: i64) -> NewJob {
    NewJob {
        lane: Lane::Analysis,
        kind: REPORT.to_owned(),
        session_id: session_id.clone(),
        key: String::new(),
        rank: now_us,
        due_us: now_us,
        body: serde_json::json!({}),
    }
}

/// What waits, counted when somebody asks: a number that is kept up to date by whoever works goes stale with the last of
/// them. In enrichment a job is a segment.
pub(crate) async fn measure(app: &App) {
    let Ok(depths) = app.store.depths().await else {
        return;
    };
    let depth = depths.get(&Lane::Enrichment).copied().unwrap_or_default();
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    app.metrics
        .enrichment_queue_segments
        .set(number(depth.ready.saturating_add(depth.leased)));
    let age_us = depth
        .oldest_us
        .map_or(0, |oldest_us| app.store.now_us().saturating_sub(oldest_us));
    app.metrics
        .enrichment_oldest_seconds
        .set(age_us.max(0) / 1_000_000);
    let dead = depths.values().map(|depth| depth.dead).sum();
    app.metrics.dead_letters.set(number(dead));
}

#[cfg(test)]
mod tests;
