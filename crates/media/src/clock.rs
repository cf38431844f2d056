//! The participant's clock as we see it: which of our moments an RTP timestamp stands for.
//!
//! Arrival is RTP time plus a transit that is never shorter than the path allows, so the smallest transit of the last
//! seconds is the best estimate: jitter only adds. Two windows let the estimate follow a clock that runs fast or slow
//! (100 ppm are 0.8 ms per window) and a path that really became longer.

use std::time::{Duration, Instant};

/// How long a minimum counts at least; twice that at most.
const WINDOW: Duration = Duration::from_secs(4);

/// Maps RTP time (48 kHz) to local time.
#[derive(Clone, Debug)]
pub(crate) struct RtpClock {
    zero_at: Instant,
    zero_rtp: u64,
    window_ends: Instant,
    current_us: i64,
    previous_us: i64,
}

impl RtpClock {
    /// Starts with a packet whose last sample was `rtp_end`.
    pub(crate) fn new(at: Instant, rtp_end: u64) -> RtpClock {
        RtpClock {
            zero_at: at,
            zero_rtp: rtp_end,
            window_ends: at + WINDOW,
            current_us: 0,
            previous_us: 0,
        }
    }

    /// Notes that a packet whose last sample was `rtp_end` arrived at `at`.
    pub(crate) fn observe(&mut self, at: Instant, rtp_end: u64) {
        let transit = self.since_zero_us(at) - self.media_us(rtp_end);
        if at >= self.window_ends {
            self.previous_us = self.current_us;
            self.current_us = transit;
            self.window_ends = at + WINDOW;
        } else {
            self.current_us = self.current_us.min(transit);
        }
    }

    /// The moment at which a sample would have arrived without jitter.
    pub(crate) fn local(&self, rtp: u64) -> Instant {
        let us = self.media_us(rtp) + self.current_us.min(self.previous_us);
        match u64::try_from(us) {
            Ok(us) => self.zero_at + Duration::from_micros(us),
            Err(_) => self
                .zero_at
                .checked_sub(Duration::from_micros(us.unsigned_abs()))
                .unwrap_or(self.zero_at),
        }
    }

    /// How far an arrival is from where the clock expects it, either way.
    pub(crate) fn error(&self, at: Instant, rtp_end: u64) -> Duration {
        let expected = self.local(rtp_end);
        at.saturating_duration_since(expected)
            .max(expected.saturating_duration_since(at))
    }

    fn media_us(&self, rtp: u64) -> i64 {
        let samples = i64::try_from(rtp)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(self.zero_rtp).unwrap_or(0));
        // 48 samples are a millisecond.
        samples.saturating_mul(125) / 6
    }

    fn since_zero_us(&self, at: Instant) -> i64 {
        let ahead = at.saturating_duration_since(self.zero_at).as_micros();
        let behind = self.zero_at.saturating_duration_since(at).as_micros();
        i64::try_from(ahead).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_does_not_move_the_clock_and_drift_does() {
        let zero = Instant::now() + Duration::from_secs(10);
        let mut clock = RtpClock::new(zero, 1_000_960);
        let mut worst_us = 0;
        // One hour of a sender whose clock runs 100 ppm slow, with up to 60 ms of jitter.
        for packet in 1..180_000u64 {
            let sent_us = packet * 20_002;
            let jitter_us = (packet * 7_919) % 60_000;
            let rtp_end = 1_000_960 + packet * 960;
            clock.observe(zero + Duration::from_micros(sent_us + jitter_us), rtp_end);
            let truth = zero + Duration::from_micros(sent_us);
            let local = clock.local(rtp_end);
            worst_us = worst_us.max(local.saturating_duration_since(truth).as_micros());
            worst_us = worst_us.max(truth.saturating_duration_since(local).as_micros());
        }
        assert!(worst_us < 2_000, "{worst_us} us off");
    }

    #[test]
    fn a_longer_path_is_followed_within_two_windows() {
        let zero = Instant::now();
        let mut clock = RtpClock::new(zero, 960);
        let mut last = 0;
        for packet in 1..1_000u64 {
            last = 960 + packet * 960;
            clock.observe(
                zero + Duration::from_millis(packet * 20 + if packet > 100 { 150 } else { 0 }),
                last,
            );
        }
        assert_eq!(
            clock.local(last),
            zero + Duration::from_millis(999 * 20 + 150)
        );
    }
}
