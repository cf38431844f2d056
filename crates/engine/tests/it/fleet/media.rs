//! The playout of one process: utterances one after another, and what it tells of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use engine::ids::ItemId;

/// An utterance that is played or waits.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) item: ItemId,
    pub(crate) audio: Duration,
    pub(crate) started: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Playout {
    pub(crate) queue: VecDeque<Piece>,
    dropped: BTreeSet<ItemId>,
    lengths: BTreeMap<ItemId, u32>,
}

impl Playout {
    /// The vendor will hand over so much audio under this name.
    pub(crate) fn expect(&mut self, item: &ItemId, audio_ms: u32) {
        self.lengths.insert(item.clone(), audio_ms);
    }

    /// Its first audio is here. Returns whether it is the next to be played.
    pub(crate) fn begin(&mut self, item: &ItemId) -> bool {
        let Some(audio_ms) = self
            .lengths
            .get(item)
            .filter(|_| !self.dropped.contains(item))
        else {
            return false;
        };
        self.queue.push_back(Piece {
            item: item.clone(),
            audio: Duration::from_millis(u64::from(*audio_ms)),
            started: None,
        });
        self.queue.len() == 1
    }

    /// Nothing of it is played that is not playing already.
    pub(crate) fn drop_item(&mut self, item: &ItemId) {
        self.dropped.insert(item.clone());
        self.queue.retain(|piece| piece.item != *item);
    }

    /// Stops everything; what was played of each.
    pub(crate) fn cut(&mut self, now: Duration) -> Vec<(ItemId, u32)> {
        let played = |piece: &Piece| {
            let span = piece.started.map_or(Duration::ZERO, |at| now - at);
            u32::try_from(span.min(piece.audio).as_millis()).unwrap_or(0)
        };
        let cut = self.queue.drain(..);
        cut.map(|piece| (piece.item.clone(), played(&piece)))
            .collect()
    }
}
