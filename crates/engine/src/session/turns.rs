//! Turn assembly: writes down what was said and heard, once it is complete.

use std::time::Duration;

use crate::journal::{Entry, Turn, TurnEnding};
use crate::link::Speaker;
use crate::session::{Notice, Output, Session};
use crate::time::Mono;

use super::care::is_own_line;
use super::playout::{Sound, Utterance, Words, split_heard};
use super::speech::{Spoken, Transcript};
use super::{Remembered, journal, tell};

impl Session {
    /// Writes down every turn that is complete.
    pub(super) fn commit_turns(&mut self, out: &mut Vec<Output>) {
        while let Some((spoken, end)) = self.speech.take_spoken() {
            self.commit_participant(spoken, end, out);
        }
        while let Some(utterance) = self.playout.take_spoken() {
            self.commit_interviewer(utterance, TurnEnding::Interrupted, out);
        }
    }

    /// Writes down what is left; the session is over. Nobody says any more how much of it was played.
    pub(super) fn commit_rest(&mut self, out: &mut Vec<Output>) {
        self.speech.give_up(self.now);
        self.commit_turns(out);
        for mut utterance in self.playout.take_all() {
            let (begun, end) = match utterance.sound {
                Sound::Playing(begun) => (begun, self.now),
                Sound::Cutting {
                    begun: Some(begun),
                    since,
                } => (begun, since),
                Sound::Ended { begun, at, .. } => (begun, at),
                Sound::Waiting
                | Sound::Cutting { begun: None, .. }
                | Sound::Unheard
                | Sound::Refused => continue,
            };
            if let Sound::Playing(_) | Sound::Cutting { .. } = utterance.sound {
                let elapsed = u32::try_from(end.since(begun.at).as_millis()).unwrap_or(u32::MAX);
                let played_ms = elapsed.min(utterance.audio_ms());
                let at = begun.at + Duration::from_millis(u64::from(played_ms));
                utterance.sound = Sound::Ended {
                    begun,
                    at,
                    played_ms,
                    cut: true,
                };
            }
            self.commit_interviewer(utterance, TurnEnding::Abandoned, out);
        }
    }

    fn commit_participant(&mut self, spoken: Spoken, end: Mono, out: &mut Vec<Output>) {
        let ending = match spoken.transcript {
            Transcript::Done => TurnEnding::Complete,
            Transcript::Awaited | Transcript::Failed => TurnEnding::Abandoned,
        };
        let turn = Turn {
            turn: spoken.turn,
            speaker: Speaker::Participant,
            item: spoken.item,
            phase: self.phase_id(spoken.phase),
            start_ms: self.timeline_ms(spoken.start),
            end_ms: self.timeline_ms(end.max(spoken.start)),
            text: spoken.text,
            unheard: String::new(),
            ending,
        };
        self.write_turn(turn, out);
    }

    /// `short` is how the turn ended if it was cut.
    fn commit_interviewer(
        &mut self,
        utterance: Utterance,
        short: TurnEnding,
        out: &mut Vec<Output>,
    ) {
        let Sound::Ended {
            begun,
            at,
            played_ms,
            cut,
        } = utterance.sound
        else {
            return;
        };
        let whole = !cut || utterance.is_fully_played(played_ms);
        let (text, unheard) = if whole {
            (utterance.text, String::new())
        } else {
            let audio_ms = match utterance.words {
                Words::Done { audio_ms } => audio_ms,
                Words::Coming | Words::Broken => utterance.audio_ms().max(played_ms),
            };
            split_heard(&utterance.text, played_ms, audio_ms)
        };
        let turn = Turn {
            turn: begun.turn,
            speaker: Speaker::Interviewer,
            item: utterance.item,
            phase: self.phase_id(begun.phase),
            start_ms: self.timeline_ms(begun.at),
            end_ms: self.timeline_ms(at),
            text,
            unheard,
            ending: if whole { TurnEnding::Complete } else { short },
        };
        self.write_turn(turn, out);
    }

    fn write_turn(&mut self, turn: Turn, out: &mut Vec<Output>) {
        if !turn.text.is_empty() && !is_own_line(&turn.item) {
            self.history.push(Remembered {
                start_ms: turn.start_ms,
                turn: turn.turn,
                speaker: turn.speaker,
                text: turn.text.clone(),
            });
        }
        let (no, speaker, text) = (turn.turn, turn.speaker, turn.text.clone());
        journal(Entry::Turn(turn), out);
        tell(
            Notice::Caption {
                turn: no,
                speaker,
                text,
                last: true,
            },
            out,
        );
    }

    /// Who was heard last, as far as it is written down.
    pub(super) fn last_speaker(&self) -> Option<Speaker> {
        self.history
            .iter()
            .max_by_key(|turn| (turn.start_ms, turn.turn))
            .map(|turn| turn.speaker)
    }

    /// The conversation so far in speech order, heard parts only, for a link that is opened again. What is being played
    /// at this moment counts as heard: nothing cuts it but the participant, and then there is more to tell anyway.
    pub(super) fn conversation(&self) -> Vec<(Speaker, String)> {
        let playing = self
            .playout
            .iter()
            .filter_map(|utterance| match utterance.sound {
                Sound::Playing(begun) if !utterance.text.is_empty() => Some(Remembered {
                    start_ms: self.timeline_ms(begun.at),
                    turn: begun.turn,
                    speaker: Speaker::Interviewer,
                    text: utterance.text.clone(),
                }),
                Sound::Playing(_)
                | Sound::Waiting
                | Sound::Cutting { .. }
                | Sound::Ended { .. }
                | Sound::Unheard
                | Sound::Refused => None,
            });
        let mut turns: Vec<Remembered> = self.history.iter().cloned().chain(playing).collect();
        turns.sort_by_key(|turn| (turn.start_ms, turn.turn));
        turns
            .into_iter()
            .map(|turn| (turn.speaker, turn.text))
            .collect()
    }
}
