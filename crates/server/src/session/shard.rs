//! Media shards: threads that carry audio and nothing else.
//!
//! Each is a current-thread runtime of its own. A session's media task and its link tasks live on one shard from
//! beginning to end, so their audio changes threads only twice, at the sockets, and never waits behind the database, the
//! HTTP server or another session's bookkeeping. (One container for all let response latency grow from 300 ms to 2 s at
//! 15 sessions, `reference/system.md`, section 8.)

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// All shards.
pub struct Shards {
    shards: Vec<Shard>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
}

#[derive(Clone)]
struct Shard {
    handle: Handle,
    sessions: Arc<AtomicUsize>,
}

/// A session's place on a shard.
pub(super) struct Seat {
    shard: Shard,
}

impl Seat {
    /// Where the session's audio tasks are spawned.
    pub(super) fn handle(&self) -> &Handle {
        &self.shard.handle
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shard.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shards {
    /// Starts `count` threads; 0 takes one per core.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn start(count: usize) -> io::Result<Shards> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        };
        let stop = CancellationToken::new();
        let mut shards = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for no in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            shards.push(Shard {
                handle: runtime.handle().clone(),
                sessions: Arc::default(),
            });
            let stop = stop.clone();
            let thread = std::thread::Builder::new()
                .name(format!("media-{no}"))
                .spawn(move || {
                    runtime.block_on(stop.cancelled());
                })?;
            threads.push(thread);
        }
        Ok(Shards {
            shards,
            threads: Mutex::new(threads),
            stop,
        })
    }

    /// A seat on the shard with the fewest sessions.
    pub(super) fn seat(&self) -> Seat {
        let least = self
            .shards
            .iter()
            .min_by_key(|shard| shard.sessions.load(Ordering::Relaxed));
        let shard = least
            .expect("start makes at least one shard: cores and counts are at least 1")
            .clone();
        shard.sessions.fetch_add(1, Ordering::Relaxed);
        Seat { shard }
    }

    /// How many seats are taken.
    pub(super) fn seats(&self) -> usize {
        let taken = |shard: &Shard| shard.sessions.load(Ordering::Relaxed);
        self.shards.iter().map(taken).sum()
    }

    /// Ends all threads; tasks that still run on them are dropped.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sessions_spread_evenly_and_give_their_seats_back() {
        let shards = Shards::start(2).unwrap();
        let load = |shards: &Shards| -> Vec<usize> {
            shards
                .shards
                .iter()
                .map(|shard| shard.sessions.load(Ordering::Relaxed))
                .collect()
        };
        let seats: Vec<Seat> = (0..5).map(|_| shards.seat()).collect();
        assert_eq!(load(&shards), [3, 2]);
        drop(seats);
        assert_eq!(load(&shards), [0, 0]);
        shards.stop();
    }
}
