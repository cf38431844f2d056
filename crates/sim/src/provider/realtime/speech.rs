//! An utterance of the interviewer on its way out: audio in small pieces, its words a little ahead of them.

use std::sync::Arc;

use super::items::Word;
use crate::provider::config::Delivery;

/// Samples in a millisecond at 24 kHz.
const PER_MS: usize = 24;

/// Audio in one delta: 100 ms.
const DELTA_SAMPLES: usize = 2400;

/// Quiet between two sentences, besides the quiet at the ends of the recordings. Chosen by feel.
const GAP_MS: usize = 120;

/// Speech that is being sent.
#[derive(Debug)]
pub(super) struct Speech {
    /// Whether its item was announced.
    pub(super) begun: bool,
    /// Its item, once announced.
    pub(super) item: String,
    /// Its place in the response.
    pub(super) output_index: usize,
    /// Its words, each with its spaces, so that together they are the text.
    pub(super) words: Vec<Word>,
    /// The words sent so far.
    pub(super) text: String,
    pcm: Vec<i16>,
    sent: usize,
    words_sent: usize,
    begin_ms: u64,
}

impl Speech {
    /// Sentences with a recording each.
    pub(super) fn new(say: &[String], recordings: &[Arc<[i16]>], begin_ms: u64) -> Speech {
        let (mut pcm, mut words): (Vec<i16>, Vec<Word>) = (Vec::new(), Vec::new());
        for (index, text) in say.iter().enumerate() {
            if index > 0 {
                pcm.resize(pcm.len() + GAP_MS * PER_MS, 0);
            }
            let start_ms = pcm.len() / PER_MS;
            pcm.extend_from_slice(recordings.get(index).map_or(&[][..], |recording| recording));
            let end_ms = pcm.len() / PER_MS;
            let lead = if index > 0 { " " } else { "" };
            words.extend(timed(&format!("{lead}{text}"), start_ms, end_ms));
        }
        Speech {
            begun: false,
            item: String::new(),
            output_index: 0,
            words,
            text: String::new(),
            pcm,
            sent: 0,
            words_sent: 0,
            begin_ms,
        }
    }

    /// Sentences that are written, not spoken.
    pub(super) fn silent(say: &[String], begin_ms: u64) -> Speech {
        Speech::new(say, &[], begin_ms)
    }

    /// When the next piece is due.
    pub(super) fn due_ms(&self, delivery: Delivery) -> u64 {
        match delivery {
            Delivery::AtOnce => self.begin_ms,
            Delivery::TimesRealTime(times) => {
                self.begin_ms + self.sent_ms() / u64::from(times.max(1))
            }
        }
    }

    /// How much audio was sent.
    pub(super) fn sent_ms(&self) -> u64 {
        (self.sent / PER_MS) as u64
    }

    /// The words that belong to the next piece of audio: those that begin in it; all that are left with the last piece.
    pub(super) fn next_words(&mut self) -> String {
        let until = self.sent + DELTA_SAMPLES;
        let until_ms = if until >= self.pcm.len() {
            u64::MAX
        } else {
            (until / PER_MS) as u64
        };
        let rest = &self.words[self.words_sent..];
        let count = rest
            .iter()
            .take_while(|word| word.start_ms < until_ms)
            .count();
        let words: String = rest[..count]
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        self.words_sent += count;
        self.text.push_str(&words);
        words
    }

    /// The next piece of audio.
    pub(super) fn next_audio(&mut self) -> &[i16] {
        let begin = self.sent;
        self.sent = (begin + DELTA_SAMPLES).min(self.pcm.len());
        &self.pcm[begin..self.sent]
    }

    /// Whether anything is left.
    pub(super) fn has_more(&self) -> bool {
        self.sent < self.pcm.len()
    }
}

/// Words of a sentence, spread over its recording by their length: close enough to tell which were heard. Text without spaces is split
/// into single characters.
fn timed(text: &str, start_ms: usize, end_ms: usize) -> Vec<Word> {
    let total = text.chars().count().max(1);
    let at = |chars: usize| (start_ms + (end_ms - start_ms) * chars / total) as u64;
    let mut words: Vec<Word> = Vec::new();
    for (index, c) in text.chars().enumerate() {
        let spoken_alone = c >= '\u{3040}';
        let begins = c.is_whitespace() || spoken_alone;
        match words.last_mut() {
            Some(word) if !begins || (word.text.trim().is_empty() && !spoken_alone) => {
                word.text.push(c);
                word.end_ms = at(index + 1);
            }
            _ => words.push(Word {
                text: c.to_string(),
                start_ms: at(index),
                end_ms: at(index + 1),
            }),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(say: &[&str], ms: usize) -> Speech {
        let say: Vec<String> = say.iter().map(|text| (*text).to_owned()).collect();
        let recordings: Vec<Arc<[i16]>> = say.iter().map(|_| vec![1; ms * PER_MS].into()).collect();
        Speech::new(&say, &recordings, 0)
    }

    #[test]
    fn all_words_and_all_audio_are_sent_and_together_are_the_text() {
        let mut speech = speech(&["I see.", "Where do you usually work?"], 730);
        let (mut words, mut audio) = (String::new(), 0);
        while speech.has_more() {
            words += &speech.next_words();
            audio += speech.next_audio().len();
        }
        assert_eq!(words, "I see. Where do you usually work?");
        assert_eq!(speech.text, words);
        assert_eq!(audio, (730 * 2 + GAP_MS) * PER_MS);
    }

    #[test]
    fn words_stand_near_where_they_are_heard() {
        let speech = speech(&["one two three four"], 1800);
        let starts: Vec<u64> = speech.words.iter().map(|word| word.start_ms).collect();
        assert_eq!(starts, [0, 300, 700, 1300]);
    }

    #[test]
    fn a_text_without_spaces_is_told_character_by_character() {
        let speech = speech(&["会議は。"], 400);
        assert_eq!(
            speech
                .words
                .iter()
                .map(|word| word.text.as_str())
                .collect::<Vec<_>>(),
            ["会", "議", "は。"]
        );
    }

    #[test]
    fn pieces_are_due_as_many_times_faster_as_configured() {
        let mut speech = speech(&["one two"], 1000);
        speech.next_audio();
        speech.next_audio();
        assert_eq!(
            (
                speech.due_ms(Delivery::TimesRealTime(4)),
                speech.due_ms(Delivery::AtOnce)
            ),
            (50, 0)
        );
    }
}
