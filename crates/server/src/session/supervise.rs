//! Around each session task: whatever happens inside, also a panic, the session ends properly and alone.
//!
//! Parts are tied together by their channels: once the session task is done its senders are dropped, links close, the
//! media task finishes the recording, the recorder writes what it still has. Then the end and the work that follows it are
//! written in one transaction, and only then the place in the registry is free again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use engine::ids::SessionId;
use engine::journal::{Entry, Outcome};
use futures_util::FutureExt;
use store::{Epoch, Lane, NewJob, Store, StoreError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::media;
use super::outbox::{Unwritten, kept_since};
use super::recorder::Written;
use super::registry::Slot;
use super::task::{Ending, SessionTask};
use crate::app::Change;

/// For the recorder to write the last chunks; its own last tries are shorter.
const RECORDED_WITHIN: Duration = Duration::from_secs(15);
/// For entries that are still waiting for the store.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of a session is tried to be written. Beyond it the next start of the process does it.
const FINISHED_WITHIN: Duration = Duration::from_secs(600);
/// Once the process wants to end, no longer than this.
const HASTE: Duration = Duration::from_secs(1);

/// The kinds of the jobs that follow every session; what follows them is the workers' business.
pub const FINISH_RECORDING: &str = "finish_recording";
/// The other one.
pub const CUT_TRANSCRIPT: &str = "cut_transcript";

/// When these two are overdue and go before what is newer: they take seconds. (When results are due is the study's.)
const DUE_WITHIN_US: i64 = 5 * 60 * 1_000_000;

/// The jobs that turn an ended session into a recording and a report, step by step.
#[must_use]
pub fn after_end(session_id: &SessionId, ended_at_us: i64) -> Vec<NewJob> {
    let job = |lane, kind: &str| NewJob {
        lane,
        kind: kind.to_owned(),
        session_id: session_id.clone(),
        key: String::new(),
        rank: ended_at_us,
        due_us: ended_at_us.saturating_add(DUE_WITHIN_US),
        body: serde_json::json!({}),
    };
    vec![
        job(Lane::Recording, FINISH_RECORDING),
        job(Lane::Transcript, CUT_TRANSCRIPT),
    ]
}

/// A session task with what must be done after it.
pub(super) struct Supervised {
    /// The task.
    pub(super) task: SessionTask,
    /// The recorder, to be waited for.
    pub(super) recorder: JoinHandle<Written>,
    /// Everything durable.
    pub(super) store: Store,
    /// The right to write.
    pub(super) epoch: Epoch,
    /// The process wants to end.
    pub(super) stop: CancellationToken,
    /// The place in the registry.
    pub(super) slot: Slot,
}

impl Supervised {
    /// Runs the session to its end and beyond.
    pub(super) async fn run(mut self) {
        let _alive = self.task.metrics.alive("session");
        let ending = AssertUnwindSafe(self.task.run()).catch_unwind().await;
        let ending = ending.unwrap_or_else(|_panic| {
            self.task.metrics.session_panics.inc();
            Ending::Failed("its task panicked")
        });
        let session_id = self.task.session_id.clone();
        if AssertUnwindSafe(self.finish(ending))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!(session.id = %session_id, "finishing a session panicked; the next start will finish it");
        }
    }

    async fn finish(self, ending: Ending) {
        let Supervised {
            mut task,
            mut recorder,
            store,
            epoch,
            stop,
            slot,
        } = self;
        let session_id = task.session_id.clone();
        let target = task.study.cost_target.map(|target| target.0);
        let outcome = match (ending, task.outbox.ended()) {
            (Ending::Finished(outcome), _) | (_, Some(outcome)) => outcome,
            (Ending::Failed(_) | Ending::Fenced | Ending::Parked | Ending::Stopped, None) => {
                Outcome::Technical
            }
        };
        match ending {
            Ending::Finished(_) => task.count_stale(),
            Ending::Failed(_) => {
                tracing::error!(session.id = %session_id, ?ending, outcome = outcome.name(), "a session was ended from outside");
                task.metrics
                    .losses
                    .get_or_create(&[("cause", "fault")])
                    .inc();
                task.tell_failure(outcome);
            }
            Ending::Parked | Ending::Stopped => {}
            // What is not written by now would be written over the new owner's recording.
            Ending::Fenced => recorder.abort(),
        }
        // An error means that the media task is gone already.
        drop(task.media.try_send(media::Order::Finish));
        if ending == Ending::Fenced {
            tracing::warn!(session.id = %session_id, "another process took the session over; this one let go of it");
            return;
        }
        let already_ended = task.outbox.ended().is_some();
        let mut unwritten = task.outbox.close(WRITTEN_WITHIN).await;
        let (metrics, changes) = (Arc::clone(&task.metrics), task.changes.clone());
        // Closes the links; the media task ends by itself after its last words to the page.
        drop(task);
        let written = recorded(&mut recorder, &session_id).await;
        let left = matches!(ending, Ending::Parked | Ending::Stopped) && !already_ended;
        if left {
            let kept = write_rest(&store, &session_id, epoch, unwritten).await;
            match kept {
                Ok(()) => {
                    tracing::info!(session.id = %session_id, chunks_lost = written.lost, "session left to the next process");
                }
                Err(error) => {
                    tracing::error!(session.id = %session_id, %error, "the last entries of a session could not be written; it goes on without them");
                }
            }
            drop(changes.send(Change { session_id }));
            drop(slot);
            return;
        }
        if !already_ended {
            unwritten.entries.push(Entry::Ended {
                outcome,
                timeline_ms: written.end_ms,
            });
        }
        match finish_in_store(&store, &session_id, epoch, unwritten, &stop).await {
            Ok(()) => {
                metrics
                    .sessions_ended
                    .get_or_create(&[("outcome", outcome.name())])
                    .inc();
                // From the store, not from the session: after a panic that must not be touched any more.
                let row = store.session(&session_id).await.ok().flatten();
                let cost = row.map_or(0, |row| row.cost_micro_usd);
                metrics.ended_cost_usd.inc_by(usd(cost));
                metrics
                    .vitals
                    .with(|vitals, now| vitals.ended(now, cost, target));
                if outcome == Outcome::NoShow {
                    metrics.zombies_reaped.inc();
                }
                tracing::info!(session.id = %session_id, outcome = outcome.name(), chunks_lost = written.lost, "session ended");
            }
            Err(error) => {
                metrics
                    .write_failures
                    .get_or_create(&[("kind", "finish")])
                    .inc();
                tracing::error!(session.id = %session_id, %error, "the end of a session could not be written; the next start will do it");
            }
        }
        drop(changes.send(Change { session_id }));
        drop(slot);
    }
}

/// Waits for the recorder's last chunk.
async fn recorded(recorder: &mut JoinHandle<Written>, session_id: &SessionId) -> Written {
    if let Ok(Ok(written)) = timeout(RECORDED_WITHIN, &mut *recorder).await {
        return written;
    }
    recorder.abort();
    tracing::error!(session.id = %session_id, "the recorder failed; the recording may lack its end");
    Written::default()
}

/// For metrics only; the ledger keeps integers.
fn usd(micro_usd: i64) -> f64 {
    let micros = u32::try_from(micro_usd.max(0)).unwrap_or(u32::MAX);
    f64::from(micros) / 1e6
}

/// Writes what the outbox could not, once: the process is in a hurry, and what is missing is what a crash would cost.
async fn write_rest(
    store: &Store,
    id: &SessionId,
    epoch: Epoch,
    unwritten: Unwritten,
) -> Result<(), StoreError> {
    let kept = kept_since(store, id, epoch, unwritten.last_seq).await?;
    match unwritten.entries.get(kept..) {
        None | Some([]) => Ok(()),
        Some(rest) => store.append(id, epoch, rest.to_vec()).await.map(drop),
    }
}

async fn finish_in_store(
    store: &Store,
    id: &SessionId,
    epoch: Epoch,
    unwritten: Unwritten,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut until = Instant::now() + FINISHED_WITHIN;
    let mut wait = Duration::from_millis(250);
    let jobs = after_end(id, store.now_us());
    loop {
        let tried = async {
            // A try whose fate is unknown must not write its entries twice.
            let kept = kept_since(store, id, epoch, unwritten.last_seq).await?;
            let rest = unwritten
                .entries
                .get(kept.min(unwritten.entries.len())..)
                .unwrap_or_default();
            store
                .finish_session(id, epoch, rest.to_vec(), jobs.clone())
                .await
        };
        let error = match tried.await {
            Ok(()) => return Ok(()),
            Err(error @ (StoreError::Fenced { .. } | StoreError::NotFound { .. })) => {
                return Err(error);
            }
            Err(error) => error,
        };
        if stop.is_cancelled() {
            until = until.min(Instant::now() + HASTE);
        }
        if Instant::now() + wait >= until {
            return Err(error);
        }
        tracing::warn!(session.id = %id, %error, "the end of a session cannot be written yet");
        // Whichever comes first; a process that wants to end gets one more try.
        drop(timeout(wait, stop.cancelled()).await);
        wait = (wait * 2).min(Duration::from_secs(10));
    }
}
