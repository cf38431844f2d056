//! Time as a value.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment, in microseconds since the process (or the simulation) started.
///
/// Unlike `Instant` it can be made from a number, written down and replayed. It never goes back and says nothing about
/// the wall clock. Everything in `engine` is measured with it; `server` converts at the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// The start.
    pub const ZERO: Mono = Mono(0);

    /// Makes a moment from microseconds since the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Mono {
        Mono(micros)
    }

    /// Makes a moment from milliseconds since the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Mono {
        Mono(millis.saturating_mul(1_000))
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, span: Duration) -> Mono {
        Mono(
            self.0
                .saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;

    fn sub(self, span: Duration) -> Mono {
        Mono(
            self.0
                .saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}
