//! What the participant hears: decoded, judged audible or not, kept until it has been understood.

use std::time::{Duration, Instant};

use media::opus::Decoder;

use super::{Ears as Mode, GAP_MIN, Gaps, Packets, ParticipantError};
use crate::corpus::RATE_HZ;

/// Loudness from which 20 ms count as audible: -42 dBFS. Speech lies 20 dB over it.
const AUDIBLE_RMS: f32 = 250.0;

/// Rate at which loudness is enough, in hertz: who reads captions decodes for that alone, and half of it is not worth a
/// second kind of ears. The size of a packet says nothing: CELT spends as much on a breath as on a word.
const LOUDNESS_RATE_HZ: u32 = 8_000;

/// Speech that is kept until it is understood, in samples: 60 s. The oldest goes first.
const KEPT_MAX: usize = 60 * RATE_HZ as usize;

/// Samples of a packet of 20 ms.
const FRAME: usize = RATE_HZ as usize / 50;

/// Holes whose moments are kept.
pub(super) const GAPS_KEPT_MAX: usize = 1_000;

/// From one packet to the next.
const PACE: Duration = Duration::from_millis(20);

/// Lost packets that are made up for; after more there is silence.
const CONCEALED_MAX: u64 = 10;

/// Holes are not counted so soon after the first sound of a connection: a browser's buffer has not settled either.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// A pause in the packets is kept as silence up to this long, in samples: 1 s.
const PAUSE_MAX: usize = RATE_HZ as usize;

/// The participant's ears.
pub(super) struct Ears {
    decoder: Decoder,
    /// Whether what is said is kept until it is understood.
    keeps: bool,
    last: Option<(u64, u64)>,
    /// What was said since the last answer.
    kept: Vec<i16>,
    /// When anything audible of it was heard first and last.
    since: Option<(Instant, Instant)>,
    first: Option<Instant>,
    heard: Duration,
    /// Sum of squares of audible audio.
    energy: f64,
    packets: Packets,
    /// When the packet before arrived, if it was audible.
    before: Option<Instant>,
    /// Whether the next pause is how the interviewer lets the participant speak, in the middle of a word or not.
    was_answered: bool,
    gaps: Gaps,
    gaps_at: Vec<Instant>,
}

impl Ears {
    pub(super) fn new(mode: Mode) -> Result<Ears, ParticipantError> {
        let (rate_hz, keeps) = match mode {
            Mode::Sound => (RATE_HZ, true),
            Mode::Captions => (LOUDNESS_RATE_HZ, false),
        };
        Ok(Ears {
            decoder: Decoder::new(rate_hz)
                .map_err(|error| ParticipantError::Media(error.to_string()))?,
            keeps,
            last: None,
            kept: Vec::new(),
            since: None,
            first: None,
            heard: Duration::ZERO,
            energy: 0.0,
            packets: Packets::default(),
            before: None,
            was_answered: false,
            gaps: Gaps::default(),
            gaps_at: Vec::new(),
        })
    }

    /// Takes a packet. Whether it was audible.
    pub(super) fn packet(&mut self, seq: u64, rtp_time: u64, payload: &[u8], at: Instant) -> bool {
        let missing = match self.last {
            // Late: what it says was made up for already.
            Some((last, _)) if seq <= last => return false,
            Some((last, _)) => seq - last - 1,
            None => 0,
        };
        self.packets.received += 1;
        self.packets.lost += missing;
        // RTP time goes on while nothing is sent.
        let due = self.last.map_or(rtp_time, |(_, time)| {
            time + (missing + 1) * media::opus::FRAME_48K
        });
        let pause = rtp_time.saturating_sub(due) as usize / 2;
        self.last = Some((seq, rtp_time));
        let is_audible = self.decode(missing, pause, payload);
        self.mind_the_gap(missing, pause > 0, is_audible, at);
        if is_audible {
            self.first.get_or_insert(at);
            self.since = Some((self.since.map_or(at, |(first, _)| first), at));
            self.heard += Duration::from_millis(20);
        }
        is_audible
    }

    /// What comes late or not at all leaves a hole, and so does whoever stops in the middle of a word: who means to stop
    /// sends silence first.
    fn mind_the_gap(&mut self, missing: u64, is_pause: bool, is_audible: bool, at: Instant) {
        let is_meant = is_pause && std::mem::take(&mut self.was_answered);
        let before = std::mem::replace(&mut self.before, is_audible.then_some(at));
        let (Some(before), Some(first), true) = (before, self.first, is_audible) else {
            return;
        };
        let late = at.saturating_duration_since(before).saturating_sub(PACE);
        let lost = PACE * u32::try_from(missing).unwrap_or(u32::MAX);
        let gap = late.max(lost);
        let is_settled = at.saturating_duration_since(first) > SETTLED_AFTER;
        if !is_meant && is_settled && gap > GAP_MIN {
            self.gaps.count += 1;
            let gap_ms = u32::try_from(gap.as_millis()).unwrap_or(u32::MAX);
            self.gaps.longest_ms = self.gaps.longest_ms.max(gap_ms);
            if self.gaps_at.len() < GAPS_KEPT_MAX {
                self.gaps_at.push(at);
            }
        }
    }

    fn decode(&mut self, missing: u64, pause: usize, payload: &[u8]) -> bool {
        if self.keeps {
            for _ in 0..missing.min(CONCEALED_MAX) {
                if let Ok(pcm) = self.decoder.conceal(FRAME) {
                    self.kept.extend_from_slice(pcm);
                }
            }
            self.kept.resize(self.kept.len() + pause.min(PAUSE_MAX), 0);
        }
        let Ok(pcm) = self.decoder.decode(payload) else {
            return false;
        };
        let energy: f32 = pcm.iter().map(|s| f32::from(*s).powi(2)).sum();
        let is_audible = energy > AUDIBLE_RMS * AUDIBLE_RMS * pcm.len() as f32;
        if is_audible {
            self.energy += f64::from(energy);
        }
        if self.keeps {
            self.kept.extend_from_slice(pcm);
        }
        if self.kept.len() > KEPT_MAX {
            self.kept.drain(..self.kept.len() - KEPT_MAX);
        }
        is_audible
    }

    /// When the speech that is kept began and was heard last; none if nothing audible is kept.
    pub(super) fn since(&self) -> Option<(Instant, Instant)> {
        self.since
    }

    /// The speech that is kept.
    pub(super) fn kept(&self) -> &[i16] {
        &self.kept
    }

    /// Forgets what was kept: it was understood, or an answer to it begins.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.since = None;
    }

    /// The participant begins to speak: the interviewer is to stop.
    pub(super) fn answer(&mut self) {
        self.forget();
        self.was_answered = true;
    }

    /// When anything audible was heard first.
    pub(super) fn first(&self) -> Option<Instant> {
        self.first
    }

    pub(super) fn heard_ms(&self) -> u64 {
        u64::try_from(self.heard.as_millis()).unwrap_or(u64::MAX)
    }

    /// Loudness of what was audible; none if nothing was decoded.
    pub(super) fn rms(&self) -> Option<u32> {
        let samples = self.heard.as_secs_f64() * f64::from(RATE_HZ);
        (self.keeps && samples > 0.0).then_some(())?;
        Some((self.energy / samples).sqrt() as u32)
    }

    pub(super) fn packets(&self) -> Packets {
        self.packets
    }

    pub(super) fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// When they ended, the first [`GAPS_KEPT_MAX`] of them.
    pub(super) fn gaps_at(&self) -> &[Instant] {
        &self.gaps_at
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::corpus::Corpus;
    use crate::recognise::{Recogniser, transcript};

    /// Hears a clip with some packets missing.
    fn hear(ears: &mut Ears, id: &str, is_lost: impl Fn(u64) -> bool) {
        let at = Instant::now();
        for (no, packet) in (0u64..).zip(Corpus::embedded().get(id).unwrap().packets()) {
            if !is_lost(no) {
                ears.packet(no, no * 960, packet, at + Duration::from_millis(no * 20));
            }
        }
    }

    #[test]
    fn what_is_heard_with_losses_is_understood() {
        let mut ears = Ears::new(Mode::Sound).unwrap();
        hear(&mut ears, "q-exploration-cost-1", |no| no % 19 == 7);
        let heard = Recogniser::interviewer().recognise(ears.kept());
        assert_eq!(
            transcript(&heard),
            "How does cost come into it when you, or your company, choose a tool?"
        );
        let Packets { received, lost } = ears.packets();
        assert!(
            lost > 5 && (lost * 18..lost * 20).contains(&received),
            "{lost} lost, {received} received"
        );
        assert!((2500..5000).contains(&ears.rms().unwrap()));
    }

    #[test]
    fn a_pause_in_the_packets_is_silence_not_loss() {
        let mut ears = Ears::new(Mode::Sound).unwrap();
        let silence = media::opus::SILENCE;
        let at = Instant::now();
        assert!(!ears.packet(5, 0, &silence, at));
        assert!(!ears.packet(6, 960 + 24_000, &silence, at));
        assert!(!ears.packet(4, 0, &silence, at));
        assert_eq!(
            ears.packets(),
            Packets {
                received: 2,
                lost: 0
            }
        );
        assert_eq!(ears.kept().len(), 2 * FRAME + 12_000);
        assert_eq!((ears.since(), ears.first(), ears.rms()), (None, None, None));
    }

    /// What a packet holds.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Holds {
        Speech,
        Silence,
    }
    use Holds::{Silence, Speech};

    /// The server's encoder: what a packet sounds like depends on the ones before.
    struct Voice(media::opus::Encoder);

    impl Voice {
        fn new() -> Voice {
            Voice(media::opus::Encoder::new(RATE_HZ, 2, 40_000).unwrap())
        }

        fn packet(&mut self, holds: Holds) -> &[u8] {
            let loud = |i: usize| ((i as f32 * 0.05).sin() * 8_000.0) as i16;
            let pcm: Vec<i16> = (0..FRAME)
                .map(|i| if holds == Speech { loud(i) } else { 0 })
                .collect();
            self.0.encode(&pcm).unwrap()
        }
    }

    /// Hears packets (seq, milliseconds of RTP time, milliseconds of arrival, what they hold); how many holes there were.
    fn holes(packets: &[(u64, u64, u64, Holds)]) -> Gaps {
        let mut ears = Ears::new(Mode::Captions).unwrap();
        let begin = Instant::now();
        let mut voice = Voice::new();
        ears.packet(0, 0, voice.packet(Speech), begin);
        for seq in 1..4 {
            ears.packet(seq, seq * 960, voice.packet(Silence), begin);
        }
        for (seq, time_ms, arrival_ms, holds) in packets {
            let at = begin + Duration::from_millis(*arrival_ms);
            ears.packet(*seq + 2, time_ms * 48, voice.packet(*holds), at);
        }
        ears.gaps()
    }

    #[test]
    fn what_comes_late_or_not_at_all_is_a_hole_if_it_is_longer_than_a_buffer() {
        let after = |seq, time_ms, arrival_ms| {
            holes(&[
                (2, 1_990, 1_990, Speech),
                (seq, time_ms, arrival_ms, Speech),
            ])
            .count
        };
        assert_eq!(after(3, 2_010, 2_070), 0);
        assert_eq!(after(3, 2_010, 2_071), 1);
        assert_eq!(after(6, 2_070, 2_070), 0);
        assert_eq!(after(7, 2_090, 2_090), 1);
        let late = holes(&[(2, 1_990, 1_990, Speech), (3, 2_010, 2_200, Speech)]);
        assert_eq!(late.longest_ms, 190);
    }

    #[test]
    fn a_stop_is_a_hole_only_in_the_middle_of_a_word() {
        let stop = |holds| holes(&[(2, 1_980, 1_980, holds), (3, 4_000, 4_000, Speech)]).count;
        assert_eq!((stop(Silence), stop(Speech)), (0, 1));
    }

    #[test]
    fn who_is_interrupted_may_stop_in_the_middle_of_a_word_once() {
        let mut ears = Ears::new(Mode::Captions).unwrap();
        let begin = Instant::now();
        let mut voice = Voice::new();
        let mut hear = |ears: &mut Ears, seq: u64, ms: u64| {
            ears.packet(
                seq,
                ms * 48,
                voice.packet(Speech),
                begin + Duration::from_millis(ms),
            );
            ears.gaps().count
        };
        for seq in 0..100 {
            hear(&mut ears, seq, seq * 20);
        }
        ears.answer();
        assert_eq!(hear(&mut ears, 100, 2_000), 0);
        assert_eq!(hear(&mut ears, 101, 5_000), 0);
        assert_eq!(hear(&mut ears, 102, 8_000), 1);
    }

    #[test]
    fn holes_are_not_counted_before_a_buffer_has_settled() {
        assert_eq!(
            holes(&[(2, 40, 500, Speech), (3, 60, 900, Speech)]).count,
            0
        );
    }

    #[test]
    fn who_only_reads_hears_when_somebody_speaks_as_well_as_who_listens() {
        let mut encoder = media::opus::Encoder::new(RATE_HZ, 2, 40_000).unwrap();
        let clip = Corpus::embedded().get("q-exploration-cost-1").unwrap();
        let mut pcm = vec![0; 20 * FRAME];
        pcm.extend_from_slice(clip.pcm());
        pcm.resize(pcm.len() + 20 * FRAME, 0);
        let (mut read, mut heard) = (
            Ears::new(Mode::Captions).unwrap(),
            Ears::new(Mode::Sound).unwrap(),
        );
        let began = Instant::now();
        for (no, frame) in (0_u64..).zip(pcm.chunks_exact(FRAME)) {
            let packet = encoder.encode(frame).unwrap();
            let at = began + Duration::from_millis(no * 20);
            read.packet(no, no * 960, packet, at);
            heard.packet(no, no * 960, packet, at);
        }
        let first = |ears: &Ears| ears.first().unwrap() - began;
        let apart = first(&read).abs_diff(first(&heard));
        assert!(apart <= Duration::from_millis(20), "{apart:?}");
        assert!(
            read.heard_ms().abs_diff(heard.heard_ms()) < heard.heard_ms() / 20,
            "{} read, {} heard",
            read.heard_ms(),
            heard.heard_ms()
        );
        assert!(read.kept().is_empty());
    }
}
