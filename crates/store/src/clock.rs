//! The wall clock, UTC, in microseconds. The one place where this crate asks what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
            Clock::Manual(clock) => clock.0.load(Ordering::SeqCst),
        }
    }
}

/// The handle that moves a [`Clock::Manual`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at this moment.
    #[must_use]
    pub fn at(now_us: i64) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(now_us)))
    }

    /// Moves it forward.
    pub fn advance(&self, by: std::time::Duration) {
        let by_us = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(by_us, Ordering::SeqCst);
    }
}
