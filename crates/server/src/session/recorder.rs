//! Writes a session's recording, chunk by chunk, on the control side: neither audio nor the interview waits for the disk.
//!
//! A chunk that cannot be written is kept, within a bound, and tried again until there is room; the session is told once
//! per outage. What was written stays written: chunks are objects of their own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::ids::SessionId;
use media::Chunk;
use store::{NewChunk, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::metrics::Metrics;

/// Chunks between the media task and this one: two minutes of a disk that does not answer.
pub(super) const QUEUE: usize = 64;
/// Chunks that are kept in memory while the disk is full: at one per two seconds ten minutes, about 4 MB.
const KEPT_MAX: usize = 300;
/// Between two tries.
const RETRY: Duration = Duration::from_secs(2);
/// After the session's end, for what is still to be written.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// What there is to say at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// End of the last chunk on the recording's timeline, written or not.
    pub(super) end_ms: u64,
    /// Chunks that are lost.
    pub(super) lost: u64,
}

/// The task's state.
pub(super) struct Recorder {
    /// Where to.
    pub(super) store: Store,
    /// Whose.
    pub(super) session_id: SessionId,
    /// From the media task; its end is the recording's end.
    pub(super) chunks: mpsc::Receiver<Chunk>,
    /// Tells the session task that something is missing, in words for the operator.
    pub(super) gaps: mpsc::Sender<String>,
    /// Counts failures.
    pub(super) metrics: Arc<Metrics>,
}

impl Recorder {
    /// Runs until the media task has ended and everything is written or given up.
    pub(super) async fn run(mut self) -> Written {
        let _alive = self.metrics.alive("recorder");
        let mut kept: VecDeque<NewChunk> = VecDeque::new();
        let mut written = Written::default();
        let mut retry_at: Option<Instant> = None;
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = self.chunks.recv() => chunk,
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                    retry_at = self.write(&mut kept).await.map(|_| Instant::now() + RETRY);
                    continue;
                }
            };
            let Some(chunk) = chunk else { break };
            written.end_ms = written.end_ms.max(chunk.end_ms);
            let Chunk {
                no,
                start_ms,
                end_ms,
                bytes,
            } = chunk;
            kept.push_back(NewChunk {
                no,
                start_ms,
                end_ms,
                bytes: bytes.into(),
            });
            if kept.len() > KEPT_MAX {
                kept.pop_front();
                written.lost += 1;
            }
            if retry_at.is_none()
                && let Some(reason) = self.write(&mut kept).await
            {
                tracing::warn!(session.id = %self.session_id, reason, "the recording cannot be written; it is kept in memory and tried again");
                if self.gaps.try_send(reason).is_err() {
                    tracing::debug!(session.id = %self.session_id, "the session no longer listens for gaps");
                }
                retry_at = Some(Instant::now() + RETRY);
            }
        }
        written.lost += self.last_tries(&mut kept).await;
        written
    }

    /// Writes what is kept, oldest first. Returns why it stopped, if it did.
    async fn write(&self, kept: &mut VecDeque<NewChunk>) -> Option<String> {
        while let Some(chunk) = kept.front() {
            if let Err(error) = self.store.put_chunk(&self.session_id, chunk.clone()).await {
                self.metrics
                    .write_failures
                    .get_or_create(&[("kind", "recording")])
                    .inc();
                return Some(error.to_string());
            }
            kept.pop_front();
        }
        None
    }

    async fn last_tries(&self, kept: &mut VecDeque<NewChunk>) -> u64 {
        let until = Instant::now() + LAST_TRIES;
        let mut wait = Duration::from_millis(100);
        // A disk that hangs is no better than a full one: the deadline holds for the write itself as well.
        while let Ok(Some(reason)) = timeout_at(until, self.write(kept)).await {
            if Instant::now() + wait >= until {
                tracing::error!(session.id = %self.session_id, reason, chunks = kept.len(), "the end of a recording is lost");
                break;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        u64::try_from(kept.len()).unwrap_or(u64::MAX)
    }
}
