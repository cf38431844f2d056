//! The provider's side: a link is opened, talks, and is opened again when it is lost.
//!
//! There is one way back, whatever the reason: a new link with the current phase's instructions and the conversation as
//! text. A planned recycle and a stalled vendor take it too.

use std::time::Duration;

use crate::cost::Usage;
use crate::ids::{ItemId, LinkNo};
use crate::journal::{Entry, Outcome};
use crate::link::{FaultCategory, LinkEvent, Speaker};
use crate::session::{Notice, Output, Session, State, Timer};

use super::care::Arrival;
use super::ending::Manner;
use super::meter::Budget;
use super::responses::clamp;
use super::talk::{Purpose, Standing};
use super::{journal, prompt, tell};

/// How long a link may take to get ready. A cold connection takes one or two seconds; chosen by feel.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// Pauses before a link is opened again, and before a refused request is made again. As many tries as there are pauses.
pub(super) const BACK_OFF: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// How long a link that was asked for speech, is speaking, or owes an answer, may say nothing. Words come several times a
/// second; a stall is to be found within 8 s (issue "No interview is lost").
const STALL: Duration = Duration::from_secs(6);

/// The same for a link that was asked once more for an answer that is owed already.
const STALL_NUDGED: Duration = Duration::from_secs(4);

/// How long the vendor may take to begin its own answer after a turn. It begins at once; chosen by feel. After it the
/// answer is overdue: a link that goes on saying nothing at all is stalled.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Once the quick tries are used up in an interview: between two more, and how many. Two minutes in all, as long as a
/// participant who dropped out is waited for; then the interview is left for another time instead of ended.
const SLOW_RETRY: Duration = Duration::from_secs(5);
const SLOW_TRIES: usize = 22;

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
        self.expect_memory(&config);
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
            if link == self.talk.link && self.talk.is_ready() {
                self.check_memory(usage, out);
            }
            return;
        }
        // Before it is ready a link can only get ready, complain or go.
        let early = matches!(
            event,
            LinkEvent::Ready { .. } | LinkEvent::Fault { .. } | LinkEvent::Gone { .. }
        );
        let heard = self.talk.is_ready() || (self.talk.is_open() && early);
        if link != self.talk.link || !heard {
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
        self.start_age();
        let arrival = self.take_arrival();
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
            // A question that is being played to its end is not asked again: the participant hears it and answers.
            State::Active if arrival == Arrival::Silent || self.playout.asks() => {}
            State::Active => self.go_on(Purpose::Resume),
            State::Invited | State::Paused | State::Closing | State::Ended => {}
        }
    }

    fn on_speech_started(&mut self, item: ItemId, out: &mut Vec<Output>) {
        self.begin_turn(item);
        self.talk.overdue = false;
        self.trust_hearing();
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
        self.trust_hearing();
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

    /// Begins a turn of the participant, unless it has begun. Before the interview nothing is said.
    fn begin_turn(&mut self, item: ItemId) {
        if self.started.is_some() && !self.speech.knows(&item) {
            let turn = self.next_turn();
            let (phase, hears) = (self.phases.current(), self.care.hears(self.now));
            self.speech.begin(self.now, item, turn, phase, hears);
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

    pub(super) fn charge(&mut self, usage: &Usage, out: &mut Vec<Output>) {
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
        // A refused request never begins (providers.md, section 1.3). A benign fault is a race that `Talk` knows of; words
        // that could not be read refuse nothing, and if they were the answer, the link is found to be stalled.
        let refuses = !matches!(category, FaultCategory::Benign | FaultCategory::Malformed);
        if refuses && let Some(asked) = self.talk.asked.take() {
            self.on_refused(category, asked.purpose, out);
        }
    }

    pub(super) fn write_fault(
        &mut self,
        category: FaultCategory,
        detail: String,
        out: &mut Vec<Output>,
    ) {
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

    pub(super) fn on_link_lost(
        &mut self,
        category: FaultCategory,
        detail: String,
        hope: Hope,
        out: &mut Vec<Output>,
    ) {
        self.let_go(category, detail, out);
        let tries = usize::try_from(self.talk.tries).unwrap_or(usize::MAX);
        if self.state() == State::Paused && hope == Hope::Left {
            // Nobody is there to talk to: whoever comes back gets a new link, and it costs nothing until then.
            self.talk.standing = Standing::Unopened;
            return;
        }
        let interviewing = self.state() == State::Active;
        let slow = interviewing && tries < BACK_OFF.len() + SLOW_TRIES;
        let pause = BACK_OFF
            .get(tries)
            .or(slow.then_some(&SLOW_RETRY))
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
        if pause.is_none() && interviewing && hope == Hope::Left {
            self.park("provider_away", out);
        } else if pause.is_none() && self.state() != State::Closing {
            self.close(Outcome::Technical, Manner::Gently, out);
        }
    }

    /// Writes down that the link is gone, and forgets what belonged to it.
    pub(super) fn let_go(
        &mut self,
        category: FaultCategory,
        detail: String,
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
        self.forget_doubts();
        let link = self.talk.link;
        self.playout.break_off(|utterance| utterance.link == link);
        self.playout_moved = self.now;
        self.speech.give_up(self.now);
        self.latency.forget();
    }

    pub(super) fn watch_link(&mut self) {
        let nudged = self
            .talk
            .asked
            .is_some_and(|asked| matches!(asked.purpose, Purpose::Nudge | Purpose::Unheard));
        if self.talk.is_generating() || self.talk.overdue {
            let patience = if nudged { STALL_NUDGED } else { STALL };
            self.timers
                .set(Timer::LinkStall, self.link_moved + patience);
        } else {
            self.timers.stop(Timer::LinkStall);
        }
    }
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// It does.
    Left,
    /// It does not.
    Gone,
}
