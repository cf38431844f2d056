//! The participant's microphone: one packet every 20 ms, speech when there is something to say, a quiet room otherwise.

use std::time::{Duration, Instant};

use crate::corpus::{Bed, Clip, PACKET_MS};

/// From one packet to the next.
const PACE: Duration = Duration::from_millis(PACKET_MS as u64);

/// RTP time of one packet.
const RTP_STEP: u32 = 48 * PACKET_MS;

/// Packets that are sent late in a burst; more are lost, as a sound card loses them.
const LATE_MAX: u32 = 10;

/// Quiet at the end of every clip (see the corpus): the voice ended before the clip did.
const QUIET_END: Duration = Duration::from_millis(60);

/// What the microphone picks up.
pub(super) struct Mouth {
    room: Vec<Vec<u8>>,
    room_at: usize,
    line: Option<Line>,
    rtp_time: u32,
    next: Option<Instant>,
}

/// A clip that is being said.
struct Line {
    clip: &'static Clip,
    at: usize,
}

/// What happened while sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoke {
    /// Nothing new.
    On,
    /// The clip is over; the voice ended then.
    Ended(Instant),
}

impl Mouth {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Mouth {
        let room = Bed::QuietRoom.packets();
        Mouth {
            room_at: rng.usize(..room.len()),
            room,
            line: None,
            rtp_time: rng.u32(..),
            next: None,
        }
    }

    /// Opens the microphone.
    pub(super) fn open(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    /// When [`Mouth::due`] has something to send; none before the microphone is open.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn say(&mut self, clip: &'static Clip) {
        self.line = Some(Line { clip, at: 0 });
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.line.is_some()
    }

    /// Sends what is due.
    pub(super) fn due(&mut self, now: Instant, mut send: impl FnMut(u32, &[u8])) -> Spoke {
        let mut spoke = Spoke::On;
        let Some(mut next) = self.next else {
            return spoke;
        };
        let late = now.saturating_duration_since(next).as_millis() as u32 / PACKET_MS;
        if late > LATE_MAX {
            let lost = late - LATE_MAX;
            next += PACE * lost;
            self.rtp_time = self.rtp_time.wrapping_add(RTP_STEP * lost);
        }
        while next <= now {
            send(self.rtp_time, self.packet());
            self.rtp_time = self.rtp_time.wrapping_add(RTP_STEP);
            next += PACE;
            if self
                .line
                .as_ref()
                .is_some_and(|line| line.at == line.clip.packets().len())
            {
                self.line = None;
                spoke = Spoke::Ended(next - QUIET_END);
            }
        }
        self.next = Some(next);
        spoke
    }

    fn packet(&mut self) -> &[u8] {
        if let Some(line) = &mut self.line {
            line.at += 1;
            return &line.clip.packets()[line.at - 1];
        }
        self.room_at = (self.room_at + 1) % self.room.len();
        &self.room[self.room_at]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::corpus::Corpus;

    #[test]
    fn a_clip_is_paced_and_its_end_is_told_once() {
        let start = Instant::now();
        let mut mouth = Mouth::new(&mut fastrand::Rng::with_seed(1));
        assert_eq!(
            mouth.due(start, |_, _| panic!("the microphone is closed")),
            Spoke::On
        );
        mouth.open(start);
        let clip = Corpus::embedded().get("a-maya-warmup-ready-1").unwrap();
        mouth.say(clip);
        let mut times = Vec::new();
        let mut ended = Vec::new();
        for tick in 0..100 {
            let now = start + Duration::from_millis(tick * 10);
            if let Spoke::Ended(at) = mouth.due(now, |time, _| times.push(time)) {
                ended.push(at - start);
            }
        }
        assert_eq!(times.len(), 50);
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1].wrapping_sub(pair[0]) == 960)
        );
        let whole = Duration::from_millis(clip.packets().len() as u64 * 20);
        assert_eq!(ended, [whole - QUIET_END]);
    }

    #[test]
    fn after_a_stall_time_goes_on_but_old_audio_is_gone() {
        let start = Instant::now();
        let mut mouth = Mouth::new(&mut fastrand::Rng::with_seed(1));
        mouth.open(start);
        let mut times = Vec::new();
        mouth.due(start, |time, _| times.push(time));
        mouth.due(start + Duration::from_secs(10), |time, _| times.push(time));
        assert_eq!(times.len(), 12);
        assert_eq!(times[11].wrapping_sub(times[0]), 500 * 960);
    }
}
