//! A vendor's budget per minute, as we believe it to stand.

use std::time::Duration;

use crate::time::Mono;

/// Microseconds in the minute that a limit is for.
const MINUTE_US: u128 = 60_000_000;

/// A limit that an answer reported, as of the moment its call was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Per minute.
    pub limit: u64,
    /// Left after that call.
    pub remaining: u64,
}

/// Unlimited until an answer says otherwise. Then it refills evenly with a minute's limit per minute, up to the most that was
/// ever seen to remain: vendors that allow 600 a minute do not therefore allow 600 at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    known: Option<Known>,
    /// All that was ever taken.
    taken: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    limit: u64,
    /// The most that it holds.
    capacity: u64,
    /// In units times [`MINUTE_US`], so that nothing is lost by rounding. Negative after more was used than was reserved.
    level: i128,
    at: Mono,
}

impl Bucket {
    /// All that was taken so far: what an answer's report knows of, if it is asked when the call is sent.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn take(&mut self, now: Mono, units: u64) {
        self.taken = self.taken.saturating_add(units);
        if let Some(known) = &mut self.known {
            known.refill(now);
            known.level -= scaled(units);
        }
    }

    /// Puts back what was taken and not used, or takes what was used beyond it.
    pub(super) fn correct(&mut self, now: Mono, reserved: u64, used: u64) {
        self.taken = self.taken.saturating_sub(reserved).saturating_add(used);
        if let Some(known) = &mut self.known {
            known.refill(now);
            known.level += scaled(reserved) - scaled(used);
            known.level = known.level.min(scaled(known.capacity));
        }
    }

    /// From when on so many units can be taken; `now` if at once. More than the bucket ever holds waits until it is full.
    pub(super) fn ready_at(&mut self, now: Mono, units: u64) -> Mono {
        let Some(known) = &mut self.known else {
            return now;
        };
        known.refill(now);
        let missing = scaled(units.min(known.capacity)) - known.level;
        if missing <= 0 {
            return now;
        }
        let wait_us = missing
            .unsigned_abs()
            .div_ceil(u128::from(known.limit.max(1)));
        now + Duration::from_micros(u64::try_from(wait_us).unwrap_or(u64::MAX))
    }

    /// Learns what an answer reported. `sent_at` and `taken_then` are of the moment its call was sent: what was taken since
    /// is not in the report. Corrects downwards only; upwards time does it.
    pub(super) fn learn(&mut self, now: Mono, sent_at: Mono, taken_then: u64, said: Allowance) {
        let since = self.taken.saturating_sub(taken_then);
        let mut reported = Known {
            limit: said.limit,
            capacity: said.remaining.saturating_add(1).min(said.limit),
            level: scaled(said.remaining),
            at: sent_at,
        };
        if let Some(known) = &mut self.known {
            known.refill(now);
            reported.capacity = reported.capacity.max(known.capacity).min(said.limit);
        }
        reported.refill(now);
        reported.level -= scaled(since);
        if let Some(known) = self.known {
            reported.level = reported.level.min(known.level);
        }
        self.known = Some(reported);
    }

    /// Nothing is left, whatever we believed.
    pub(super) fn empty(&mut self, now: Mono) {
        if let Some(known) = &mut self.known {
            known.refill(now);
            known.level = known.level.min(0);
        }
    }
}

impl Known {
    fn refill(&mut self, now: Mono) {
        let passed_us =
            i128::from(u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX));
        self.at = self.at.max(now);
        let refilled = self
            .level
            .saturating_add(passed_us.saturating_mul(i128::from(self.limit)));
        self.level = refilled.min(scaled(self.capacity)).max(self.level.min(0));
    }
}

fn scaled(units: u64) -> i128 {
    i128::try_from(u128::from(units) * MINUTE_US).unwrap_or(i128::MAX)
}
