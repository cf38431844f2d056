//! Fingerprints: how the spectrum of speech moves, as 32 signs per frame.
//!
//! After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): the sign of how the energy difference between two
//! neighbouring bands changes over time. Here on logarithms, so that level and a fixed equaliser cancel out, and with a mask of the signs
//! that are far from zero, so that noise between the words does not count.

use std::ops::Range;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::index::BLOCK;

/// Distance between frames, in samples at 24 kHz: 10 ms.
pub(super) const HOP: usize = 240;

/// Samples under one window: 85 ms. Long against the hop, so that a shift by half a hop changes few signs.
const WINDOW: usize = 2048;

/// Bits of a frame.
const BITS: usize = 32;

/// The range of the bands in hertz: what a telephone would carry and a noise suppressor keeps.
const BAND_HZ: (f32, f32) = (250.0, 5500.0);

/// How far back a frame is compared, in frames.
const LAG: usize = 4;

/// Below this a frame is silence whatever surrounds it, in dB of full scale within the bands. The quiet-room bed lies at -59.
const SPEECH_DB_MIN: f32 = -52.0;

/// How far speech must rise over its surroundings, in dB. The loudest frames of white noise stay within 3 dB of its floor.
const SPEECH_RISE_DB: f32 = 9.0;

/// Frames without speech that separate two utterances: 120 ms.
const PAUSE: usize = 12;

/// The signs of some audio.
pub(super) struct Print {
    /// 32 signs per frame.
    pub(super) signs: Vec<u32>,
    /// Which of them are far from zero; none near silence.
    pub(super) sure: Vec<u32>,
    /// Energy of each frame in dB of full scale.
    level_db: Vec<f32>,
    /// Over this a frame is speech.
    threshold_db: f32,
}

/// Makes fingerprints.
pub(super) struct Printer {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// First bin of each band, and the end of the last.
    edges: [usize; BITS + 2],
}

impl Printer {
    pub(super) fn new() -> Printer {
        let turn = std::f32::consts::TAU / WINDOW as f32;
        let hz_per_bin = crate::corpus::RATE_HZ as f32 / WINDOW as f32;
        let ratio = BAND_HZ.1 / BAND_HZ.0;
        let mut edges = [0; BITS + 2];
        for (no, edge) in edges.iter_mut().enumerate() {
            *edge = (BAND_HZ.0 * ratio.powf(no as f32 / (BITS + 1) as f32) / hz_per_bin).round()
                as usize;
        }
        Printer {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: (0..WINDOW)
                .map(|n| 0.5 - 0.5 * (turn * n as f32).cos())
                .collect(),
            edges,
        }
    }

    /// The print of 24 kHz audio. Frame `n` is centred on sample `n * HOP`.
    pub(super) fn print(&self, pcm: &[i16]) -> Print {
        let frames = pcm.len() / HOP;
        let mut print = Print {
            signs: Vec::with_capacity(frames),
            sure: Vec::with_capacity(frames),
            level_db: Vec::with_capacity(frames),
            threshold_db: 0.0,
        };
        // With half a window of silence around it.
        let mut samples = vec![0.0; pcm.len() + WINDOW];
        for (sample, known) in samples[WINDOW / 2..].iter_mut().zip(pcm) {
            *sample = f32::from(*known) / 32768.0;
        }
        let mut input = self.fft.make_input_vec();
        let mut output = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut moves = Vec::with_capacity(frames);
        let mut past = [[0.0; BITS]; LAG];
        for frame in 0..frames {
            let window = &samples[frame * HOP..frame * HOP + WINDOW];
            for ((input, sample), weight) in input.iter_mut().zip(window).zip(&self.window) {
                *input = sample * weight;
            }
            self.fft
                .process_with_scratch(&mut input, &mut output, &mut scratch)
                .expect("the buffers are the planner's own");
            let mut bands = [0.0; BITS + 1];
            let mut total = 0.0;
            for (band, edges) in bands.iter_mut().zip(self.edges.windows(2)) {
                let bins = &output[edges[0]..edges[1]];
                let energy: f32 = bins.iter().map(|c| c.norm_sqr()).sum();
                total += energy;
                // A floor at -100 dBFS keeps digital silence from looking like a move.
                *band =
                    (energy / bins.len() as f32 + WINDOW as f32 * WINDOW as f32 * 1e-11).log10();
            }
            // A Hann window passes 3/8 of the energy; a full-scale sine is 0 dB.
            print.level_db.push(
                10.0 * (total * 16.0 / (3.0 * (WINDOW * WINDOW) as f32) * 1.5 + 1e-12).log10(),
            );
            let tilt: [f32; BITS] = std::array::from_fn(|no| bands[no] - bands[no + 1]);
            let before = std::mem::replace(&mut past[frame % LAG], tilt);
            moves.push(std::array::from_fn::<f32, BITS, _>(|no| {
                if frame < LAG {
                    0.0
                } else {
                    tilt[no] - before[no]
                }
            }));
        }
        let levels = Levels::of(&print.level_db);
        print.threshold_db = levels.speech();
        for (frame, moves) in moves.iter().enumerate() {
            print.signs.push(bits(moves, |m| m > 0.0));
            let sure = if print.level_db[frame] > levels.sound() {
                median_size(moves)
            } else {
                f32::INFINITY
            };
            print.sure.push(bits(moves, |m| m.abs() > sure));
        }
        print
    }
}

fn bits(moves: &[f32; BITS], is: impl Fn(f32) -> bool) -> u32 {
    moves
        .iter()
        .enumerate()
        .filter(|(_, m)| is(**m))
        .fold(0, |bits, (no, _)| bits | 1 << no)
}

fn median_size(moves: &[f32; BITS]) -> f32 {
    let mut sizes = moves.map(f32::abs);
    sizes.sort_unstable_by(f32::total_cmp);
    sizes[BITS / 2]
}

/// How loud some audio is.
struct Levels {
    quiet_db: f32,
    loud_db: f32,
}

impl Levels {
    fn of(level_db: &[f32]) -> Levels {
        let mut sorted = level_db.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |permille: usize| {
            sorted
                .get(sorted.len() * permille / 1000)
                .copied()
                .unwrap_or(-120.0)
        };
        Levels {
            quiet_db: at(50),
            loud_db: at(950),
        }
    }

    /// Over this a frame is speech: well over the quiet parts. In steady noise nothing is.
    fn speech(&self) -> f32 {
        if self.loud_db - self.quiet_db < SPEECH_RISE_DB {
            return f32::INFINITY;
        }
        (self.quiet_db + 6.0)
            .max(self.loud_db - 30.0)
            .max(SPEECH_DB_MIN)
    }

    /// Over this a frame is worth comparing, be it noise: what the clip does not say there does not count, and what it says may be under it.
    fn sound(&self) -> f32 {
        (self.loud_db - 35.0).max(SPEECH_DB_MIN - 10.0)
    }
}

impl Print {
    pub(super) fn len(&self) -> usize {
        self.signs.len()
    }

    pub(super) fn is_speech(&self, frame: usize) -> bool {
        self.level_db
            .get(frame)
            .is_some_and(|level| *level > self.threshold_db)
    }

    /// The level of a frame in dB of full scale.
    pub(super) fn level(&self, frame: usize) -> f32 {
        self.level_db
            .get(frame)
            .copied()
            .unwrap_or(f32::NEG_INFINITY)
    }

    /// The next block to look up: it begins with speech.
    pub(super) fn next_speech(&self, from: usize) -> Option<Range<usize>> {
        let start = (from..self.len()).find(|&frame| self.is_speech(frame))?;
        Some(start..self.len().min(start + BLOCK))
    }

    /// Where speech begins after so many frames without any, and where it begins at all.
    pub(super) fn onsets(&self, quiet: usize) -> impl Iterator<Item = usize> {
        let mut before = usize::MAX;
        (0..self.len()).filter(move |&frame| {
            let is_onset = self.is_speech(frame) && before >= quiet;
            before = if self.is_speech(frame) {
                0
            } else {
                before.saturating_add(1)
            };
            is_onset
        })
    }

    /// A block up to its first pause, if there is one: a short line before another one.
    pub(super) fn up_to_pause(&self, block: Range<usize>) -> Option<Range<usize>> {
        let pause = (block.start..block.end - PAUSE.min(block.len()))
            .find(|&from| !(from..from + PAUSE).any(|frame| self.is_speech(frame)))?;
        Some(block.start..pause)
    }
}
