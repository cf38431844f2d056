//! Finds where in the corpus a block of audio comes from: by trying every place. A block is 150 frames and the corpus about 130,000, so
//! that a look-up is some millions of bit counts: 10 to 20 ms, without tables that would have to survive noise bit by bit.
//!
//! Most blocks begin where a clip, or its speech after a long pause, begins: these places are tried first. One that is alike beyond all doubt
//! is taken, and the rest of the corpus, which could not be more alike, is not looked at.

use std::ops::Range;

use super::print::Print;

/// Frames that are looked up at once: 1.5 s.
pub(super) const BLOCK: usize = 150;

/// How far to go on after a block that was not found, in frames.
pub(super) const STEP: usize = 50;

/// Silence between clips, so that a block may hang over a clip's edges, in frames.
const MARGIN: usize = 100;

/// The first pass looks at every n-th frame of the block, at every second place.
const COARSE: usize = 4;

/// Places that the second pass looks at closely.
const CANDIDATES: usize = 12;

/// Share of differing signs under which a place may be the right one. Measured over the corpus: the same audio through two codecs and losses
/// differs in 0.01 to 0.05, with 10 dB of noise in 0.05 to 0.17, with 5 dB up to 0.24; the best wrong place of 130,000 in 0.22 or more.
const DIFFERENT_MAX: f32 = 0.24;

/// Fewer signs make chance better: 200 of them have been seen to differ in only 0.13 at a wrong place. A place must be this many standard
/// deviations (were signs independent) under one half. Wrong places reach 13.6; those that get this far are refused by [`super::align`],
/// because the likeness ends where neither clip nor speech does.
const DEVIATIONS_MIN: f32 = 12.0;

/// Silence before speech that is tried first, in frames: 300 ms, the shortest that a provider would take for the end of a turn.
const QUIET: usize = 30;

/// Speech begins so many frames sooner or later in a buffer than in its clip, at most, to be tried first: noise hides a soft beginning.
const ONSET_AROUND: usize = 8;

/// A place that was tried first is right beyond all doubt under this share of differing signs ...
const SURE_DIFFERENT_MAX: f32 = 0.15;

/// ... and this many standard deviations under one half. Wrong places reach 13.6.
const SURE_DEVIATIONS_MIN: f32 = 20.0;

/// The prints of all clips, end to end.
#[derive(Default)]
pub(super) struct Index {
    signs: Vec<u32>,
    sure: Vec<u32>,
    /// Where each clip begins.
    starts: Vec<usize>,
    /// Where speech begins after a long silence.
    onsets: Vec<usize>,
}

/// Where a block was found.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Which clip.
    pub(super) clip: usize,
    /// Frame of the clip less frame of the buffer.
    pub(super) offset: i64,
    /// The block.
    pub(super) block: Range<usize>,
}

/// How many signs were compared and how many of them differ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Score {
    pub(super) compared: u32,
    pub(super) different: u32,
}

impl Score {
    /// Adds a pair of frames.
    #[inline]
    pub(super) fn add(&mut self, a: (u32, u32), b: (u32, u32)) {
        let sure = a.1 & b.1;
        self.compared += sure.count_ones();
        self.different += ((a.0 ^ b.0) & sure).count_ones();
    }

    /// The share of differing signs.
    pub(super) fn share(self) -> f32 {
        if self.compared == 0 {
            0.5
        } else {
            self.different as f32 / self.compared as f32
        }
    }

    /// Standard deviations under one half.
    pub(super) fn deviations(self) -> f32 {
        (0.5 - self.share()) * 2.0 * (self.compared as f32).sqrt()
    }

    /// Whether chance does not do this.
    pub(super) fn is_match(self) -> bool {
        self.share() < DIFFERENT_MAX && self.deviations() > DEVIATIONS_MIN
    }

    /// Whether no other place could be the right one.
    fn is_beyond_doubt(self) -> bool {
        self.share() < SURE_DIFFERENT_MAX && self.deviations() > SURE_DEVIATIONS_MIN
    }
}

impl Index {
    /// Adds the next clip.
    pub(super) fn add(&mut self, print: &Print) {
        let start = self.signs.len() + MARGIN;
        self.starts.push(start);
        self.onsets
            .extend(print.onsets(QUIET).map(|frame| start + frame));
        self.signs.resize(start, 0);
        self.sure.resize(start, 0);
        self.signs.extend(&print.signs);
        self.sure.extend(&print.sure);
    }

    /// From now on everything is searched everywhere.
    #[cfg(test)]
    pub(super) fn forget_onsets(&mut self) {
        self.onsets.clear();
    }

    /// Where the first of these blocks of a buffer that is known comes from.
    pub(super) fn find(&self, print: &Print, blocks: &[Range<usize>]) -> Option<Hit> {
        let signs = |block: &Range<usize>| -> Vec<(u32, u32)> {
            let frames = block.clone();
            frames
                .map(|frame| (print.signs[frame], print.sure[frame]))
                .collect()
        };
        let asked: Vec<(&Range<usize>, Vec<(u32, u32)>)> =
            blocks.iter().map(|block| (block, signs(block))).collect();
        let hit = |block: &Range<usize>, place| self.hit(block, place);
        let at_an_onset = asked
            .iter()
            .find_map(|(block, ask)| hit(block, self.at_an_onset(ask)?));
        at_an_onset.or_else(|| {
            asked
                .iter()
                .find_map(|(block, ask)| hit(block, self.anywhere(ask)?))
        })
    }

    fn hit(&self, block: &Range<usize>, place: usize) -> Option<Hit> {
        // The clip that covers the block's middle; a block that hangs over an edge still belongs to the nearest.
        let clip = self
            .starts
            .partition_point(|start| *start <= place + block.len() / 2 + MARGIN / 2)
            .checked_sub(1)?;
        Some(Hit {
            clip,
            offset: place as i64 - self.starts[clip] as i64 - block.start as i64,
            block: block.clone(),
        })
    }

    /// The best place near the beginning of some speech, if it is right beyond all doubt.
    fn at_an_onset(&self, ask: &[(u32, u32)]) -> Option<usize> {
        let places = self.onsets.iter().flat_map(|onset| {
            let from = onset.saturating_sub(ONSET_AROUND);
            (from..=onset + ONSET_AROUND).step_by(2)
        });
        let (score, place) = self.best(ask, places)?;
        score.is_beyond_doubt().then_some(place)
    }

    /// The best place of all, if chance does not do this.
    fn anywhere(&self, ask: &[(u32, u32)]) -> Option<usize> {
        let (score, place) = self.best(ask, (0..self.signs.len()).step_by(2))?;
        tracing::trace!(
            share = score.share(),
            compared = score.compared,
            "looked up a block"
        );
        score.is_match().then_some(place)
    }

    /// The best of these places and their neighbours: a coarse pass over all, and a close look at the candidates.
    fn best(
        &self,
        ask: &[(u32, u32)],
        places: impl Iterator<Item = usize>,
    ) -> Option<(Score, usize)> {
        let mut best: Vec<(f32, usize)> = Vec::new();
        for place in places {
            let score = self.score(ask, place, COARSE);
            let deviations = score.deviations();
            if best.len() < CANDIDATES || deviations > best[CANDIDATES - 1].0 {
                best.truncate(CANDIDATES - 1);
                let at = best.partition_point(|(other, _)| *other > deviations);
                best.insert(at, (deviations, place));
            }
        }
        let near = best
            .iter()
            .flat_map(|(_, place)| place.saturating_sub(2)..place + 3);
        near.map(|place| (self.score(ask, place, 1), place))
            .max_by(|(a, _), (b, _)| a.deviations().total_cmp(&b.deviations()))
    }

    fn score(&self, ask: &[(u32, u32)], place: usize, step: usize) -> Score {
        let mut score = Score::default();
        let signs = self
            .signs
            .get(place..)
            .unwrap_or_default()
            .iter()
            .step_by(step);
        let sure = self
            .sure
            .get(place..)
            .unwrap_or_default()
            .iter()
            .step_by(step);
        for ((sign, sure), asked) in signs.zip(sure).zip(ask.iter().step_by(step)) {
            score.add((*sign, *sure), *asked);
        }
        score
    }
}
