//! What is heard: voice activity of the participant, playout of the interviewer, and one interrupting the other.

use crate::ids::ItemId;
use crate::journal::Entry;
use crate::link::{LinkCommand, Speaker};
use crate::session::{Notice, Output, Session, State, Timer};
use crate::time::Mono;

use super::care::is_own_line;
use super::playout::{Begun, Sound, Utterance, Words};
use super::talk::Fate;
use super::{journal, tell};

/// How long media may take to say how much was played of what was cut. It answers in the same batch; this is for
/// utterances whose audio never reached it. Chosen by feel.
const CUT_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// How much longer than its audio an utterance may take to play, and how long it may take to begin. Chosen by feel.
const PLAYOUT_SLACK: std::time::Duration = std::time::Duration::from_secs(5);

impl Session {
    pub(super) fn on_activity_started(&mut self, at: Mono, out: &mut Vec<Output>) {
        self.speech.on_started(at);
        self.latency.on_speech_started();
        self.break_silence();
        self.doubt_hearing();
        if !self.capabilities.turn_events {
            self.interrupt(out);
        }
        tell(
            Notice::Speaking {
                speaker: Speaker::Participant,
                speaking: true,
            },
            out,
        );
    }

    pub(super) fn on_activity_ended(&mut self, at: Mono, out: &mut Vec<Output>) {
        self.speech.on_ended(at);
        self.latency.on_speech_ended(at);
        self.break_silence();
        self.doubt_heard(at);
        if !self.capabilities.turn_events {
            self.latency.on_committed();
        }
        tell(
            Notice::Speaking {
                speaker: Speaker::Participant,
                speaking: false,
            },
            out,
        );
    }

    /// The participant speaks over the interviewer, who falls silent. Only in an interview: a closing statement is said
    /// to its end.
    pub(super) fn interrupt(&mut self, out: &mut Vec<Output>) {
        if self.state() != State::Active {
            return;
        }
        let was_on = self.playout.is_on();
        self.cut(out);
        if self.capabilities.turn_events {
            // The vendor interrupts by itself; what still arrives of that response nobody wants to hear.
            if let Some(response) = &mut self.talk.response {
                response.fate = Fate::Dropped;
            }
        } else if was_on {
            self.cancel_response(out);
        }
    }

    /// Stops the response in progress, if there is one, and hears nothing more of it.
    pub(super) fn cancel_response(&mut self, out: &mut Vec<Output>) {
        if let Some(response) = self
            .talk
            .response
            .as_mut()
            .filter(|response| response.fate == Fate::Heard)
        {
            response.fate = Fate::Dropped;
            out.push(Output::Link {
                link: self.talk.link,
                command: LinkCommand::Cancel,
            });
        }
    }

    /// Cuts what is playing or queued. How much was played, media will tell.
    pub(super) fn cut(&mut self, out: &mut Vec<Output>) {
        if !self.playout.is_on() {
            return;
        }
        out.push(Output::CutPlayout);
        let since = self.now;
        for utterance in self.playout.iter_mut() {
            let begun = match utterance.sound {
                Sound::Waiting => None,
                Sound::Playing(begun) => Some(begun),
                Sound::Cutting { .. } | Sound::Ended { .. } | Sound::Unheard | Sound::Refused => {
                    continue;
                }
            };
            utterance.sound = Sound::Cutting { begun, since };
            // A line of our own may still wait for the journal before it, and would be played after the cut.
            if utterance.words == Words::Coming || (begun.is_none() && is_own_line(&utterance.item))
            {
                out.push(Output::DropUtterance {
                    item: utterance.item.clone(),
                });
            }
        }
    }

    pub(super) fn on_playout_started(&mut self, item: &ItemId, at: Mono, out: &mut Vec<Output>) {
        if self.started.is_none() {
            return;
        }
        self.playout_moved = self.now;
        if self.playout.get(item).is_none() {
            // Sound and words come on two ways: this sound was faster than its first word.
            if self.playout.is_over(item) || !self.playout.has_room() {
                return;
            }
            self.playout.push(Utterance {
                link: self.talk.link,
                item: item.clone(),
                response: None,
                purpose: None,
                text: String::new(),
                words: Words::Coming,
                sound: Sound::Waiting,
            });
        }
        let begun = Begun {
            turn: self.turn_latest.next(),
            at,
            phase: self.phases.current(),
        };
        let Some(utterance) = self.playout.get(item) else {
            return;
        };
        match utterance.sound {
            Sound::Waiting => utterance.sound = Sound::Playing(begun),
            Sound::Cutting { begun: None, since } => {
                utterance.sound = Sound::Cutting {
                    begun: Some(begun),
                    since,
                }
            }
            Sound::Playing(_)
            | Sound::Cutting { begun: Some(_), .. }
            | Sound::Ended { .. }
            | Sound::Unheard
            | Sound::Refused => return,
        }
        self.turn_latest = begun.turn;
        tell(
            Notice::Speaking {
                speaker: Speaker::Interviewer,
                speaking: true,
            },
            out,
        );
        self.tell_interviewer(item, out);
    }

    /// What a person waited for is over only now: leading silence is no voice.
    pub(super) fn on_playout_audible(&mut self, item: &ItemId, at: Mono, out: &mut Vec<Output>) {
        if is_own_line(item) {
            return;
        }
        for (measure, ms) in self.latency.on_heard(at) {
            journal(Entry::Measured { measure, ms }, out);
            out.push(Output::Measure { measure, ms });
        }
    }

    pub(super) fn on_playout_ended(
        &mut self,
        item: &ItemId,
        at: Mono,
        played_ms: u32,
        cut: bool,
        out: &mut Vec<Output>,
    ) {
        let next = Begun {
            turn: self.turn_latest.next(),
            at: at - std::time::Duration::from_millis(u64::from(played_ms)),
            phase: self.phases.current(),
        };
        let Some(utterance) = self.playout.get(item) else {
            return;
        };
        let begun = match utterance.sound {
            Sound::Playing(begun)
            | Sound::Cutting {
                begun: Some(begun), ..
            } => begun,
            Sound::Waiting | Sound::Cutting { begun: None, .. } if played_ms > 0 => next,
            Sound::Waiting | Sound::Cutting { begun: None, .. } => {
                utterance.sound = Sound::Unheard;
                self.playout_moved = self.now;
                return self.tell_model_heard(item, 0, out);
            }
            Sound::Ended { .. } | Sound::Unheard | Sound::Refused => return,
        };
        utterance.sound = Sound::Ended {
            begun,
            at: at.max(begun.at),
            played_ms,
            cut,
        };
        if utterance.response.is_none() {
            utterance.words = Words::Broken;
        }
        self.turn_latest = self.turn_latest.max(begun.turn);
        self.playout_moved = self.now;
        if cut {
            self.tell_model_heard(item, played_ms, out);
        }
        if !self
            .playout
            .iter()
            .any(|utterance| matches!(utterance.sound, Sound::Playing(_)))
        {
            tell(
                Notice::Speaking {
                    speaker: Speaker::Interviewer,
                    speaking: false,
                },
                out,
            );
            // Who spoke over the interviewer and goes on is no echo: the vendor must have noticed.
            if self.speech.is_active() {
                self.doubt_hearing();
            }
        }
    }

    /// Tells the model how much of an utterance was heard, if the vendor can be told and it was not all of it. Truncation
    /// goes by audio played, never by the clock, and never beyond what was received (providers.md, section 1.3).
    pub(super) fn tell_model_heard(
        &mut self,
        item: &ItemId,
        played_ms: u32,
        out: &mut Vec<Output>,
    ) {
        let (link, can) = (
            self.talk.link,
            self.capabilities.truncation && self.talk.is_ready(),
        );
        let Some(utterance) = self
            .playout
            .get(item)
            .filter(|utterance| can && utterance.link == link)
        else {
            return;
        };
        if utterance.is_fully_played(played_ms) {
            return;
        }
        out.push(Output::Link {
            link,
            command: LinkCommand::Heard {
                item: item.clone(),
                played_ms,
            },
        });
    }

    /// Sends the words so far of an utterance that is being played.
    pub(super) fn tell_interviewer(&mut self, item: &ItemId, out: &mut Vec<Output>) {
        if let Some(utterance) = self.playout.get(item)
            && let Sound::Playing(begun) = utterance.sound
            && !utterance.text.is_empty()
        {
            let text = utterance.text.clone();
            tell(
                Notice::Caption {
                    turn: begun.turn,
                    speaker: Speaker::Interviewer,
                    text,
                    last: false,
                },
                out,
            );
        }
    }

    /// When media must have said more about the utterance at the front, if its words are over.
    pub(super) fn playout_deadline(&self) -> Option<Mono> {
        let front = self.playout.front()?;
        let over = front.words != Words::Coming || front.response.is_none();
        match front.sound {
            Sound::Cutting { since, .. } => Some(since + CUT_WAIT),
            Sound::Playing(begun) if over => {
                let audio = std::time::Duration::from_millis(u64::from(front.audio_ms()));
                Some((begun.at + audio).max(self.playout_moved) + PLAYOUT_SLACK)
            }
            Sound::Waiting if over => Some(self.playout_moved + PLAYOUT_SLACK),
            Sound::Waiting
            | Sound::Playing(_)
            | Sound::Ended { .. }
            | Sound::Unheard
            | Sound::Refused => None,
        }
    }

    /// Media did not say what became of the utterance at the front: takes it to be over.
    pub(super) fn on_playout_overdue(&mut self, out: &mut Vec<Output>) {
        let Some(front) = self.playout.front() else {
            return;
        };
        let (item, sound, audio_ms) = (front.item.clone(), front.sound, front.audio_ms());
        match sound {
            Sound::Waiting => {
                out.push(Output::DropUtterance { item: item.clone() });
                self.on_playout_ended(&item, self.now, 0, false, out);
            }
            Sound::Playing(_) => self.on_playout_ended(&item, self.now, audio_ms, false, out),
            Sound::Cutting { begun: None, since } => {
                self.on_playout_ended(&item, since, 0, true, out)
            }
            Sound::Cutting {
                begun: Some(begun),
                since,
            } => {
                let played = u32::try_from(since.since(begun.at).as_millis())
                    .unwrap_or(u32::MAX)
                    .min(audio_ms);
                self.on_playout_ended(&item, since, played, true, out);
            }
            Sound::Ended { .. } | Sound::Unheard | Sound::Refused => {}
        }
    }

    /// Whether the participant is speaking, as whoever answers sees it: the vendor if it has turn events.
    pub(super) fn is_participant_speaking(&self) -> bool {
        self.speech.is_open() || (!self.capabilities.turn_events && self.speech.is_active())
    }

    pub(super) fn watch_playout(&mut self) {
        match self.playout_deadline() {
            Some(at) => self.timers.set(Timer::Playout, at),
            None => self.timers.stop(Timer::Playout),
        }
    }
}
