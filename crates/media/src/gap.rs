//! Silence of the network: nothing of a peer arrives for a while, although its audio was flowing.
//!
//! A microphone that is switched off is no such silence: the browser's checks go on arriving, so at most one stretch without
//! a packet begins while audio flows, and audio does not follow its end.

use std::time::{Duration, Instant};

/// Shorter stretches are jitter, which the jitter buffer and concealment are for. Chosen by feel.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// Audio flows if its last packet is not older than this: discontinuous transmission sends one each 400 ms.
const FLOWS_WITHIN: Duration = Duration::from_millis(500);
/// From the first packet of any kind after a silence to the first audio: a few checks of a new path. It is below the 2.5 s
/// between the checks of a Chromium whose microphone is off.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(2);

/// A stretch in which nothing arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The last packet before it.
    pub(crate) from: Instant,
    /// The first one after it.
    pub(crate) to: Instant,
}

/// Watches the arrivals of one peer.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    last: Option<Instant>,
    last_audio: Option<Instant>,
    /// A silence that is over, until audio says that it was the network's.
    over: Option<Gap>,
}

impl Gaps {
    /// Something of the peer arrived.
    pub(crate) fn packet(&mut self, now: Instant) {
        let before = self.last.replace(now);
        let (Some(from), Some(audio)) = (before, self.last_audio) else {
            return;
        };
        let silent = now.saturating_duration_since(from) >= SILENT_FOR;
        if silent && from.saturating_duration_since(audio) <= FLOWS_WITHIN {
            self.over = Some(Gap { from, to: now });
        }
    }

    /// Audio of the peer arrived. Says which silence came before it.
    pub(crate) fn audio(&mut self, now: Instant) -> Option<Gap> {
        self.packet(now);
        self.last_audio = Some(now);
        let over = self.over.take()?;
        (now.saturating_duration_since(over.to) <= FOLLOWS_WITHIN).then_some(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gaps in milliseconds that these arrivals make; an odd number is audio, an even one something else.
    fn gaps(arrivals: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
        let zero = Instant::now();
        let mut watched = Gaps::default();
        let mut found = Vec::new();
        let ms = |at: Instant| u64::try_from((at - zero).as_millis()).unwrap_or(u64::MAX);
        for arrival in arrivals {
            let now = zero + Duration::from_millis(arrival);
            if arrival % 2 == 0 {
                watched.packet(now);
            } else if let Some(gap) = watched.audio(now) {
                found.push((ms(gap.from), ms(gap.to)));
            }
        }
        found
    }

    fn audio(from_ms: u64, to_ms: u64) -> impl Iterator<Item = u64> {
        (from_ms..to_ms).step_by(20)
    }

    #[test]
    fn a_silence_of_a_second_is_a_gap_from_the_last_packet_to_the_first() {
        for (silent_ms, found) in [
            (0, vec![]),
            (998, vec![]),
            (1_000, vec![(2_981, 3_981)]),
            (20_000, vec![(2_981, 22_981)]),
        ] {
            let next = 2_981 + silent_ms;
            let arrivals = audio(1, 3_000).chain(audio(next, next + 3_000));
            assert_eq!(
                gaps(arrivals.filter(|at| at % 2 == 1)),
                found,
                "{silent_ms} ms"
            );
        }
    }

    #[test]
    fn a_gap_ends_with_the_first_check_of_the_new_path_and_is_told_with_the_first_audio() {
        let back = audio(1, 3_000)
            .chain([5_000, 5_040, 5_080])
            .chain(audio(5_121, 7_000));
        assert_eq!(gaps(back), [(2_981, 5_000)]);
        let twice = audio(1, 2_000)
            .chain(audio(4_001, 5_000))
            .chain(audio(7_001, 8_000));
        assert_eq!(gaps(twice), [(1_981, 4_001), (4_981, 7_001)]);
    }

    #[test]
    fn a_microphone_that_is_off_is_no_silence_of_the_network() {
        // Checks each 2.5 s, and audio again after 20 s.
        let checks = (1..8).map(|nth| 2_980 + nth * 2_500);
        let off = audio(1, 3_000).chain(checks).chain(audio(23_001, 24_000));
        assert_eq!(gaps(off), []);
        // Discontinuous transmission.
        assert_eq!(gaps((1..60_000).step_by(400)), []);
    }

    #[test]
    fn before_the_first_audio_nothing_is_missing() {
        let late = [2, 100, 5_000, 9_000]
            .into_iter()
            .chain(audio(9_001, 9_500));
        assert_eq!(gaps(late), []);
    }
}
