//! Sounds that can be found again at the other end: bursts of a vowel-like tone between silence.
//!
//! The server decodes packets of 20 ms one by one into frames of 20 ms, so the n-th packet of a burst is the n-th frame
//! behind the burst's onset. The codec's delay of 6.5 ms moves sound within its frame, not into another (a test holds
//! that).

use media::opus::{Encoder, OpusError};

/// Samples per second towards and from the provider.
const RATE_HZ: usize = 24_000;
/// Samples of 20 ms.
pub(super) const FRAME: usize = RATE_HZ / 50;
/// The tone's peak.
const PEAK: f64 = 9_000.0;
/// A frame with a peak beyond this is loud. Decoded silence stays below 100.
const LOUD: i16 = 2_000;
/// So many quiet frames end a burst: 300 ms, a short server VAD.
const QUIET_FRAMES: u32 = 15;
/// Silence in packets before and after the tone.
const LEAD: usize = 4;
const TAIL: usize = 10;

/// A burst, encoded.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    /// Packets to send, silence around the tone included.
    pub(super) packets: Vec<Vec<u8>>,
    /// Where the tone begins and how many packets it has.
    pub(super) lead: usize,
    pub(super) length: usize,
}

/// Encodes a burst of so many packets, as a browser's microphone would.
pub(super) fn burst(length: usize) -> Result<Burst, OpusError> {
    let mut encoder = Encoder::new(24_000, 5, 28_000)?;
    let tone = tone(length * FRAME);
    let mut pcm = vec![0; LEAD * FRAME];
    pcm.extend(tone);
    pcm.resize((LEAD + length + TAIL) * FRAME, 0);
    let packets = pcm
        .chunks_exact(FRAME)
        .map(|frame| encoder.encode(frame).map(<[u8]>::to_vec))
        .collect::<Result<_, _>>()?;
    Ok(Burst {
        packets,
        lead: LEAD,
        length,
    })
}

/// A pitch of 150 Hz with falling harmonics, at full strength from the first sample.
pub(super) fn tone(samples: usize) -> Vec<i16> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "sample numbers and 16-bit audio"
    )]
    let sample = |index: usize| {
        let phase = std::f64::consts::TAU * 150.0 * index as f64 / RATE_HZ as f64;
        let sum: f64 = (1..=12)
            .map(|harmonic| (phase * f64::from(harmonic)).cos() / f64::from(harmonic))
            .sum();
        (PEAK * (sum / 3.1)) as i16
    };
    (0..samples).map(sample).collect()
}

/// What an ear hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A burst began with this frame.
    Onset(usize),
    /// It is over.
    Quiet,
}

/// Finds bursts in a stream of samples.
#[derive(Debug, Default)]
pub(super) struct Ear {
    /// Samples so far, and the loudest of the frame that is not yet complete.
    samples: usize,
    peak: u16,
    quiet_frames: Option<u32>,
}

impl Ear {
    /// Whole frames so far.
    pub(super) fn frames(&self) -> usize {
        self.samples / FRAME
    }

    /// Takes samples.
    pub(super) fn push(&mut self, pcm: impl IntoIterator<Item = i16>, heard: &mut Vec<Heard>) {
        for sample in pcm {
            self.peak = self.peak.max(sample.unsigned_abs());
            self.samples += 1;
            if self.samples.is_multiple_of(FRAME) {
                let loud = std::mem::take(&mut self.peak) > LOUD.unsigned_abs();
                self.frame(self.frames() - 1, loud, heard);
            }
        }
    }

    fn frame(&mut self, frame: usize, loud: bool, heard: &mut Vec<Heard>) {
        self.quiet_frames = match (self.quiet_frames, loud) {
            (None, true) => {
                heard.push(Heard::Onset(frame));
                Some(0)
            }
            (Some(_), true) => Some(0),
            (Some(quiet), false) if quiet + 1 >= QUIET_FRAMES => {
                heard.push(Heard::Quiet);
                None
            }
            (Some(quiet), false) => Some(quiet + 1),
            (None, false) => None,
        };
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use media::opus::Decoder;

    use super::*;

    #[test]
    fn a_burst_is_heard_in_the_frame_of_its_first_packet() {
        for length in [17, 24, 31] {
            let burst = burst(length).unwrap();
            let (mut decoder, mut ear, mut heard) =
                (Decoder::new(24_000).unwrap(), Ear::default(), Vec::new());
            // The same burst again and again: the decoder's state is not that of the encoder's beginning.
            for round in 0..3 {
                for packet in &burst.packets {
                    assert!(packet.len() > 2, "not taken for discontinuous transmission");
                    let pcm = decoder.decode(packet).unwrap().to_vec();
                    ear.push(pcm, &mut heard);
                }
                for _ in 0..20 {
                    let pcm = decoder
                        .decode(burst.packets.last().unwrap())
                        .unwrap()
                        .to_vec();
                    ear.push(pcm, &mut heard);
                }
                let onset = round * (burst.packets.len() + 20) + burst.lead;
                assert_eq!(
                    heard,
                    [Heard::Onset(onset), Heard::Quiet],
                    "{length} packets, round {round}"
                );
                heard.clear();
            }
        }
    }

    #[test]
    fn a_short_gap_is_part_of_the_burst() {
        let (mut ear, mut heard) = (Ear::default(), Vec::new());
        let loud = tone(FRAME);
        for frame in [&loud[..], &[0; FRAME * 5], &loud[..], &[0; FRAME * 15]] {
            ear.push(frame.iter().copied(), &mut heard);
        }
        assert_eq!(heard, [Heard::Onset(0), Heard::Quiet]);
    }
}
