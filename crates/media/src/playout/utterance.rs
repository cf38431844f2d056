//! One utterance in the queue, and the fades at its edges.

use std::collections::VecDeque;
use std::time::Instant;

use engine::ids::ItemId;

/// Frames gathered before an utterance that ran dry goes on, so that it does not stutter.
const REFILL_FRAMES: usize = 3;
/// One utterance in the queue.
#[derive(Debug)]
pub(super) struct Utterance {
    pub(super) item: ItemId,
    audio: VecDeque<Vec<i16>>,
    /// Samples of the first piece that were played.
    head: usize,
    pub(super) left: usize,
    pub(super) played: usize,
    pub(super) queued: Instant,
    /// Whether nothing was playing when it came: then the time to its first packet is ours.
    pub(super) prompt: bool,
    pub(super) started: bool,
    /// Whether any of it could be heard so far.
    pub(super) audible: bool,
    pub(super) done: bool,
    pub(super) starved: Option<Instant>,
}

impl Utterance {
    pub(super) fn new(item: &ItemId, queued: Instant, prompt: bool) -> Utterance {
        Utterance {
            item: item.clone(),
            audio: VecDeque::new(),
            head: 0,
            left: 0,
            played: 0,
            queued,
            prompt,
            started: false,
            audible: false,
            done: false,
            starved: None,
        }
    }

    pub(super) fn push(&mut self, pcm: &[i16]) {
        self.audio.push_back(pcm.to_vec());
        self.left += pcm.len();
    }

    pub(super) fn is_playable(&self, frame: usize) -> bool {
        let wanted = if self.started && self.starved.is_some() {
            REFILL_FRAMES * frame
        } else {
            frame
        };
        self.left >= wanted || (self.done && self.left > 0)
    }

    pub(super) fn take(&mut self, frame: &mut Vec<i16>, samples: usize) {
        while frame.len() < samples {
            let Some(piece) = self.audio.front() else {
                break;
            };
            let wanted = samples - frame.len();
            let end = (self.head + wanted).min(piece.len());
            frame.extend_from_slice(&piece[self.head..end]);
            if end == piece.len() {
                self.audio.pop_front();
                self.head = 0;
            } else {
                self.head = end;
            }
        }
        self.left -= frame.len();
        self.played += frame.len();
    }
}

/// Whether a person in a quiet room hears this frame: louder than -42 dB of full scale (root mean square), 20 dB below speech.
pub(super) fn is_audible(frame: &[i16]) -> bool {
    const RMS_MIN: i64 = 250;
    let energy: i64 = frame.iter().map(|sample| i64::from(*sample).pow(2)).sum();
    let samples = i64::try_from(frame.len()).unwrap_or(i64::MAX);
    energy > RMS_MIN * RMS_MIN * samples
}

pub(super) fn fade_in(frame: &mut [i16], length: usize) {
    for (index, sample) in frame.iter_mut().take(length).enumerate() {
        *sample = scale(*sample, index, length);
    }
}

/// Fills up a frame: from the last sample down to nothing within `length`, then silence.
pub(super) fn fade_out(frame: &mut Vec<i16>, samples: usize, last: i16, length: usize) {
    let mut left = length;
    while frame.len() < samples {
        left = left.saturating_sub(1);
        frame.push(scale(last, left, length));
    }
}

fn scale(sample: i16, part: usize, whole: usize) -> i16 {
    let scaled = i64::from(sample) * part as i64 / whole.max(1) as i64;
    i16::try_from(scaled).unwrap_or(0)
}
