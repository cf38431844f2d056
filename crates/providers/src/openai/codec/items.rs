//! How much of which utterance was handed over: what truncation is clamped to.

use std::collections::VecDeque;

use engine::ids::{ItemId, ResponseId};

/// Utterances that are remembered. One can be cut only while it is being played, so a few responses would do.
const ITEMS_MAX: usize = 64;

/// The last utterances of the interviewer.
#[derive(Debug, Default)]
pub(super) struct Items(VecDeque<Utterance>);

/// One utterance.
#[derive(Debug)]
pub(super) struct Utterance {
    item: ItemId,
    response: ResponseId,
    /// Samples handed over, by the content part that they belong to.
    parts: Vec<(u32, u64)>,
    /// Half a sample, if a delta ended within one.
    odd_byte: Option<u8>,
    /// Words handed over.
    pub(super) words: String,
    stage: Stage,
}

/// How far an utterance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// More may come.
    Open,
    /// More may come, and some was dropped.
    Dropping,
    /// Everything that was generated has been handed over.
    Whole,
    /// It has ended, and some of what was generated was dropped.
    Clipped,
}

/// Whether an utterance ended as the vendor meant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The vendor said that it is done.
    Whole,
    /// It was given up before that.
    Clipped,
}

/// What to tell the vendor about an utterance that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All of it was heard.
    Nothing,
    /// None of it was heard.
    Delete,
    /// It was heard up to here.
    Truncate {
        content_index: u32,
        audio_end_ms: u64,
    },
}

impl Items {
    /// The utterance, begun now if it is new.
    pub(super) fn begin(&mut self, item: &ItemId, response: &ResponseId) {
        if self.0.len() == ITEMS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Utterance {
            item: item.clone(),
            response: response.clone(),
            parts: Vec::new(),
            odd_byte: None,
            words: String::new(),
            stage: Stage::Open,
        });
    }

    pub(super) fn get(&self, item: &str) -> Option<&Utterance> {
        self.0
            .iter()
            .rev()
            .find(|known| known.item.as_str() == item)
    }

    pub(super) fn get_mut(&mut self, item: &str) -> Option<&mut Utterance> {
        self.0
            .iter_mut()
            .rev()
            .find(|known| known.item.as_str() == item)
    }

    /// Utterances of a response that are still open.
    pub(super) fn open_of(&self, response: &ResponseId) -> Vec<ItemId> {
        let open = self
            .0
            .iter()
            .filter(|known| known.response == *response && known.stage.is_open());
        open.map(|known| known.item.clone()).collect()
    }
}

impl Utterance {
    /// Counts audio and gives its samples.
    pub(super) fn samples(&mut self, content_index: u32, bytes: &[u8]) -> Vec<i16> {
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let (Some(low), Some((high, after))) = (self.odd_byte, rest.split_first()) {
            pcm.push(i16::from_le_bytes([low, *high]));
            self.odd_byte = None;
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        pcm.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let Some(low) = odd.first() {
            self.odd_byte = Some(*low);
        }
        let count = pcm.len() as u64;
        match self
            .parts
            .iter_mut()
            .find(|(index, _)| *index == content_index)
        {
            Some((_, samples)) => *samples += count,
            None => self.parts.push((content_index, count)),
        }
        pcm
    }

    /// Notes that something of it was dropped.
    pub(super) fn drop_some(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Dropping;
        }
    }

    /// Ends it; gives whether it was still open.
    pub(super) fn close(&mut self, end: End) -> bool {
        let was_open = self.stage.is_open();
        self.stage = match (self.stage, end) {
            (Stage::Open, End::Whole) => Stage::Whole,
            (Stage::Open | Stage::Dropping, _) => Stage::Clipped,
            (ended @ (Stage::Whole | Stage::Clipped), _) => ended,
        };
        was_open
    }

    /// Whether any audio was handed over: a model may answer in text alone.
    pub(super) fn has_audio(&self) -> bool {
        self.parts.iter().any(|(_, samples)| *samples > 0)
    }

    /// Whole milliseconds handed over.
    pub(super) fn audio_ms(&self, rate_hz: u32) -> u64 {
        ms(self.parts.iter().map(|(_, samples)| samples).sum(), rate_hz)
    }

    /// What to tell the vendor if `played_ms` of this utterance were heard.
    ///
    /// Never more than was received: the vendor refuses to truncate behind the end of its audio. In an utterance of
    /// several parts the cut falls into the part that was being heard.
    pub(super) fn cut(&self, played_ms: u64, rate_hz: u32) -> Cut {
        if played_ms == 0 {
            return Cut::Delete;
        }
        if played_ms >= self.audio_ms(rate_hz) && self.stage == Stage::Whole {
            return Cut::Nothing;
        }
        let mut before = 0;
        let mut cut = Cut::Delete;
        for (content_index, samples) in &self.parts {
            let part_ms = ms(*samples, rate_hz);
            let audio_end_ms = played_ms.saturating_sub(before).min(part_ms);
            if audio_end_ms > 0 {
                cut = Cut::Truncate {
                    content_index: *content_index,
                    audio_end_ms,
                };
            }
            before += part_ms;
        }
        cut
    }
}

impl Stage {
    const fn is_open(self) -> bool {
        matches!(self, Stage::Open | Stage::Dropping)
    }
}

fn ms(samples: u64, rate_hz: u32) -> u64 {
    samples * 1_000 / u64::from(rate_hz.max(1))
}
