//! How much the other side loses, from its receiver reports (RFC 3550, 6.4.1).
//!
//! str0m's own average needs two reports between two looks, and browsers report every few seconds: the totals are enough.

use std::time::Instant;

use super::Peer;

impl Peer {
    /// When anything of the other side arrived last.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }
}

/// The last report and what it said about the time since the one before.
#[derive(Debug, Default)]
pub(super) struct Reported {
    last: Option<(u64, u64)>,
    percent: u8,
}

impl Reported {
    /// Notes a report: the highest sequence number received and all packets lost so far; `sent` counts ours, for the
    /// first report. The same report again says nothing.
    pub(super) fn note(&mut self, (highest, lost): (u64, u64), sent: u64) {
        let (expected, missing) = match self.last {
            Some((before, _)) if highest <= before => return,
            Some((before, lost_before)) => (highest - before, lost.saturating_sub(lost_before)),
            None => (sent, lost),
        };
        self.last = Some((highest, lost));
        // Duplicates can make the total shrink. The least loss is a loss, so it is rounded up.
        let percent = (missing * 100).div_ceil(expected.max(1)).min(100);
        self.percent = u8::try_from(percent).unwrap_or(100);
    }

    /// Lost between the last two reports, in percent.
    pub(super) const fn percent(&self) -> u8 {
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::Reported;

    #[test]
    fn loss_is_that_between_two_reports() {
        let mut reported = Reported::default();
        assert_eq!(reported.percent(), 0);
        let told = [
            ((1_100, 10), 10),
            ((1_100, 10), 10),
            ((1_300, 13), 2),
            ((1_500, 13), 0),
            ((1_600, 11), 0),
        ];
        for (report, percent) in told {
            reported.note(report, 100);
            assert_eq!(reported.percent(), percent, "{report:?}");
        }
    }
}
