//! What the participant says: the vendor names the utterances and writes their words, our own voice activity times them.
//!
//! The vendor's events come late and carry no clock that is ours, so a turn begins and ends where our voice activity heard
//! it begin and end. Words may come long after the answer to them, or never.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{ItemId, TurnNo};
use crate::time::Mono;

use super::playout::TEXT_MAX_BYTES;

/// How long before the vendor's news of speech our voice activity may have heard it begin.
const START_WITHIN: Duration = Duration::from_secs(2);

/// The same while a new link is given what was said before it was ready: media keeps ten seconds of that.
const START_WITHIN_LATE: Duration = Duration::from_secs(12);

/// Whether the link hears the participant as it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// It does.
    Now,
    /// It is given what was said while it was opened.
    Later,
}

/// How long the words of a turn may take after it ended, or after its last words. Transcripts take one or two seconds;
/// chosen by feel so that a slow one is not lost and a session is not held up.
pub(crate) const TRANSCRIPT_WAIT: Duration = Duration::from_secs(15);

/// Stretches of voice activity kept, and ended turns remembered. A turn needs the last few only.
const KEPT: usize = 16;

/// Turns without their words at once; the oldest is given up beyond that.
const OPEN_MAX: usize = 32;

/// How far the words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transcript {
    /// Awaited.
    Awaited,
    /// All there.
    Done,
    /// They will not come.
    Failed,
}

/// One utterance of the participant.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    /// The vendor's name of it.
    pub(crate) item: ItemId,
    /// Its number.
    pub(crate) turn: TurnNo,
    /// When it began.
    pub(crate) start: Mono,
    /// When the vendor said that it ended; none while it goes on.
    pub(crate) stopped: Option<Mono>,
    /// The place of its phase.
    pub(crate) phase: usize,
    /// Words so far.
    pub(crate) text: String,
    /// How far the words are.
    pub(crate) transcript: Transcript,
    /// When the words are given up.
    pub(crate) until: Option<Mono>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Mono,
    end: Option<Mono>,
}

/// Everything that the participant says and that is not written down yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speech {
    activity: VecDeque<Stretch>,
    open: Vec<Spoken>,
    over: VecDeque<ItemId>,
    last_start: Option<Mono>,
}

impl Speech {
    /// Our voice activity heard the participant begin.
    pub(crate) fn on_started(&mut self, at: Mono) {
        if self.activity.len() >= KEPT {
            self.activity.pop_front();
        }
        self.activity.push_back(Stretch {
            start: at,
            end: None,
        });
    }

    /// It heard the participant stop.
    pub(crate) fn on_ended(&mut self, at: Mono) {
        if let Some(last) = self.activity.back_mut().filter(|last| last.end.is_none()) {
            last.end = Some(at.max(last.start));
        }
    }

    /// The participant's audio is gone: whoever was speaking is not heard any more.
    pub(crate) fn on_lost(&mut self, now: Mono) {
        self.on_ended(now);
        self.stop_all(now);
    }

    /// Whether our voice activity hears the participant.
    pub(crate) fn is_active(&self) -> bool {
        self.activity.back().is_some_and(|last| last.end.is_none())
    }

    /// Whether our voice activity ever heard the participant.
    pub(crate) fn was_heard(&self) -> bool {
        !self.activity.is_empty()
    }

    /// Whether the vendor hears the participant.
    pub(crate) fn is_open(&self) -> bool {
        self.open.iter().any(|spoken| spoken.stopped.is_none())
    }

    /// Whether the vendor's utterance is known, or was and is over.
    pub(crate) fn knows(&self, item: &ItemId) -> bool {
        self.over.contains(item) || self.open.iter().any(|spoken| spoken.item == *item)
    }

    /// Begins a turn. Its start is the nearest one that our voice activity heard, if that is recent and not another turn's.
    /// A link that hears later is told of the oldest such speech first.
    pub(crate) fn begin(
        &mut self,
        now: Mono,
        item: ItemId,
        turn: TurnNo,
        phase: usize,
        hears: Hears,
    ) {
        let starts = || {
            let starts = self.activity.iter().map(|stretch| stretch.start);
            starts.filter(|start| *start <= now)
        };
        let is_free = |start: &Mono| self.last_start.is_none_or(|last| *start > last);
        let start = match hears {
            Hears::Now => starts()
                .next_back()
                .filter(|start| *start >= now - START_WITHIN && is_free(start)),
            Hears::Later => {
                starts().find(|start| *start >= now - START_WITHIN_LATE && is_free(start))
            }
        };
        let start = start.unwrap_or(now);
        self.last_start = Some(start);
        if self.open.len() >= OPEN_MAX
            && let Some(oldest) = self.open.first_mut()
        {
            oldest.transcript = Transcript::Failed;
            oldest.stopped.get_or_insert(now);
        }
        self.open.push(Spoken {
            item,
            turn,
            start,
            stopped: None,
            phase,
            text: String::new(),
            transcript: Transcript::Awaited,
            until: None,
        });
    }

    /// The vendor heard the end of a turn.
    pub(crate) fn stop(&mut self, now: Mono, item: &ItemId) {
        if let Some(spoken) = self.get(item).filter(|spoken| spoken.stopped.is_none()) {
            spoken.stopped = Some(now);
            spoken.until = Some(now + TRANSCRIPT_WAIT);
        }
    }

    /// Nobody will hear the end of these turns.
    pub(crate) fn stop_all(&mut self, now: Mono) {
        for spoken in self
            .open
            .iter_mut()
            .filter(|spoken| spoken.stopped.is_none())
        {
            spoken.stopped = Some(now);
            spoken.until = Some(now + TRANSCRIPT_WAIT);
        }
    }

    /// The words of open turns will not come any more.
    pub(crate) fn give_up(&mut self, now: Mono) {
        self.stop_all(now);
        for spoken in self
            .open
            .iter_mut()
            .filter(|spoken| spoken.transcript == Transcript::Awaited)
        {
            spoken.transcript = Transcript::Failed;
        }
    }

    /// Gives up the words that have been waited for long enough.
    pub(crate) fn give_up_overdue(&mut self, now: Mono) {
        for spoken in self
            .open
            .iter_mut()
            .filter(|spoken| spoken.until.is_some_and(|until| until <= now))
        {
            if spoken.transcript == Transcript::Awaited {
                spoken.transcript = Transcript::Failed;
            }
        }
    }

    /// When the first words must be given up.
    pub(crate) fn next_give_up(&self) -> Option<Mono> {
        self.open.iter().filter_map(|spoken| spoken.until).min()
    }

    /// Adds words to a turn.
    pub(crate) fn append(&mut self, now: Mono, item: &ItemId, words: &str) -> Option<&Spoken> {
        let spoken = self.get(item)?;
        if spoken.text.len().saturating_add(words.len()) <= TEXT_MAX_BYTES {
            spoken.text.push_str(words);
        }
        if spoken.stopped.is_some() {
            spoken.until = Some(now + TRANSCRIPT_WAIT);
        }
        Some(spoken)
    }

    /// Ends the words of a turn; none if they could not be understood.
    pub(crate) fn finish(&mut self, now: Mono, item: &ItemId, words: Option<String>) {
        let Some(spoken) = self.get(item) else { return };
        spoken.stopped.get_or_insert(now);
        match words {
            Some(text) => {
                spoken.text = text;
                spoken.transcript = Transcript::Done;
            }
            None => spoken.transcript = Transcript::Failed,
        }
    }

    /// Takes the first turn that is over and whose words came, or will not come.
    pub(crate) fn take_spoken(&mut self) -> Option<(Spoken, Mono)> {
        let place = self
            .open
            .iter()
            .position(|s| s.stopped.is_some() && s.transcript != Transcript::Awaited)?;
        let spoken = self.open.remove(place);
        if self.over.len() >= KEPT {
            self.over.pop_front();
        }
        self.over.push_back(spoken.item.clone());
        let end = self.end_of(&spoken);
        Some((spoken, end))
    }

    /// The end of a turn: where our voice activity last heard it, not where the vendor noticed the pause after it.
    fn end_of(&self, spoken: &Spoken) -> Mono {
        let stopped = spoken.stopped.unwrap_or(spoken.start).max(spoken.start);
        let heard = self
            .activity
            .iter()
            .rev()
            .find(|stretch| stretch.start < stopped)
            .and_then(|stretch| stretch.end);
        heard
            .filter(|end| *end > spoken.start)
            .map_or(stopped, |end| end.min(stopped))
    }

    fn get(&mut self, item: &ItemId) -> Option<&mut Spoken> {
        self.open.iter_mut().find(|spoken| spoken.item == *item)
    }
}
