//! Our own voice activity: where speech begins and ends in 24 kHz audio.
//!
//! It serves latency figures, the recording and interrupting; whose turn it is, the provider decides. The detector is
//! earshot, a small recurrent network over 16 ms of 16 kHz audio (0.04 % of a core per stream, measured); around it are
//! a cheap 3:2 rate change and the usual hysteresis.

use std::fmt;
use std::sync::OnceLock;

use earshot::Detector;

/// Samples of a detector frame at 16 kHz: 16 ms.
const FRAME: usize = 256;
/// The same in samples of the 24 kHz input.
const FRAME_24K: u64 = 384;
/// A frame at or above this is speech; earshot's authors recommend 0.5.
const SPEECH: f32 = 0.5;
/// Within speech, a frame at or above this still is.
const STILL_SPEECH: f32 = 0.35;
/// Speech frames in a row that make a start: 64 ms, which a click does not reach.
const START_FRAMES: u64 = 4;
/// Frames without speech that make an end: 320 ms. Shorter pauses are within sentences.
const END_FRAMES: u64 = 20;

/// Quieter than this (-66 dBFS) is what noise suppression leaves of a pause. A third of all VAD time goes into it otherwise.
const NOTHING: f32 = 0.000_5;
/// A frame of speech is voiced if it is no more than 34 dB below the loudest one: the network remembers, and goes on hearing speech
/// for some 70 ms after the last sound of it (measured with the corpus), which would make every answer seem faster than it was.
const VOICED: f32 = 0.02;

/// An edge of speech, in samples at 24 kHz since the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Speech began here.
    Started(u64),
    /// Speech ended here. Recognised a good 300 ms later.
    Ended(u64),
}

/// Detects speech.
pub struct Vad {
    detector: Box<Detector>,
    resampler: Resampler,
    pending: Vec<f32>,
    frames: u64,
    /// Frames in a row in which there is nothing.
    nothing: u64,
    run: u64,
    speech: Option<Speech>,
}

/// Speech that goes on. Frames are counted from the beginning.
#[derive(Clone, Copy, Debug)]
struct Speech {
    /// The last that the network took for speech.
    last_frame: u64,
    /// The last of them that was voiced.
    last_voiced: u64,
    /// Root mean square of the loudest.
    loudest: f32,
}

impl Default for Vad {
    fn default() -> Self {
        Vad::new()
    }
}

impl Vad {
    /// A detector for 24 kHz mono audio.
    #[must_use]
    pub fn new() -> Vad {
        Vad {
            detector: Detector::default_boxed(),
            resampler: Resampler::new(),
            pending: Vec::with_capacity(FRAME * 2),
            frames: 0,
            nothing: 0,
            run: 0,
            speech: None,
        }
    }

    /// Takes audio of any length and appends the edges that were recognised in it.
    pub fn push(&mut self, pcm: &[i16], edges: &mut Vec<Edge>) {
        self.resampler.push(pcm, &mut self.pending);
        let mut taken = 0;
        while let Some(frame) = self.pending.get(taken..taken + FRAME) {
            let energy: f32 = frame.iter().map(|sample| sample * sample).sum();
            let rms = (energy / FRAME as f32).sqrt();
            let is_nothing = rms < NOTHING;
            self.nothing = if is_nothing { self.nothing + 1 } else { 0 };
            // The network remembers some frames: it sees the first of a silence, and need not see the rest.
            let score = if self.nothing > END_FRAMES {
                0.0
            } else {
                self.detector.predict_f32(frame)
            };
            taken += FRAME;
            self.step(score, rms, edges);
        }
        self.pending.drain(..taken);
    }

    /// Whether speech is going on now (it may just have ended, see [`Edge::Ended`]).
    #[must_use]
    pub fn speaking(&self) -> bool {
        self.speech.is_some()
    }

    fn step(&mut self, score: f32, rms: f32, edges: &mut Vec<Edge>) {
        let frame = self.frames;
        self.frames += 1;
        if let Some(speech) = &mut self.speech {
            if score >= STILL_SPEECH {
                speech.last_frame = frame;
                speech.loudest = speech.loudest.max(rms);
                if rms >= speech.loudest * VOICED {
                    speech.last_voiced = frame;
                }
            } else if frame - speech.last_frame >= END_FRAMES {
                edges.push(Edge::Ended((speech.last_voiced + 1) * FRAME_24K));
                self.speech = None;
                self.run = 0;
            }
        } else if score >= SPEECH {
            self.run += 1;
            if self.run >= START_FRAMES {
                edges.push(Edge::Started((frame + 1 - self.run) * FRAME_24K));
                self.speech = Some(Speech {
                    last_frame: frame,
                    last_voiced: frame,
                    loudest: rms,
                });
            }
        } else {
            self.run = 0;
        }
    }
}

impl fmt::Debug for Vad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vad(frame {}, {:?})", self.frames, self.speech)
    }
}

/// Taps per phase of the rate change. 32 give 60 dB above 9 kHz, far more than a voice detector notices.
const TAPS: usize = 32;

/// 24 kHz to 16 kHz: up by two, low pass, down by three, computed only where a sample comes out.
struct Resampler {
    history: Vec<f32>,
    phase: usize,
}

impl Resampler {
    fn new() -> Resampler {
        Resampler {
            history: vec![0.0; TAPS - 1],
            phase: 0,
        }
    }

    fn push(&mut self, pcm: &[i16], out: &mut Vec<f32>) {
        self.history
            .extend(pcm.iter().map(|sample| f32::from(*sample) / 32_768.0));
        let filters = filters();
        // `phase` counts in 48 kHz samples from the first input that has a whole history before it.
        while let Some(window) = self.history.get(self.phase / 2..self.phase / 2 + TAPS) {
            let filter = &filters[self.phase % 2];
            let sum: f32 = window
                .iter()
                .zip(filter)
                .map(|(sample, tap)| sample * tap)
                .sum();
            out.push(sum.clamp(-1.0, 1.0));
            self.phase += 3;
        }
        let done = (self.phase / 2).min(self.history.len().saturating_sub(TAPS - 1));
        self.history.drain(..done);
        self.phase -= done * 2;
    }
}

/// The two phases of a windowed sinc with its edge at 7.6 kHz, oldest sample first.
fn filters() -> &'static [[f32; TAPS]; 2] {
    static FILTERS: OnceLock<[[f32; TAPS]; 2]> = OnceLock::new();
    FILTERS.get_or_init(|| {
        let length = 2 * TAPS;
        let tap = |index: usize| {
            let x = index as f64 - (length as f64 - 1.0) / 2.0;
            let angle = std::f64::consts::TAU * 7_600.0 / 48_000.0 * x;
            let window =
                0.5 - 0.5 * (std::f64::consts::TAU * (index as f64 + 0.5) / length as f64).cos();
            angle.sin() / angle * window
        };
        let mut phases = [[0.0; TAPS]; 2];
        for (phase, filter) in phases.iter_mut().enumerate() {
            let sum: f64 = (0..TAPS).map(|j| tap(phase + 2 * j)).sum();
            for (j, value) in filter.iter_mut().enumerate() {
                // The newest sample meets the first tap of its phase; each phase has unit gain at DC.
                *value = (tap(phase + 2 * (TAPS - 1 - j)) / sum) as f32;
            }
        }
        phases
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| ((n as f64 * hz * std::f64::consts::TAU / 24_000.0).sin() * 10_000.0) as i16)
            .collect()
    }

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn the_rate_change_keeps_voice_and_removes_what_would_alias() {
        let expected = 10_000.0 / 32_768.0 / 2.0_f32.sqrt();
        for (hz, low, high) in [
            (300.0, 0.97, 1.03),
            (3_000.0, 0.97, 1.03),
            (10_000.0, 0.0, 0.02),
        ] {
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            let input = tone(hz, 24_000);
            Resampler::new().push(&input, &mut whole);
            let mut resampler = Resampler::new();
            for piece in input.chunks(77) {
                resampler.push(piece, &mut pieces);
            }
            assert_eq!(whole, pieces, "pieces of any length give the same");
            assert_eq!(whole.len(), 16_000);
            let gain = rms(&whole[100..]) / expected;
            assert!(gain >= low && gain <= high, "{hz} Hz: gain {gain}");
        }
    }

    #[test]
    fn silence_and_a_click_are_not_speech() {
        let mut vad = Vad::new();
        let mut edges = Vec::new();
        let mut pcm = vec![0i16; 24_000];
        pcm[12_000..12_100].fill(20_000);
        vad.push(&pcm, &mut edges);
        assert_eq!(edges, []);
    }
}
