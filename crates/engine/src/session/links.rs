//! The provider's side: a link is opened, talks, and is opened again when it is lost.
//!
//! There is one way back, whatever the reason: a new link with the current phase's instructions and the conversation as
//! text. A planned recycle and a stalled vendor take it too.

use std::time::Duration;

use crate::cost::Usage;
use crate::ids::{ItemId, LinkNo, ResponseId};
use crate::journal::{Entry, Outcome};
use crate::link::{FaultCategory, LinkEvent, ResponseStatus, Speaker};
use crate::session::{Notice, Output, Session, State, Timer};

use super::ending::Manner;
use super::meter::Budget;
use super::playout::{Sound, TEXT_MAX_BYTES, Utterance, Words};
use super::state::{Stage, Statement};
use super::talk::{Fate, Purpose, Reply, Response, Standing};
use super::{Change, journal, prompt, tell};

/// How long a link may take to get ready. A cold connection takes one or two seconds; chosen by feel.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// Pauses before a link is opened again, and before a refused request is made again. As many tries as there are pauses.
const BACK_OFF: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// How long a link that was asked for speech, or is speaking, may say nothing. Words come several times a second; chosen
/// by feel.
const STALL: Duration = Duration::from_secs(20);

/// How long the vendor may take to begin its own answer after a turn. It begins at once; chosen by feel.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Requests for words after tool calls that bring none, in a row.
const WORDLESS_MAX: u32 = 5;

/// Faults of a session that are written down.
const FAULTS_MAX: u32 = 100;

impl Session {
    /// Opens the next link.
    pub(super) fn open_link(&mut self, out: &mut Vec<Output>) {
        self.talk.link = self.talk.link.next();
        self.talk.standing = Standing::Opening;
        self.talk.instructed = self.phases.version();
        self.timers.set(Timer::LinkOpen, self.now + OPEN_WITHIN);
        let config = prompt::config(&self.plan, &self.phases, self.conversation());
        out.push(Output::OpenLink {
            link: self.talk.link,
            config,
        });
    }

    pub(super) fn on_link(&mut self, link: LinkNo, event: LinkEvent, out: &mut Vec<Output>) {
        if let LinkEvent::Used(usage) = &event {
            // Money is spent whichever link spent it.
            if link <= self.talk.link {
                self.charge(usage, out);
            }
            return;
        }
        if link != self.talk.link || !self.talk.is_open() {
            self.stale_facts = self.stale_facts.saturating_add(1);
            return;
        }
        self.link_moved = self.now;
        match event {
            LinkEvent::Ready { vendor_id } => self.on_ready(vendor_id, out),
            LinkEvent::SpeechStarted { item } => self.on_speech_started(item, out),
            LinkEvent::SpeechStopped { item } => self.on_speech_stopped(&item),
            LinkEvent::SpeechCommitted { item } => self.on_speech_committed(item),
            LinkEvent::TranscriptDelta { item, text } => self.on_transcript_delta(item, &text, out),
            LinkEvent::TranscriptDone { item, text } => self.on_transcript_over(item, Some(text)),
            LinkEvent::TranscriptFailed { item, reason: _ } => self.on_transcript_over(item, None),
            LinkEvent::ResponseStarted { response, tag } => {
                self.on_response_started(response, tag, out)
            }
            LinkEvent::UtteranceStarted { response, item } => {
                self.on_utterance_started(response, item, out)
            }
            LinkEvent::UtteranceDelta { item, text } => self.on_utterance_delta(&item, &text, out),
            LinkEvent::UtteranceDone {
                item,
                text,
                audio_ms,
            } => self.on_utterance_done(&item, text, audio_ms, out),
            LinkEvent::ToolCalled {
                call,
                name,
                arguments,
            } => self.on_tool_called(call, &name, &arguments, out),
            LinkEvent::ResponseDone { response, status } => {
                self.on_response_done(&response, status, out)
            }
            LinkEvent::Used(_) => {}
            LinkEvent::Fault { category, detail } => self.on_fault(category, detail, out),
            LinkEvent::Gone { category, detail } => self.on_gone(category, detail, out),
        }
    }

    fn on_ready(&mut self, vendor_id: String, out: &mut Vec<Output>) {
        if self.talk.standing != Standing::Opening {
            return;
        }
        self.talk.standing = Standing::Ready;
        self.timers.stop(Timer::LinkOpen);
        self.meter.on_link_ready(self.now);
        journal(
            Entry::LinkUp {
                link: self.talk.link,
                vendor_id,
            },
            out,
        );
        match self.state() {
            State::Waiting => {
                // The participant has the whole time from here on, but only once: a link that comes and goes holds nobody.
                if self.talk.tries == 0 && self.timers.get(Timer::Join).is_some() {
                    self.timers
                        .set(Timer::Join, self.now + self.plan.limits.join);
                }
                self.begin_if_ready(out);
            }
            State::Active => self.go_on(),
            State::Invited | State::Paused | State::Closing | State::Ended => {}
        }
    }

    fn on_speech_started(&mut self, item: ItemId, out: &mut Vec<Output>) {
        self.begin_turn(item);
        self.break_silence();
        self.interrupt(out);
    }

    fn on_speech_stopped(&mut self, item: &ItemId) {
        self.speech.stop(self.now, item);
        self.break_silence();
        self.await_answer();
    }

    fn on_speech_committed(&mut self, item: ItemId) {
        self.begin_turn(item.clone());
        self.speech.stop(self.now, &item);
        self.latency.on_committed();
        self.await_answer();
        if self.capabilities.turn_events {
            self.talk.supersede();
        }
    }

    /// The vendor is about to answer; whatever else is to be said would collide with that.
    fn await_answer(&mut self) {
        if self.capabilities.turn_events {
            self.talk.answering = true;
            self.timers.set(Timer::Answer, self.now + ANSWER_WITHIN);
        }
    }

    fn begin_turn(&mut self, item: ItemId) {
        if !self.speech.knows(&item) {
            let turn = self.next_turn();
            self.speech
                .begin(self.now, item, turn, self.phases.current());
        }
    }

    fn on_transcript_delta(&mut self, item: ItemId, text: &str, out: &mut Vec<Output>) {
        self.begin_turn(item.clone());
        if let Some(spoken) = self.speech.append(self.now, &item, text) {
            let (turn, text) = (spoken.turn, spoken.text.clone());
            tell(
                Notice::Caption {
                    turn,
                    speaker: Speaker::Participant,
                    text,
                    last: false,
                },
                out,
            );
        }
    }

    fn on_transcript_over(&mut self, item: ItemId, mut words: Option<String>) {
        self.begin_turn(item.clone());
        if let Some(text) = &mut words {
            clamp(text);
        }
        self.speech.finish(self.now, &item, words);
    }

    fn on_response_started(&mut self, id: ResponseId, tag: Option<u32>, out: &mut Vec<Output>) {
        self.timers.stop(Timer::Answer);
        let purpose = self.talk.begin(tag);
        if let Some(older) = self.talk.response.take() {
            self.playout
                .break_off(|utterance| utterance.response.as_ref() == Some(&older.id));
        }
        let welcome = match self.stage {
            Stage::Active => true,
            Stage::Closing { .. } => purpose == Some(Purpose::Closing),
            Stage::Invited | Stage::Waiting | Stage::Paused { .. } | Stage::Ended { .. } => false,
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

    fn on_utterance_started(&mut self, id: ResponseId, item: ItemId, out: &mut Vec<Output>) {
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
        if over || !self.playout.has_room() {
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

    fn on_utterance_delta(&mut self, item: &ItemId, text: &str, out: &mut Vec<Output>) {
        if let Some(utterance) = self
            .playout
            .get(item)
            .filter(|utterance| utterance.words == Words::Coming)
        {
            utterance.append(text);
            self.tell_interviewer(item, out);
        }
    }

    fn on_utterance_done(
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

    fn on_response_done(&mut self, id: &ResponseId, status: ResponseStatus, out: &mut Vec<Output>) {
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

    fn charge(&mut self, usage: &Usage, out: &mut Vec<Output>) {
        if usage.is_empty() {
            return;
        }
        let charges = self.meter.charge(&self.plan, usage);
        journal(Entry::Charged { charges }, out);
        tell(
            Notice::Cost {
                micro_usd: self.meter.cost().0,
            },
            out,
        );
        if self.is_interviewing() && self.meter.budget(&self.plan) == Budget::Spent {
            self.close(Outcome::Budget, Manner::Gently, out);
        }
    }

    /// Charges the time of an open link, where the vendor bills that.
    pub(super) fn charge_time(&mut self, out: &mut Vec<Output>) {
        let usage = self.meter.count_time(self.now);
        self.charge(&usage, out);
    }

    fn on_fault(&mut self, category: FaultCategory, detail: String, out: &mut Vec<Output>) {
        self.write_fault(category, detail, out);
        // A refused request never begins (providers.md, section 1.3). A benign fault is a race that `Talk` knows of.
        if category != FaultCategory::Benign
            && let Some(asked) = self.talk.asked.take()
        {
            self.on_refused(category, asked.purpose, out);
        }
    }

    fn write_fault(&mut self, category: FaultCategory, detail: String, out: &mut Vec<Output>) {
        if self.faults < FAULTS_MAX {
            self.faults = self.faults.saturating_add(1);
            journal(
                Entry::LinkFault {
                    link: self.talk.link,
                    category,
                    detail,
                },
                out,
            );
        }
    }

    /// The model could not speak: asks again after a pause, a few times.
    fn on_refused(&mut self, category: FaultCategory, purpose: Purpose, out: &mut Vec<Output>) {
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

    pub(super) fn on_gone(
        &mut self,
        category: FaultCategory,
        detail: String,
        out: &mut Vec<Output>,
    ) {
        let hope = if category == FaultCategory::Misconfigured {
            Hope::Gone
        } else {
            Hope::Left
        };
        self.on_link_lost(category, detail, hope, out);
    }

    /// The link says nothing any more, or never began to: gives it up as if it were gone.
    pub(super) fn give_up_link(&mut self, detail: &str, out: &mut Vec<Output>) {
        out.push(Output::CloseLink {
            link: self.talk.link,
        });
        self.on_gone(FaultCategory::Retryable, detail.to_owned(), out);
    }

    fn on_link_lost(
        &mut self,
        category: FaultCategory,
        detail: String,
        hope: Hope,
        out: &mut Vec<Output>,
    ) {
        self.charge_time(out);
        self.meter.on_link_gone();
        journal(
            Entry::LinkGone {
                link: self.talk.link,
                category,
                detail,
            },
            out,
        );
        for timer in [
            Timer::LinkOpen,
            Timer::LinkStall,
            Timer::Answer,
            Timer::SayAgain,
        ] {
            self.timers.stop(timer);
        }
        self.talk.reset();
        let link = self.talk.link;
        self.playout.break_off(|utterance| utterance.link == link);
        self.playout_moved = self.now;
        self.speech.give_up(self.now);
        self.latency.forget();
        let tries = usize::try_from(self.talk.tries).unwrap_or(usize::MAX);
        let pause = BACK_OFF
            .get(tries)
            .filter(|_| hope == Hope::Left && self.state() != State::Closing);
        self.talk.standing = if pause.is_some() {
            Standing::Resting
        } else {
            Standing::Dead
        };
        if let Some(pause) = pause {
            self.talk.tries = self.talk.tries.saturating_add(1);
            self.timers.set(Timer::LinkRetry, self.now + *pause);
        }
        // Before the interview a try that may yet succeed is nothing that a participant need know.
        if self.is_interviewing() || (pause.is_none() && self.state() == State::Waiting) {
            tell(
                Notice::Trouble {
                    code: "provider_trouble",
                },
                out,
            );
        }
        if pause.is_none() && self.state() != State::Closing {
            self.close(Outcome::Technical, Manner::Gently, out);
        }
    }

    pub(super) fn watch_link(&mut self) {
        if self.talk.is_generating() {
            self.timers.set(Timer::LinkStall, self.link_moved + STALL);
        } else {
            self.timers.stop(Timer::LinkStall);
        }
    }
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hope {
    Left,
    Gone,
}

fn clamp(text: &mut String) {
    if text.len() > TEXT_MAX_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_MAX_BYTES));
    }
}
