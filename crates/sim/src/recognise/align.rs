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
    let heard = &pcm[start..start + 2 * half];
    let clip_start = start as i64 + pair.offset * HOP as i64;
    (-SHIFT_MAX..=SHIFT_MAX)
        .filter_map(|shift| {
            let from = usize::try_from(clip_start + shift).ok()?;
            let known = clip_pcm.get(from..from + 2 * half)?;
            Some((
                shift,
                product(heard, known)
                    / (product(heard, heard) * product(known, known))
                        .sqrt()
                        .max(1.0),
            ))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((0, 0.0))
}

fn product(a: &[i16], b: &[i16]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f32::from(*a) * f32::from(*b))
        .sum()
}
