//! What the model says: responses, their utterances, and what they leave to be done.

use crate::ids::{ItemId, ResponseId};
use crate::link::{FaultCategory, ResponseStatus};
use crate::session::{Output, Session, State, Timer};

use super::Change;
use super::links::{BACK_OFF, Hope};
use super::playout::{Sound, TEXT_MAX_BYTES, Utterance, Words};
use super::state::{Stage, Statement};
use super::talk::{Fate, Purpose, Reply, Response};

/// Requests for words after tool calls that bring none, in a row.
const WORDLESS_MAX: u32 = 5;

impl Session {
    pub(super) fn on_response_started(
        &mut self,
        id: ResponseId,
        tag: Option<u32>,
        out: &mut Vec<Output>,
    ) {
        self.timers.stop(Timer::Answer);
        let purpose = self.talk.begin(tag);
        if let Some(older) = self.talk.response.take() {
            self.playout
                .break_off(|utterance| utterance.response.as_ref() == Some(&older.id));
        }
        let welcome = match self.stage {
            Stage::Active => true,
            Stage::Closing { .. } => purpose == Some(Purpose::Closing),
            Stage::Invited
            | Stage::Waiting
            | Stage::Paused { .. }
            | Stage::Ended { .. }
            | Stage::Parked => false,
        };
        let response = Response {
            id,
            purpose,
            fate: Fate::Heard,
            utterances: 0,
            reply: Reply::Needless,
        };
        self.talk.response = Some(response);
        if !welcome {
            self.cancel_response(out);
        }
    }

    pub(super) fn on_utterance_started(
        &mut self,
        id: ResponseId,
        item: ItemId,
        out: &mut Vec<Output>,
    ) {
        let link = self.talk.link;
        // Words of a response that is over, or that was interrupted, are dropped by its name (providers.md, section 1.3).
        let (purpose, fate) = match self
            .talk
            .response
            .as_mut()
            .filter(|response| response.id == id)
        {
            Some(response) => {
                response.utterances = response.utterances.saturating_add(1);
                (response.purpose, response.fate)
            }
            None => (None, Fate::Dropped),
        };
        if let Some(known) = self.playout.get(&item) {
            if known.response.is_none() {
                known.response = Some(id);
                known.purpose = purpose;
            }
            return;
        }
        let over = self
            .talk
            .response
            .as_ref()
            .is_none_or(|response| response.id != id);
        if over || self.playout.is_over(&item) || !self.playout.has_room() {
            self.playout.forget(item.clone());
            out.push(Output::DropUtterance { item });
            return;
        }
        let sound = match fate {
            Fate::Heard => Sound::Waiting,
            Fate::Dropped => {
                out.push(Output::DropUtterance { item: item.clone() });
                Sound::Refused
            }
        };
        let (response, text, words) = (Some(id), String::new(), Words::Coming);
        self.playout.push(Utterance {
            link,
            item,
            response,
            purpose,
            text,
            words,
            sound,
        });
    }

    pub(super) fn on_utterance_delta(&mut self, item: &ItemId, text: &str, out: &mut Vec<Output>) {
        if let Some(utterance) = self
            .playout
            .get(item)
            .filter(|utterance| utterance.words == Words::Coming)
        {
            utterance.append(text);
            self.tell_interviewer(item, out);
        }
    }

    pub(super) fn on_utterance_done(
        &mut self,
        item: &ItemId,
        mut text: String,
        audio_ms: u32,
        out: &mut Vec<Output>,
    ) {
        let Some(utterance) = self
            .playout
            .get(item)
            .filter(|utterance| utterance.words == Words::Coming)
        else {
            return;
        };
        clamp(&mut text);
        if !text.is_empty() {
            utterance.text = text;
        }
        utterance.words = Words::Done { audio_ms };
        self.playout_moved = self.now;
        if utterance.sound == Sound::Refused {
            self.tell_model_heard(item, 0, out);
        } else {
            self.tell_interviewer(item, out);
        }
    }

    pub(super) fn on_response_done(
        &mut self,
        id: &ResponseId,
        status: ResponseStatus,
        out: &mut Vec<Output>,
    ) {
        let Some(response) = self.talk.response.take_if(|response| response.id == *id) else {
            return;
        };
        self.playout
            .break_off(|utterance| utterance.response.as_ref() == Some(id));
        self.playout_moved = self.now;
        if response.utterances > 0 {
            self.talk.wordless = 0;
        } else if response.purpose == Some(Purpose::Plain) {
            self.talk.wordless = self.talk.wordless.saturating_add(1);
        }
        match status {
            ResponseStatus::Completed => {
                self.talk.failures = 0;
                self.talk.tries = 0;
            }
            ResponseStatus::Incomplete => {}
            ResponseStatus::Interrupted => {
                // A vendor without turn events says only this when the participant spoke.
                if !self.capabilities.turn_events && response.fate == Fate::Heard {
                    self.interrupt(out);
                }
            }
            ResponseStatus::Failed { category, detail } => {
                self.write_fault(category, detail, out);
                if response.fate == Fate::Heard {
                    return self.on_refused(
                        category,
                        response.purpose.unwrap_or(Purpose::Plain),
                        out,
                    );
                }
            }
        }
        self.follow_up(&response, out);
    }

    /// What a response leaves to be done.
    fn follow_up(&mut self, response: &Response, out: &mut Vec<Output>) {
        if let Stage::Closing { statement, .. } = &mut self.stage {
            if response.purpose == Some(Purpose::Closing) {
                if response.utterances > 0 {
                    *statement = Statement::Said;
                } else {
                    self.on_refused(FaultCategory::Retryable, Purpose::Closing, out);
                }
            }
            return;
        }
        self.answer_calls(response.reply, response.utterances);
    }

    /// Wishes for words after tool calls, if nothing else will be said. A move that was accepted speaks for itself.
    pub(super) fn answer_calls(&mut self, reply: Reply, utterances: u32) {
        let moving = self.due.is_some_and(|due| due.change != Change::Nudge);
        let needed = reply == Reply::Always || (reply == Reply::IfSilent && utterances == 0);
        if needed && !moving && self.state() == State::Active && self.talk.wordless < WORDLESS_MAX {
            self.talk.want(Purpose::Plain);
        }
    }

    /// The model could not speak: asks again after a pause, a few times.
    pub(super) fn on_refused(
        &mut self,
        category: FaultCategory,
        purpose: Purpose,
        out: &mut Vec<Output>,
    ) {
        let pause = usize::try_from(self.talk.failures)
            .ok()
            .and_then(|failures| BACK_OFF.get(failures));
        let Some(pause) = pause.filter(|_| category != FaultCategory::Misconfigured) else {
            out.push(Output::CloseLink {
                link: self.talk.link,
            });
            return self.on_link_lost(
                category,
                "the vendor does not answer".to_owned(),
                Hope::Gone,
                out,
            );
        };
        self.talk.failures = self.talk.failures.saturating_add(1);
        self.timers.set(Timer::SayAgain, self.now + *pause);
        if self.state() != State::Paused {
            self.talk.want(purpose);
        }
    }
}

/// Holds text to the bound of an utterance.
pub(super) fn clamp(text: &mut String) {
    if text.len() > TEXT_MAX_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_MAX_BYTES));
    }
}
