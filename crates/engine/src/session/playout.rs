//! What the interviewer says, from the first word that the model writes to the last sample that is played.
//!
//! Words and sound arrive on different ways and in any order. An utterance becomes a turn when its sound began, and the
//! turn is complete when both its words and its sound are over.

use std::collections::VecDeque;

use crate::ids::{ItemId, LinkNo, ResponseId, TurnNo};
use crate::time::Mono;

use super::talk::Purpose;

/// Utterances kept at once. A response has one or a few; more than this is a vendor gone mad, and is not played.
pub(crate) const UTTERANCES_MAX: usize = 64;

/// Bytes of text kept of one utterance. A minute of speech has about a thousand.
pub(crate) const TEXT_MAX_BYTES: usize = 32 * 1_024;

/// Names remembered of utterances that are over.
const OVER_KEPT: usize = 32;

/// Characters spoken in a second, to estimate the length of audio that nobody has told us: about 150 words a minute.
const CHARS_PER_SECOND: u64 = 15;

/// How far the words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// More may come.
    Coming,
    /// All there, and all audio handed over.
    Done {
        /// Its audio, in milliseconds.
        audio_ms: u32,
    },
    /// The response or the link ended first: no more will come.
    Broken,
}

/// When and where a turn began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its number.
    pub(crate) turn: TurnNo,
    /// When.
    pub(crate) at: Mono,
    /// The place of its phase.
    pub(crate) phase: usize,
}

/// How far the sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sound {
    /// Not begun.
    Waiting,
    /// Being played.
    Playing(Begun),
    /// Cut; media has yet to say how much was played.
    Cutting {
        /// Its beginning, if it had begun.
        begun: Option<Begun>,
        /// When it was cut.
        since: Mono,
    },
    /// Over.
    Ended {
        /// Its beginning.
        begun: Begun,
        /// When the last of it was played.
        at: Mono,
        /// Milliseconds played.
        played_ms: u32,
        /// Whether it was cut.
        cut: bool,
    },
    /// Never played, and never will be.
    Unheard,
    /// Not wanted when it arrived: the model is told that nobody heard it once its words are complete.
    Refused,
}

/// One utterance of the interviewer.
#[derive(Clone, Debug)]
pub(crate) struct Utterance {
    /// The link that it came from.
    pub(crate) link: LinkNo,
    /// Its name.
    pub(crate) item: ItemId,
    /// The response that it belongs to; none if its sound came before its first word.
    pub(crate) response: Option<ResponseId>,
    /// What the response was for.
    pub(crate) purpose: Option<Purpose>,
    /// Words so far.
    pub(crate) text: String,
    /// How far the words are.
    pub(crate) words: Words,
    /// How far the sound is.
    pub(crate) sound: Sound,
}

impl Utterance {
    /// Whether its sound is still to come, or is not known to be over.
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.sound,
            Sound::Waiting | Sound::Playing(_) | Sound::Cutting { .. }
        )
    }

    /// The length of its audio in milliseconds: as told, or estimated from its words.
    pub(crate) fn audio_ms(&self) -> u32 {
        if let Words::Done { audio_ms } = self.words {
            return audio_ms;
        }
        let chars = u64::try_from(self.text.chars().count()).unwrap_or(u64::MAX);
        u32::try_from(chars.saturating_mul(1_000) / CHARS_PER_SECOND).unwrap_or(u32::MAX)
    }

    /// Whether all of it was played, as far as is known.
    pub(crate) fn is_fully_played(&self, played_ms: u32) -> bool {
        matches!(self.words, Words::Done { audio_ms } if played_ms >= audio_ms)
    }

    /// Adds words, up to a bound.
    pub(crate) fn append(&mut self, words: &str) {
        if self.text.len().saturating_add(words.len()) <= TEXT_MAX_BYTES {
            self.text.push_str(words);
        }
    }
}

/// The utterances that are not over yet, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Playout {
    queue: Vec<Utterance>,
    /// Names of the latest utterances that are over or were dropped, so that a late report does not revive one.
    over: VecDeque<ItemId>,
}

/// What ends a question, in Latin, Chinese and Japanese, and Arabic writing.
const QUESTION_MARKS: [char; 3] = ['?', '？', '؟'];

impl Playout {
    /// Whether nothing is playing, queued or being cut.
    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.iter().any(Utterance::is_live)
    }

    /// Whether something could be cut: it is playing or queued.
    pub(crate) fn is_on(&self) -> bool {
        self.queue
            .iter()
            .any(|u| matches!(u.sound, Sound::Waiting | Sound::Playing(_)))
    }

    /// Whether a whole question is being played, and nothing follows it.
    pub(crate) fn asks(&self) -> bool {
        let mut live = self.queue.iter().filter(|u| u.is_live());
        live.next().is_some_and(|u| {
            matches!(
                (&u.sound, &u.words),
                (Sound::Playing(_), Words::Done { .. })
            ) && u.text.trim_end().ends_with(QUESTION_MARKS)
        }) && live.next().is_none()
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < UTTERANCES_MAX
    }

    /// Adds an utterance.
    pub(crate) fn push(&mut self, utterance: Utterance) {
        self.queue.push(utterance);
    }

    /// The utterance of that name.
    pub(crate) fn get(&mut self, item: &ItemId) -> Option<&mut Utterance> {
        self.queue
            .iter_mut()
            .find(|utterance| utterance.item == *item)
    }

    /// All utterances.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Utterance> {
        self.queue.iter()
    }

    /// All utterances, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Utterance> {
        self.queue.iter_mut()
    }

    /// The words of these are over, whether they were complete or not.
    pub(crate) fn break_off(&mut self, which: impl Fn(&Utterance) -> bool) {
        for utterance in self
            .queue
            .iter_mut()
            .filter(|u| u.words == Words::Coming && which(u))
        {
            utterance.words = Words::Broken;
        }
    }

    /// Takes the first utterance that is over, in words and in sound, and was heard. Those never heard are forgotten.
    pub(crate) fn take_spoken(&mut self) -> Option<Utterance> {
        if self.queue.is_empty() {
            return None;
        }
        for utterance in &mut self.queue {
            if utterance.sound == Sound::Waiting && utterance.words == (Words::Done { audio_ms: 0 })
            {
                utterance.sound = Sound::Unheard;
            }
        }
        while let Some(place) = self.queue.iter().position(|u| {
            u.words != Words::Coming && matches!(u.sound, Sound::Unheard | Sound::Refused)
        }) {
            let unheard = self.queue.remove(place);
            self.forget(unheard.item);
        }
        let place = self
            .queue
            .iter()
            .position(|u| u.words != Words::Coming && matches!(u.sound, Sound::Ended { .. }))?;
        let spoken = self.queue.remove(place);
        self.forget(spoken.item.clone());
        Some(spoken)
    }

    /// Whether an utterance is over or was dropped.
    pub(crate) fn is_over(&self, item: &ItemId) -> bool {
        self.over.contains(item)
    }

    /// Notes that an utterance is over, or will not be played.
    pub(crate) fn forget(&mut self, item: ItemId) {
        if self.over.len() >= OVER_KEPT {
            self.over.pop_front();
        }
        self.over.push_back(item);
    }

    /// Takes everything; the session is over.
    pub(crate) fn take_all(&mut self) -> Vec<Utterance> {
        std::mem::take(&mut self.queue)
    }

    /// Who is at the front: playing, being cut, or next.
    pub(crate) fn front(&self) -> Option<&Utterance> {
        self.queue
            .iter()
            .find(|u| matches!(u.sound, Sound::Playing(_) | Sound::Cutting { .. }))
            .or_else(|| self.queue.iter().find(|u| u.sound == Sound::Waiting))
    }
}

/// Splits what was generated into what was heard and what was not.
///
/// An estimate: nobody says at which millisecond which word is spoken, so words are taken to be spread evenly over the
/// audio, and a word that was not finished was not heard. Text without spaces (Japanese) is split between characters.
pub(crate) fn split_heard(text: &str, played_ms: u32, audio_ms: u32) -> (String, String) {
    if played_ms >= audio_ms {
        return (text.to_owned(), String::new());
    }
    let chars = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let heard = chars.saturating_mul(u64::from(played_ms)) / u64::from(audio_ms.max(1));
    let heard = usize::try_from(heard).unwrap_or(usize::MAX);
    let end = text
        .char_indices()
        .nth(heard)
        .map_or(text.len(), |(place, _)| place);
    let (before, after) = text.split_at(end);
    let at_boundary = after.starts_with(char::is_whitespace) || after.is_empty();
    let cut = if at_boundary || !text.contains(char::is_whitespace) {
        end
    } else {
        before.rfind(char::is_whitespace).unwrap_or(0)
    };
    let (heard, unheard) = text.split_at(cut);
    (heard.trim_end().to_owned(), unheard.trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, played_ms: u32, audio_ms: u32, heard: &str, unheard: &str) {
        assert_eq!(
            split_heard(text, played_ms, audio_ms),
            (heard.to_owned(), unheard.to_owned()),
            "{played_ms} ms"
        );
    }

    #[test]
    fn a_word_that_was_not_finished_was_not_heard() {
        let text = "Tell me about meetings";
        check(text, 0, 2_200, "", text);
        check(text, 300, 2_200, "", text);
        check(text, 400, 2_200, "Tell", "me about meetings");
        check(text, 600, 2_200, "Tell", "me about meetings");
        check(text, 700, 2_200, "Tell me", "about meetings");
        check(text, 2_199, 2_200, "Tell me about", "meetings");
        check(text, 2_200, 2_200, text, "");
        check(text, 9_999, 2_200, text, "");
    }

    #[test]
    fn text_without_spaces_is_split_between_characters() {
        check("ありがとう", 500, 1_000, "あり", "がとう");
    }

    #[test]
    fn empty_text_and_empty_audio_are_no_trouble() {
        check("", 0, 0, "", "");
        check("word", 0, 0, "word", "");
        check("", 5, 10, "", "");
    }
}
