//! Media shards: threads that carry audio and nothing else.
//!
//! Each is a current-thread runtime of its own. A session's media task and its link tasks live on one shard from
//! beginning to end, so their audio changes threads only twice, at the sockets, and never waits behind the database, the
//! HTTP server or another session's bookkeeping. (One container for all let response latency grow from 300 ms to 2 s at
//! 15 sessions, `reference/system.md`, section 8.)

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::pace;
use crate::udp::{Lane, Net};

/// Between two looks at how late a thread is, and between two while nobody is there who would hear it: waking an idle core is
/// most of what a server without sessions costs.
const TICK: Duration = Duration::from_millis(100);
const TICK_IDLE: Duration = Duration::from_secs(1);
/// The runtime's timers are true to a millisecond; a frame of audio is this long.
const FRAME: Duration = Duration::from_millis(20);

/// All shards.
pub struct Shards {
    shards: Vec<Shard>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
    ticks: Arc<Ticks>,
}

/// How late threads were, added up until somebody asks.
#[derive(Debug, Default)]
struct Ticks {
    all: AtomicU64,
    late: AtomicU64,
    worst_us: AtomicU64,
}

/// How late media threads were at moments at which they wanted to be awake.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lateness {
    /// Share of moments at which one was late by more than a frame.
    pub(crate) share: f64,
    /// The longest.
    pub(crate) worst: Duration,
}

#[derive(Clone)]
struct Shard {
    handle: Handle,
    lane: Lane,
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

    /// The shard's way to the sockets.
    pub(super) fn lane(&self) -> &Lane {
        &self.shard.lane
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
    pub fn start(count: usize, net: &Net, metrics: &Metrics) -> io::Result<Shards> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        };
        let stop = CancellationToken::new();
        let ticks = Arc::new(Ticks::default());
        let mut shards = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for no in 0..count {
            let runtime = pace::builder().build()?;
            let lane = Lane::new(net);
            runtime.spawn(lane.clone().carry());
            let last = lane.clone();
            let sessions = Arc::new(AtomicUsize::new(0));
            shards.push(Shard {
                handle: runtime.handle().clone(),
                lane,
                sessions: Arc::clone(&sessions),
            });
            let stop = stop.clone();
            let lag = metrics.media_tick_lag_seconds.clone();
            let told = Arc::clone(&ticks);
            let thread = std::thread::Builder::new()
                .name(format!("media-{no}"))
                .spawn(move || {
                    runtime.block_on(async {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = told.tick(lag, &sessions) => {}
                        }
                    });
                    // Goodbyes of sessions that ended last.
                    last.flush();
                })?;
            threads.push(thread);
        }
        Ok(Shards {
            shards,
            threads: Mutex::new(threads),
            stop,
            ticks,
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

    /// How late they were since this was asked last.
    pub(super) fn lateness(&self) -> Lateness {
        let take = |of: &AtomicU64| of.swap(0, Ordering::Relaxed);
        let (all, late) = (take(&self.ticks.all), take(&self.ticks.late));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = late as f64 / all.max(1) as f64;
        Lateness {
            share,
            worst: Duration::from_micros(take(&self.ticks.worst_us)),
        }
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

impl Ticks {
    /// Wants to be awake ten times a second and tells how late it was: so late is every frame of audio on this thread.
    async fn tick(&self, lag: Histogram, sessions: &AtomicUsize) {
        loop {
            let every = match sessions.load(Ordering::Relaxed) {
                0 => TICK_IDLE,
                _ => TICK,
            };
            let due = tokio::time::Instant::now() + every;
            tokio::time::sleep_until(due).await;
            let late = due.elapsed();
            lag.observe(late.as_secs_f64());
            self.all.fetch_add(1, Ordering::Relaxed);
            self.late
                .fetch_add(u64::from(late > FRAME), Ordering::Relaxed);
            let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            self.worst_us.fetch_max(late_us, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sessions_spread_evenly_and_give_their_seats_back() {
        let metrics = Arc::new(Metrics::new());
        let (net, _thread) = crate::udp::loopback(&metrics);
        let shards = Shards::start(2, &net, &metrics).unwrap();
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
