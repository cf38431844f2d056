//! Putting packets in order, and deciding when a missing one is given up.
//!
//! A packet that comes in order is handed on at once: nothing is buffered "to be safe", because the model at the other
//! end does not play audio at a steady pace and gains nothing from it. Only a hole makes later packets wait, and only
//! as long as reordering has lately taken on this path.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shortest and longest wait for a missing packet. A packet that is reordered rather than lost mostly follows within a
/// packet or two (20 ms each); beyond three the turn-taking would suffer.
const WAIT_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_millis(60);
/// First wait, before anything is known of the path.
const WAIT_FIRST: Duration = Duration::from_millis(40);
/// Most packets held behind a hole. 60 ms are 3 packets of 20 ms; a burst after a stall can bring more at once.
const HELD_MAX: usize = 50;
/// A step in sequence numbers beyond this is a new stream, not loss: 1,500 packets are 30 s.
const STEP_MAX: u64 = 1_500;

/// A packet on its way to the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) seq: u64,
    /// RTP time of its first sample, 48 kHz.
    pub(crate) rtp_time: u64,
    /// Its length, 48 kHz samples.
    pub(crate) length: u64,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) at: Instant,
}

/// What comes out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Play {
    /// A packet. `lost` packets before it were given up; the RTP time tells how much audio that was.
    Packet { packet: Packet, lost: u64 },
    /// A new stream begins: forget what is known of the old one.
    Restart,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Handed on or held.
    Taken,
    /// Its place was already given up.
    Late,
    /// It was there already.
    Duplicate,
}

/// The reorder buffer.
#[derive(Debug)]
pub(crate) struct Jitter {
    next_seq: Option<u64>,
    held: BTreeMap<u64, Packet>,
    wait: Duration,
    hole_since: Option<Instant>,
    given_up: Option<(u64, Instant)>,
}

impl Jitter {
    pub(crate) fn new() -> Jitter {
        Jitter {
            next_seq: None,
            held: BTreeMap::new(),
            wait: WAIT_FIRST,
            hole_since: None,
            given_up: None,
        }
    }

    /// Takes a packet; appends what can be played now.
    pub(crate) fn push(&mut self, now: Instant, packet: Packet, out: &mut Vec<Play>) -> Fate {
        let next = *self.next_seq.get_or_insert(packet.seq);
        if packet.seq.abs_diff(next) > STEP_MAX {
            self.restart(packet.seq, out);
        } else if packet.seq < next {
            return self.late(now, packet.seq);
        }
        if self.held.contains_key(&packet.seq) {
            return Fate::Duplicate;
        }
        self.held.insert(packet.seq, packet);
        self.release(now, out);
        if self.held.len() > HELD_MAX {
            self.give_up(now, out);
        }
        Fate::Taken
    }

    /// Gives up holes whose time is over.
    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Vec<Play>) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up(now, out);
        }
    }

    /// When the oldest hole is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.hole_since.map(|since| since + self.wait)
    }

    fn restart(&mut self, seq: u64, out: &mut Vec<Play>) {
        self.held.clear();
        self.hole_since = None;
        self.given_up = None;
        self.next_seq = Some(seq);
        out.push(Play::Restart);
    }

    /// A late packet says how long the wait should have been.
    fn late(&mut self, now: Instant, seq: u64) -> Fate {
        if let Some((given_up, since)) = self.given_up
            && seq >= given_up
        {
            self.wait = now
                .saturating_duration_since(since)
                .clamp(self.wait, WAIT_MAX);
        }
        Fate::Late
    }

    fn release(&mut self, now: Instant, out: &mut Vec<Play>) {
        let mut waited = self.hole_since;
        while let Some(next) = self.next_seq
            && let Some(packet) = self.held.remove(&next)
        {
            if let Some(since) = waited.take() {
                // The hole filled itself: reordering. Keep a margin of a half over what it took.
                let took = now.saturating_duration_since(since);
                self.wait = (took * 3 / 2).clamp(self.wait, WAIT_MAX);
            }
            self.next_seq = Some(next + 1);
            self.hole_since = None;
            out.push(Play::Packet { packet, lost: 0 });
        }
        if self.held.is_empty() {
            self.hole_since = None;
        } else if self.hole_since.is_none() {
            self.hole_since = self.held.values().map(|packet| packet.at).min();
        }
    }

    fn give_up(&mut self, now: Instant, out: &mut Vec<Play>) {
        let (Some(next), Some((&first, _))) = (self.next_seq, self.held.first_key_value()) else {
            return;
        };
        let Some(packet) = self.held.remove(&first) else {
            return;
        };
        self.given_up = self.hole_since.map(|since| (next, since));
        // Loss, not reordering: waiting is worth a little less from now on.
        self.wait = (self.wait * 15 / 16).max(WAIT_MIN);
        self.hole_since = None;
        self.next_seq = Some(first + 1);
        out.push(Play::Packet {
            packet,
            lost: first - next,
        });
        self.release(now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u64, at: Instant) -> Packet {
        Packet {
            seq,
            rtp_time: seq * 960,
            length: 960,
            payload: [1].into(),
            at,
        }
    }

    /// Pushes `(seq, arrival in ms)`, running timers exactly when due; returns `(seq, lost, handed on in ms)`.
    fn run(arrivals: &[(u64, u64)]) -> Vec<(u64, u64, u64)> {
        let zero = Instant::now();
        let mut jitter = Jitter::new();
        let mut played = Vec::new();
        let mut note = |now: Instant, out: Vec<Play>| {
            for play in out {
                if let Play::Packet { packet, lost } = play {
                    played.push((packet.seq, lost, (now - zero).as_millis() as u64));
                }
            }
        };
        for &(seq, at_ms) in arrivals {
            let at = zero + Duration::from_millis(at_ms);
            while let Some(deadline) = jitter.deadline().filter(|deadline| *deadline <= at) {
                let mut out = Vec::new();
                jitter.timeout(deadline, &mut out);
                note(deadline, out);
            }
            let mut out = Vec::new();
            jitter.push(at, packet(seq, at), &mut out);
            note(at, out);
        }
        played
    }

    #[test]
    fn packets_in_order_are_not_delayed() {
        assert_eq!(
            run(&[(5, 0), (6, 20), (7, 41), (8, 42)]),
            [(5, 0, 0), (6, 0, 20), (7, 0, 41), (8, 0, 42)]
        );
    }

    #[test]
    fn a_swapped_pair_waits_only_for_its_partner() {
        assert_eq!(
            run(&[(5, 0), (7, 20), (6, 25), (8, 60)]),
            [(5, 0, 0), (6, 0, 25), (7, 0, 25), (8, 0, 60)]
        );
    }

    #[test]
    fn a_hole_is_given_up_after_the_wait_and_its_packet_is_late() {
        let played = run(&[(5, 0), (7, 40), (8, 60), (6, 90), (9, 100)]);
        assert_eq!(played, [(5, 0, 0), (7, 1, 80), (8, 0, 80), (9, 0, 100)]);
    }

    #[test]
    fn the_wait_shrinks_under_loss_and_grows_under_reordering() {
        let zero = Instant::now();
        let mut jitter = Jitter::new();
        let mut out = Vec::new();
        for step in 0..40 {
            let at = zero + Duration::from_millis(step * 100);
            jitter.push(at, packet(step * 2, at), &mut out);
            jitter.timeout(at + Duration::from_millis(60), &mut out);
        }
        assert_eq!(jitter.wait, WAIT_MIN);
        let at = zero + Duration::from_secs(10);
        jitter.push(at, packet(81, at), &mut out);
        jitter.timeout(at + Duration::from_millis(25), &mut out);
        let late = at + Duration::from_millis(50);
        assert_eq!(jitter.push(late, packet(80, late), &mut out), Fate::Late);
        assert_eq!(jitter.wait, Duration::from_millis(50));
    }

    #[test]
    fn a_jump_in_numbers_is_a_new_stream_and_not_loss() {
        let zero = Instant::now();
        let mut jitter = Jitter::new();
        let mut out = Vec::new();
        jitter.push(zero, packet(10, zero), &mut out);
        jitter.push(zero, packet(50_000, zero), &mut out);
        jitter.push(zero, packet(11, zero), &mut out);
        let restarts = out.iter().filter(|play| **play == Play::Restart).count();
        assert_eq!((out.len(), restarts), (5, 2));
    }
}
