//! Finds out how much of a clip is in a buffer, once a block of it was found: how far the likeness reaches, to the sample.

use std::ops::Range;

use super::index::{Hit, Score};
use super::print::{HOP, Print};

/// Likeness is judged over this many frames on both sides of each: 250 ms in all.
const AROUND: usize = 12;

/// Share of differing signs up to which a neighbourhood is alike. Laxer than for a look-up: place and clip are already known.
const DIFFERENT_MAX: f32 = 0.34;

/// Signs that a neighbourhood must have to be judged at all; fewer are a pause.
const COMPARED_MIN: u32 = 24;

/// Unlike neighbourhoods in a row that end the likeness: 400 ms, more than a burst of lost packets.
const UNLIKE_MAX: usize = 40;

/// Speech this near to where it could begin or end at all begins or ends there, unless the buffer is silent: 600 ms.
const SNAP: usize = 60;

/// Silence in place of speech that proves that a clip was cut off: 150 ms on end. Other words have shorter gaps.
const MISSING_MIN: usize = 15;

/// How much quieter than the rest of the clip a frame must be to count as silence, in dB.
const MISSING_DB: f32 = 12.0;

/// Share of differing signs that a whole match may have; wrong ones that passed the look-up come out over 0.3.
const WHOLE_DIFFERENT_MAX: f32 = 0.25;

/// A likeness this many standard deviations off chance is certain. That takes about a second of clean speech; chance makes half of that.
const CERTAIN_DEVIATIONS: f32 = 20.0;

/// A likeness that is not certain must end for a reason, touch an edge of the clip, and the waves must
/// be alike, too: 0.9 and more through two codecs, 0.68 and more with noise at 10 dB; other speech
/// reaches 0.58 (measured over the corpus).
const WAVE_LIKENESS_MIN: f32 = 0.62;

/// The place within a frame is looked for this far to both sides, in samples: a frame and a bit.
const SHIFT_MAX: i64 = 300;

/// Samples that are correlated to find it: 400 ms.
const SHIFT_WINDOW: usize = 9600;

/// A clip, or a part of one, in a buffer.
#[derive(Clone, Debug)]
pub(super) struct Match {
    /// Which clip.
    pub(super) clip: usize,
    /// Where in the buffer, in frames.
    pub(super) frames: Range<usize>,
    /// Which part of the clip, in samples.
    pub(super) clip_samples: Range<i64>,
}

/// A buffer and a clip that lie side by side.
struct Pair<'a> {
    buffer: &'a Print,
    clip: &'a Print,
    /// Frame of the clip less frame of the buffer.
    offset: i64,
    /// Frames of the buffer that may belong to the clip.
    reach: Range<usize>,
    /// Running scores: entry `n` is of the frames of `reach` before the n-th.
    sums: Vec<Score>,
    /// How much louder the buffer is than the clip, in dB; known once it is known where they are alike.
    gain_db: f32,
}

/// Whether the likeness ends for a reason: the clip, the buffer or the speech in it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Border {
    Seen,
    Unexplained,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Alike,
    Unlike,
    Quiet,
}

/// Extends a hit in both directions, within the `free` frames of the buffer. None if the likeness does not hold.
pub(super) fn extend(
    buffer: &Print,
    clip: &Print,
    hit: &Hit,
    free: Range<usize>,
    (pcm, clip_pcm): (&[i16], &[i16]),
) -> Option<Match> {
    let mut pair = Pair::new(buffer, clip, hit.offset, free.clone())?;
    let seed = hit
        .block
        .clone()
        .filter(|&frame| pair.likeness(frame) == Likeness::Alike)
        .min_by_key(|&frame| pair.around(frame).1)?;
    let first = pair.walk((pair.reach.start..=seed).rev()).unwrap_or(seed);
    let last = pair.walk(seed..pair.reach.end).unwrap_or(seed);
    pair.gain_db = pair.gain(first..last + 1);
    let (start, begins) = pair.begin(first);
    let (end, ends) = pair.end(last + 1);
    let score = pair.sum(first..last + 1);
    let has_clip_edge = pair.beside(start) == 0 || pair.beside(end) == clip.len();
    let has_reasons = begins == Border::Seen && ends == Border::Seen && has_clip_edge;
    let (shift, likeness) = shift(&pair, start..end, pcm, clip_pcm);
    let is_certain = score.deviations() > CERTAIN_DEVIATIONS;
    if score.share() > WHOLE_DIFFERENT_MAX
        || !(is_certain || has_reasons && likeness > WAVE_LIKENESS_MIN)
    {
        return None;
    }
    let place = |sample: usize| sample as i64 + hit.offset * HOP as i64 + shift;
    let clip_start = if start == pair.reach.start && start != free.start {
        0
    } else {
        place(start * HOP)
    };
    let clip_end = if end < pair.reach.end {
        place(end * HOP)
    } else if end == buffer.len() {
        place(pcm.len())
    } else if end == free.end {
        place(end * HOP)
    } else {
        clip_pcm.len() as i64
    };
    Some(Match {
        clip: hit.clip,
        frames: start..end,
        clip_samples: clip_start..clip_end,
    })
}

impl<'a> Pair<'a> {
    fn new(
        buffer: &'a Print,
        clip: &'a Print,
        offset: i64,
        free: Range<usize>,
    ) -> Option<Pair<'a>> {
        let frame = |n: i64| usize::try_from(n.max(0)).unwrap_or(0);
        let reach = free.start.max(frame(-offset))..free.end.min(frame(clip.len() as i64 - offset));
        if reach.is_empty() {
            return None;
        }
        let mut sums = vec![Score::default()];
        let mut sum = Score::default();
        for at in reach.clone() {
            let other = frame(at as i64 + offset);
            sum.add(
                (buffer.signs[at], buffer.sure[at]),
                (clip.signs[other], clip.sure[other]),
            );
            sums.push(sum);
        }
        Some(Pair {
            buffer,
            clip,
            offset,
            reach,
            sums,
            gain_db: 0.0,
        })
    }

    /// The score of some frames of the buffer, as far as they are within reach.
    fn sum(&self, frames: Range<usize>) -> Score {
        let at = |frame: usize| {
            self.sums[frame.clamp(self.reach.start, self.reach.end) - self.reach.start]
        };
        let (from, to) = (at(frames.start), at(frames.end));
        Score {
            compared: to.compared - from.compared,
            different: to.different - from.different,
        }
    }

    /// The score around a frame, and its share in thousandths.
    fn around(&self, frame: usize) -> (Score, u32) {
        let score = self.sum(frame.saturating_sub(AROUND)..frame + AROUND + 1);
        (score, (score.share() * 1000.0) as u32)
    }

    fn likeness(&self, frame: usize) -> Likeness {
        if !self.reach.contains(&frame) {
            return Likeness::Quiet;
        }
        let (score, _) = self.around(frame);
        match score.compared {
            0..COMPARED_MIN => Likeness::Quiet,
            _ if score.share() < DIFFERENT_MAX => Likeness::Alike,
            _ => Likeness::Unlike,
        }
    }

    /// The last alike frame on a way. Pauses are stepped over, and short disturbances.
    fn walk(&self, way: impl Iterator<Item = usize>) -> Option<usize> {
        let mut reached = None;
        let mut unlike = 0;
        for frame in way {
            match self.likeness(frame) {
                Likeness::Alike => (reached, unlike) = (Some(frame), 0),
                Likeness::Unlike => unlike += 1,
                Likeness::Quiet => {}
            }
            if unlike > UNLIKE_MAX {
                break;
            }
        }
        reached
    }

    /// The frame of the clip beside a frame of the buffer.
    fn beside(&self, frame: usize) -> usize {
        usize::try_from(frame as i64 + self.offset).unwrap_or(usize::MAX)
    }

    /// How much louder the buffer is than the clip where the clip speaks: the median.
    fn gain(&self, frames: Range<usize>) -> f32 {
        let speech = frames.filter(|&frame| self.clip.is_speech(self.beside(frame)));
        let mut gains: Vec<f32> = speech
            .map(|frame| self.buffer.level(frame) - self.clip.level(self.beside(frame)))
            .collect();
        gains.sort_unstable_by(f32::total_cmp);
        gains.get(gains.len() / 2).copied().unwrap_or(0.0)
    }

    /// Whether the clip speaks where the buffer does not.
    fn is_missing(&self, frame: usize) -> bool {
        let clip = self.beside(frame);
        self.clip.is_speech(clip)
            && self.buffer.level(frame) < self.clip.level(clip) + self.gain_db - MISSING_DB
    }

    /// Whether the clip speaks on, for a while, where the buffer does not.
    fn is_cut(&self, frames: impl Iterator<Item = usize>) -> Option<usize> {
        let mut cut: Option<(usize, usize)> = None;
        for frame in frames {
            cut = match cut {
                _ if !self.is_missing(frame) => None,
                None => Some((frame, 1)),
                Some((first, run)) => Some((first, run + 1)),
            };
            if let Some((first, MISSING_MIN)) = cut {
                return Some(first);
            }
        }
        None
    }

    fn begin(&self, first: usize) -> (usize, Border) {
        let before = self.reach.start.max(first.saturating_sub(SNAP))..first + AROUND;
        match self.is_cut(before.rev()) {
            Some(cut) => (cut + 1, Border::Seen),
            None if first - self.reach.start <= SNAP => (self.reach.start, Border::Seen),
            None => (first, Border::Unexplained),
        }
    }

    fn end(&self, end: usize) -> (usize, Border) {
        let after = end.saturating_sub(AROUND)..self.reach.end.min(end + SNAP);
        match self.is_cut(after) {
            Some(cut) => (cut, Border::Seen),
            None if self.reach.end - end <= SNAP => (self.reach.end, Border::Seen),
            None => (end, Border::Unexplained),
        }
    }
}

/// How many samples later in the clip the sound is than its frame says, and how alike the waves are there: by correlating a loud stretch.
fn shift(pair: &Pair<'_>, frames: Range<usize>, pcm: &[i16], clip_pcm: &[i16]) -> (i64, f32) {
    // Room on both sides for the shifts, also in a short clip.
    let half = SHIFT_WINDOW.min(frames.len() * HOP * 2 / 3) / 2;
    let fits = |at: usize| {
        let margin = 2 * HOP + half;
        frames.start * HOP + margin <= at && at + margin <= (frames.end * HOP).min(pcm.len())
    };
    let loudest = frames
        .clone()
        .filter(|frame| fits(frame * HOP))
        .max_by(|a, b| pair.buffer.level(*a).total_cmp(&pair.buffer.level(*b)));
    let Some(start) = loudest.map(|frame| frame * HOP - half) else {
        return (0, 0.0);
    };
    let clip_start = start as i64 + pair.offset * HOP as i64;
    best_shift(&pcm[start..start + 2 * half], clip_pcm, clip_start)
}

/// How many samples after its place in the clip a stretch fits best, and how alike the waves are there.
fn best_shift(heard: &[i16], clip_pcm: &[i16], clip_start: i64) -> (i64, f32) {
    let heard = floats(heard);
    // What all shifts together may need of the clip: it is converted once, and its energy runs along.
    let from = usize::try_from((clip_start - SHIFT_MAX).max(0)).unwrap_or(0);
    let to = usize::try_from(clip_start + SHIFT_MAX).map_or(0, |last| last + heard.len());
    let known = floats(
        clip_pcm
            .get(from..to.min(clip_pcm.len()))
            .unwrap_or_default(),
    );
    let heard_energy = product(&heard, &heard);
    let energies = running_energy(&known);
    known
        .windows(heard.len())
        .enumerate()
        .map(|(at, known)| {
            let energy = (energies[at + heard.len()] - energies[at]) as f32;
            let likeness = product(&heard, known) / (heard_energy * energy).sqrt().max(1.0);
            ((from + at) as i64 - clip_start, likeness)
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((0, 0.0))
}

fn floats(pcm: &[i16]) -> Vec<f32> {
    pcm.iter().map(|sample| f32::from(*sample)).collect()
}

/// Entry `n` is the energy of the samples before the n-th: whole numbers, so that differences are exact.
fn running_energy(samples: &[f32]) -> Vec<f64> {
    let squares = samples.iter().map(|sample| f64::from(*sample).powi(2));
    let sums = squares.scan(0.0, |sum, square| {
        *sum += square;
        Some(*sum)
    });
    std::iter::once(0.0).chain(sums).collect()
}

/// Sums that are added up side by side: one alone would wait for itself at every step.
const LANES: usize = 16;

fn product(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Corpus;

    /// One shift after the other, as it is defined.
    fn plain_shift(heard: &[i16], clip_pcm: &[i16], clip_start: i64) -> (i64, f64) {
        let product = |a: &[i16], b: &[i16]| -> f64 {
            let products = a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b));
            products.sum::<i64>() as f64
        };
        (-SHIFT_MAX..=SHIFT_MAX)
            .filter_map(|shift| {
                let from = usize::try_from(clip_start + shift).ok()?;
                let known = clip_pcm.get(from..from + heard.len())?;
                let energies = product(heard, heard) * product(known, known);
                Some((shift, product(heard, known) / energies.sqrt().max(1.0)))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((0, 0.0))
    }

    #[test]
    fn the_best_shift_is_the_one_that_trying_them_one_by_one_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        for clip in Corpus::embedded().clips().iter().step_by(23) {
            let pcm = clip.pcm();
            let length = random.usize(80..=SHIFT_WINDOW).min(pcm.len());
            let start = random.usize(0..=pcm.len() - length);
            let noise = random.i16(0..3000);
            let heard: Vec<i16> = pcm[start..start + length]
                .iter()
                .map(|sample| sample / 2 + random.i16(-noise..=noise))
                .collect();
            // Also where some shifts, or all of them, leave the clip.
            let clip_start = start as i64 + random.i64(-400..=400);
            let (shift, likeness) = best_shift(&heard, pcm, clip_start);
            let (plain, plain_likeness) = plain_shift(&heard, pcm, clip_start);
            assert_eq!(shift, plain, "{} from {start}, {length} long", clip.id);
            assert!((f64::from(likeness) - plain_likeness).abs() < 1e-4);
        }
    }
}
