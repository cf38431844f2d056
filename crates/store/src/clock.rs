//! The wall clock, UTC, in microseconds. The one place where this crate asks what time it is.
//!
//! A machine's clock can be set back: by a person, or by a time server that corrects it. Windows, leases and retries would
//! then last for as much longer, so the store's own time never goes back while the process runs ([`Steady`]).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the store takes the time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved: for tests of leases and expiry.
    Manual(ManualClock),
}

impl Clock {
    /// Now, in microseconds since 1970 UTC.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        match self {
            Clock::System => jiff::Timestamp::now().as_microsecond(),
            Clock::Manual(clock) => clock.0.wall_us.load(Ordering::SeqCst),
        }
    }

    /// How much time has really passed since `origin`, whatever the clock was set to meanwhile.
    fn passed_us(&self, origin: Instant) -> i64 {
        match self {
            Clock::System => i64::try_from(origin.elapsed().as_micros()).unwrap_or(i64::MAX),
            Clock::Manual(clock) => clock.0.passed_us.load(Ordering::SeqCst),
        }
    }
}

/// The handle that moves a [`Clock::Manual`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    wall_us: AtomicI64,
    passed_us: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at this moment.
    #[must_use]
    pub fn at(now_us: i64) -> ManualClock {
        ManualClock(Arc::new(Hands {
            wall_us: AtomicI64::new(now_us),
            passed_us: AtomicI64::new(0),
        }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.passed_us.fetch_add(micros(by), Ordering::SeqCst);
        self.0.wall_us.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Sets it back; no time passes.
    pub fn set_back(&self, by: Duration) {
        self.0.wall_us.fetch_sub(micros(by), Ordering::SeqCst);
    }
}

/// Of the time that passes, one part in so many is held back until the wall clock has caught up: a window is longer by
/// 6 % at most, and an hour is made up for in 16.
const HELD_BACK: i64 = 16;
/// A clock that goes back by less is one that is being trimmed, and not worth a word.
const SET_BACK_US: i64 = 1_000_000;

/// The store's time: the wall clock's, but never back. When the clock is set back time goes on from where it was, a little
/// more slowly, until the two agree again. When it is set forward time is where the clock is.
#[derive(Debug)]
pub(crate) struct Steady {
    clock: Clock,
    origin: Instant,
    last: Mutex<Told>,
    set_back: AtomicU64,
}

/// What was told last.
#[derive(Clone, Copy, Debug)]
struct Told {
    now_us: i64,
    passed_us: i64,
    /// How far that was ahead of the wall clock.
    ahead_us: i64,
}

impl Steady {
    pub(crate) fn new(clock: Clock) -> Steady {
        let origin = Instant::now();
        let last = Told {
            now_us: clock.now_us(),
            passed_us: clock.passed_us(origin),
            ahead_us: 0,
        };
        Steady {
            clock,
            origin,
            last: Mutex::new(last),
            set_back: AtomicU64::new(0),
        }
    }

    /// Now, in microseconds since 1970 UTC; never less than before.
    pub(crate) fn now_us(&self) -> i64 {
        // Held for a few additions, which leave it whole.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall_us, passed_us) = (self.clock.now_us(), self.clock.passed_us(self.origin));
        let since_us = passed_us.saturating_sub(last.passed_us).max(0);
        let on_us = last.now_us.saturating_add(since_us);
        let ahead_us = on_us.saturating_sub(wall_us).max(0);
        if ahead_us.saturating_sub(last.ahead_us) > SET_BACK_US {
            self.set_back.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                ahead_s = ahead_us / 1_000_000,
                "the clock of this machine was set back; time goes on from where it was until the clock has caught up"
            );
        }
        let ahead_us = ahead_us - ahead_us.min(since_us / HELD_BACK);
        let now_us = if ahead_us == 0 {
            wall_us.max(last.now_us)
        } else {
            wall_us.saturating_add(ahead_us)
        };
        *last = Told {
            now_us,
            passed_us,
            ahead_us,
        };
        now_us
    }

    /// How often the clock was set back by more than a second.
    pub(crate) fn set_back(&self) -> u64 {
        self.set_back.load(Ordering::Relaxed)
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Clock, Duration, ManualClock, Steady};

    const START_US: i64 = 1_795_392_000_000_000;
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_clock_that_is_set_back_neither_stops_time_nor_turns_it_and_is_caught_up_with() {
        let wall = ManualClock::at(START_US);
        let steady = Steady::new(Clock::Manual(wall.clone()));
        wall.advance(Duration::from_secs(10));
        assert_eq!(steady.now_us(), START_US + 10_000_000);
        wall.set_back(HOUR);
        assert_eq!(steady.now_us(), START_US + 10_000_000);
        assert_eq!(steady.set_back(), 1);
        // A window of two minutes is over after two minutes and a few seconds.
        wall.advance(Duration::from_secs(120));
        let told_us = steady.now_us();
        assert!(
            (112_500_000..=120_000_000).contains(&(told_us - START_US - 10_000_000)),
            "{told_us}"
        );
        let mut before_us = told_us;
        for _ in 0..15 * 60 {
            wall.advance(Duration::from_secs(60));
            let now_us = steady.now_us();
            assert!((56_250_000..=60_000_000).contains(&(now_us - before_us)));
            before_us = now_us;
        }
        wall.advance(HOUR);
        assert_eq!(steady.now_us(), Clock::Manual(wall.clone()).now_us());
        // Once for the one time.
        assert_eq!(steady.set_back(), 1);
        wall.set_back(HOUR);
        let _ = steady.now_us();
        assert_eq!(steady.set_back(), 2);
    }
}
