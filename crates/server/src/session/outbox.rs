//! What a session decided and what has not been carried out yet, in order: the journal is written before the world is told.
//!
//! Outputs wait here until every journal entry before them is durable. The session itself does not wait: it goes on
//! taking facts while a write is under way, so a slow disk delays what the page, the provider and the console are told,
//! never a barge-in. (That is why `CutPlayout` and `DropUtterance` do not pass through here at all; see
//! [`super::task`].)
//!
//! A store that fails (full, unavailable) or takes longer than [`SLOW`] must not end an interview that is otherwise well:
//! from then on outputs go through and entries wait in memory, bounded, and are tried again until they are written. Only
//! a crash in that time loses them; the operator sees it in the log and in `write_failures`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use engine::ids::SessionId;
use engine::journal::{Entry, Outcome};
use engine::session::Output;
use store::{Epoch, Store, StoreError};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::metrics::Metrics;

/// After this long without an answer from the store the interview goes on without waiting for it.
const SLOW: Duration = Duration::from_secs(2);
/// Outputs that may wait for a write: at most some hundred facts a second for [`SLOW`].
const WAITING_MAX: usize = 2_048;
/// Entries in memory while the store fails: some twenty a minute, so hours.
const UNWRITTEN_MAX: usize = 4_096;
/// Between two tries: the first, and the longest.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Why a session cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stuck {
    /// A newer owner has the session.
    #[error("another process took the session over")]
    Fenced,
    /// More is waiting than may.
    #[error("more was waiting for the store than may wait")]
    Overflow,
}

/// Entries that are not known to be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// The entries, oldest first.
    pub(super) entries: Vec<Entry>,
    /// The last entry that is known to be written. Whatever the journal has beyond it are the first of `entries`.
    pub(super) last_seq: u64,
}

/// How many entries the journal has beyond `last_seq`. A write whose fate is unknown must not be repeated blindly; as
/// this process is the only writer, the journal's own length says whether it was kept.
///
/// # Errors
/// `Fenced` if somebody else owns the session, or whatever the store says.
pub(super) async fn kept_since(
    store: &Store,
    id: &SessionId,
    epoch: Epoch,
    last_seq: u64,
) -> Result<usize, StoreError> {
    let row = store
        .session(id)
        .await?
        .ok_or_else(|| StoreError::NotFound {
            what: format!("session {id}"),
        })?;
    if row.epoch != epoch {
        return Err(StoreError::Fenced {
            what: format!("session {id}"),
        });
    }
    Ok(usize::try_from(row.last_seq.saturating_sub(last_seq)).unwrap_or(usize::MAX))
}

type Append = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send>>;

enum Writing {
    Nothing,
    Under {
        append: Append,
        count: usize,
        slow_at: Instant,
    },
    Retry {
        at: Instant,
    },
}

enum Mode {
    /// Outputs wait for the entries before them.
    WriteFirst,
    /// The store is in trouble: outputs do not wait.
    GoOn,
}

/// The queue of one session.
pub(super) struct Outbox {
    store: Store,
    session_id: SessionId,
    epoch: Epoch,
    metrics: Arc<Metrics>,
    outputs: VecDeque<Output>,
    /// Oldest first; the first `count` of them are being written.
    unwritten: Vec<Entry>,
    writing: Writing,
    mode: Mode,
    last_seq: u64,
    retry: Duration,
    ended: Option<Outcome>,
}

impl Outbox {
    /// An empty one. `last_seq` is the journal's last entry when the session was claimed.
    pub(super) fn new(
        store: Store,
        session_id: SessionId,
        epoch: Epoch,
        last_seq: u64,
        metrics: Arc<Metrics>,
    ) -> Outbox {
        Outbox {
            store,
            session_id,
            epoch,
            metrics,
            outputs: VecDeque::new(),
            unwritten: Vec::new(),
            writing: Writing::Nothing,
            mode: Mode::WriteFirst,
            last_seq,
            retry: RETRY_FIRST,
            ended: None,
        }
    }

    /// The outcome, once the session's end is among the entries.
    pub(super) fn ended(&self) -> Option<Outcome> {
        self.ended
    }

    /// Adds an output at the end.
    ///
    /// # Errors
    /// If more is waiting than may.
    pub(super) fn push(&mut self, output: Output) -> Result<(), Stuck> {
        if self.outputs.len() >= WAITING_MAX || self.unwritten.len() >= UNWRITTEN_MAX {
            return Err(Stuck::Overflow);
        }
        if let Output::Journal(Entry::Ended { outcome, .. }) = &output {
            self.ended = Some(*outcome);
        }
        self.outputs.push_back(output);
        Ok(())
    }

    /// The next output that may be carried out now. Never a journal entry: those are written from here.
    pub(super) fn next(&mut self) -> Option<Output> {
        loop {
            let output = self.outputs.pop_front()?;
            if let Output::Journal(entry) = output {
                self.unwritten.push(entry);
                // Neighbours share a write.
                while let Some(Output::Journal(entry)) = self
                    .outputs
                    .pop_front_if(|next| matches!(next, Output::Journal(_)))
                {
                    self.unwritten.push(entry);
                }
                if matches!(self.writing, Writing::Nothing) {
                    self.start();
                }
            } else if self.unwritten.is_empty() || matches!(self.mode, Mode::GoOn) {
                return Some(output);
            } else {
                self.outputs.push_front(output);
                return None;
            }
        }
    }

    /// Waits until [`next`](Outbox::next) may have more, or for ever if nothing is being written. Loses nothing when
    /// cancelled.
    ///
    /// # Errors
    /// If the session has a newer owner.
    pub(super) async fn progress(&mut self) -> Result<(), Stuck> {
        match &mut self.writing {
            Writing::Nothing => std::future::pending().await,
            Writing::Retry { at } => {
                sleep_until(*at).await;
                self.start();
                Ok(())
            }
            Writing::Under {
                append,
                count,
                slow_at,
            } => {
                let waits = matches!(self.mode, Mode::WriteFirst);
                let count = *count;
                let result = tokio::select! {
                    biased;
                    result = append => result,
                    () = sleep_until(*slow_at), if waits => {
                        self.trouble("the store does not answer");
                        return Ok(());
                    }
                };
                self.appended(count, result)
            }
        }
    }

    /// Writes what can be written within that time and hands back the rest. The outbox is then done with.
    pub(super) async fn close(&mut self, within: Duration) -> Unwritten {
        let until = Instant::now() + within;
        for output in std::mem::take(&mut self.outputs) {
            if let Output::Journal(entry) = output {
                self.unwritten.push(entry);
            }
        }
        if matches!(self.writing, Writing::Nothing) && !self.unwritten.is_empty() {
            self.start();
        }
        while !matches!(self.writing, Writing::Nothing) {
            if !matches!(timeout_at(until, self.progress()).await, Ok(Ok(()))) {
                break;
            }
        }
        Unwritten {
            entries: std::mem::take(&mut self.unwritten),
            last_seq: self.last_seq,
        }
    }

    fn start(&mut self) {
        let (store, id, epoch) = (self.store.clone(), self.session_id.clone(), self.epoch);
        let entries = self.unwritten.clone();
        let count = entries.len();
        let last_seq = self.last_seq;
        let retried = matches!(self.writing, Writing::Retry { .. });
        let append = Box::pin(async move {
            let kept = if retried {
                kept_since(&store, &id, epoch, last_seq).await?.min(count)
            } else {
                0
            };
            match entries.get(kept..) {
                None | Some([]) => Ok(last_seq + u64::try_from(count).unwrap_or(u64::MAX)),
                Some(rest) => store.append(&id, epoch, rest.to_vec()).await,
            }
        });
        self.writing = Writing::Under {
            append,
            count,
            slow_at: Instant::now() + SLOW,
        };
    }

    fn appended(&mut self, count: usize, result: Result<u64, StoreError>) -> Result<(), Stuck> {
        match result {
            Ok(seq) => {
                self.last_seq = seq;
                self.unwritten.drain(..count);
                self.retry = RETRY_FIRST;
                self.writing = Writing::Nothing;
                if !self.unwritten.is_empty() {
                    self.start();
                } else if matches!(self.mode, Mode::GoOn) {
                    tracing::info!(session.id = %self.session_id, "the journal is written again; nothing is missing");
                    self.mode = Mode::WriteFirst;
                }
                Ok(())
            }
            Err(StoreError::Fenced { .. }) => {
                self.writing = Writing::Nothing;
                Err(Stuck::Fenced)
            }
            Err(error) => {
                self.trouble(&error.to_string());
                self.writing = Writing::Retry {
                    at: Instant::now() + self.retry,
                };
                self.retry = (self.retry * 2).min(RETRY_MAX);
                Ok(())
            }
        }
    }

    fn trouble(&mut self, detail: &str) {
        self.metrics
            .write_failures
            .get_or_create(&[("kind", "journal")])
            .inc();
        if matches!(self.mode, Mode::WriteFirst) {
            tracing::warn!(
                session.id = %self.session_id,
                detail,
                "the journal cannot be written; the interview goes on in memory and writing is tried again"
            );
            self.mode = Mode::GoOn;
        }
    }
}

#[cfg(test)]
mod tests;
