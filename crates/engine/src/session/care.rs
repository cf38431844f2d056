//! What is done about a link that is silent, deaf, old or forgetful, before anybody has to suffer from it.
//!
//! - **Dead air.** The interviewer owes words and nobody is heard: after [`DEAD_AIR`] a line of our own is played, so that
//!   a participant never sits in silence without knowing why.
//! - **Silent stall.** A turn that is not answered is asked for once more ([`Purpose::Nudge`]); a link that does not even
//!   begin to answer that is given up.
//! - **Deafness.** Our voice activity hears speech, the vendor notices none: the participant is asked to say it again, and
//!   a link that says nothing to that either is given up.
//! - **Age.** Before the vendor ends a connection, another is opened at a settled moment; what the participant says
//!   meanwhile is kept for it by media, so nobody hears the change.
//! - **Memory.** The first bill of a link that was opened with a conversation says how much it remembers. One that forgot
//!   is opened again.
//!
//! All of it is bounded: one suspicion of deafness per speech that was noticed, two renewals for a lost memory per session.

use std::time::Duration;

use crate::cost::{Component, Usage};
use crate::ids::{ItemId, LinkNo, ResponseId};
use crate::link::{FaultCategory, LinkConfig};
use crate::session::{Notice, Output, Session, State, Timer};
use crate::time::Mono;

use super::playout::{Sound, Utterance, Words};
use super::speech::{Hears, Speech};
use super::talk::{Purpose, Standing};
use super::tell;

/// Silence in which the interviewer owes words until the participant hears why. With what media adds it stays below the
/// 4 s of issue "No interview is lost".
const DEAD_AIR: Duration = Duration::from_millis(3_200);

/// Between two such lines of one outage.
const HOLD_EVERY: Duration = Duration::from_secs(30);

/// How much speech the vendor must have noticed. A cough or a word of assent is shorter; chosen by feel.
const SPEECH_MIN: Duration = Duration::from_millis(1_200);

/// From the end of speech that nobody noticed to the request to have it said again. Vendors notice speech within 0.5 s.
const DEAF_AFTER: Duration = Duration::from_secs(3);

/// Of the silence that is allowed this is left for the answer to that request.
const DEAF_ANSWER: Duration = Duration::from_millis(600);

/// Speech without a pause that nobody noticed: the link is deaf.
const DEAF_WHILE: Duration = Duration::from_secs(7);

/// How long before the vendor's limit another link is opened, at most; of a short limit a quarter.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// For a new link to go through what was said before it was ready; vendors read ten seconds of audio in a fraction of one.
const CATCHING_UP: Duration = Duration::from_secs(2);

/// Characters per token of English text (OpenAI help, "What are tokens", 2026-11). Other scripts have fewer, so that for
/// them less is expected than is there, and no memory is doubted without need.
const CHARS_PER_TOKEN: usize = 4;

/// Links opened again in one session because their memory had collapsed.
const FORGETFUL_MAX: u32 = 2;

/// Names of our own lines begin with this. Vendors' names of items begin with `item` or are numbers.
const OWN_LINES: &str = "hold_";

/// Whether this is a line of our own, not the model's: it is heard and written down, but no part of the conversation.
pub(super) fn is_own_line(item: &ItemId) -> bool {
    item.as_str().starts_with(OWN_LINES)
}

/// What is doubted, and since when.
#[derive(Clone, Debug, Default)]
pub(super) struct Care {
    dead_since: Option<Mono>,
    held: Option<Mono>,
    holds: u32,
    /// When speech began that the vendor has not noticed.
    unnoticed: Option<Mono>,
    hearing: Hearing,
    renewal: Renewal,
    arrival: Arrival,
    /// Tokens that the link must have, and about how many were given to it.
    expected: Option<(u64, u64)>,
    forgetful: u32,
    /// When the link got ready.
    ready: Option<Mono>,
}

impl Care {
    /// Whether the link is still being given what was said before it was ready.
    pub(super) fn hears(&self, now: Mono) -> Hears {
        match self.ready {
            Some(ready) if now.since(ready) < CATCHING_UP => Hears::Later,
            Some(_) | None => Hears::Now,
        }
    }
}

/// Whether the vendor was caught not hearing, since it last noticed speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hearing {
    #[default]
    Trusted,
    Suspected,
}

/// Whether the link is to be replaced at a settled moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Renewal {
    #[default]
    Unneeded,
    Wanted(&'static str),
}

/// How the link that is being opened takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It has the interviewer go on.
    #[default]
    Speaking,
    /// It replaces one that worked, and says nothing by itself.
    Silent,
}

impl Session {
    /// Notes dead air, and when something is to be heard in it.
    pub(super) fn watch_dead_air(&mut self) {
        if self.state() != State::Active || !self.owes_words() || self.is_anyone_heard() {
            self.care.dead_since = None;
            return self.timers.stop(Timer::DeadAir);
        }
        let since = *self.care.dead_since.get_or_insert(self.now);
        let next = self.care.held.map_or(since, |held| held + HOLD_EVERY);
        self.timers
            .set(Timer::DeadAir, (since + DEAD_AIR).max(next));
    }

    fn owes_words(&self) -> bool {
        let renewing = self.care.arrival == Arrival::Silent;
        (!self.talk.is_ready() && !renewing)
            || !self.talk.is_settled()
            || self.talk.overdue
            || self.talk.wanted.is_some()
    }

    fn is_anyone_heard(&self) -> bool {
        let sounds = |utterance: &Utterance| {
            matches!(utterance.sound, Sound::Playing(_) | Sound::Cutting { .. })
        };
        self.speech.is_active() || self.speech.is_open() || self.playout.iter().any(sounds)
    }

    /// Plays our own line: one moment, please.
    pub(super) fn on_dead_air(&mut self, out: &mut Vec<Output>) {
        // Another timer of the same moment may have closed the interview.
        if self.state() != State::Active || !self.playout.has_room() {
            return;
        }
        self.care.held = Some(self.now);
        self.care.holds = self.care.holds.saturating_add(1);
        let item: ItemId = format!("{OWN_LINES}{}_{}", self.talk.link.0, self.care.holds)
            .as_str()
            .into();
        self.playout.push(Utterance {
            // Of no link: none is told how much of it was heard.
            link: LinkNo(0),
            item: item.clone(),
            response: Some(ResponseId::from(OWN_LINES)),
            purpose: None,
            text: self.plan.hold.text.clone(),
            words: Words::Done {
                audio_ms: self.plan.hold.audio_ms,
            },
            sound: Sound::Waiting,
        });
        self.playout_moved = self.now;
        out.push(Output::PlayHold { item });
        tell(
            Notice::Trouble {
                code: "provider_slow",
            },
            out,
        );
    }

    /// Our voice activity heard the participant begin.
    pub(super) fn doubt_hearing(&mut self) {
        let listening = self.state() == State::Active
            && self.talk.is_ready()
            && self.capabilities.turn_events
            && !self.speech.is_open()
            && !self.playout.is_on();
        if listening && self.care.hearing == Hearing::Trusted {
            let since = *self.care.unnoticed.get_or_insert(self.now);
            self.timers.set(Timer::Deaf, since + DEAF_WHILE);
        }
    }

    /// It heard the participant stop at this moment.
    pub(super) fn doubt_heard(&mut self, at: Mono) {
        let Some(since) = self.care.unnoticed else {
            return;
        };
        if at.since(since) >= SPEECH_MIN {
            self.timers.set(Timer::Deaf, self.now + DEAF_AFTER);
        } else {
            self.trust_or_forget();
        }
    }

    /// The vendor noticed the participant.
    pub(super) fn trust_hearing(&mut self) {
        self.care.hearing = Hearing::Trusted;
        self.trust_or_forget();
    }

    fn trust_or_forget(&mut self) {
        self.care.unnoticed = None;
        self.timers.stop(Timer::Deaf);
    }

    pub(super) fn on_deaf(&mut self, out: &mut Vec<Output>) {
        self.care.unnoticed = None;
        if self.state() != State::Active || !self.talk.is_ready() {
            return;
        }
        self.care.hearing = Hearing::Suspected;
        if self.speech.is_active() {
            self.give_up_link("it does not hear the participant", out);
        } else {
            self.talk.want(Purpose::Unheard);
            // The silence began when the participant stopped, not when it was doubted that anybody had heard.
            self.care.dead_since = Some(self.now - (DEAD_AIR - DEAF_ANSWER));
        }
    }

    /// A link is being opened with this.
    pub(super) fn expect_memory(&mut self, config: &LinkConfig) {
        let tokens = |chars: usize| u64::try_from(chars / CHARS_PER_TOKEN).unwrap_or(u64::MAX);
        let spoken = config.history.iter().map(|(_, text)| text.chars().count());
        let spoken = tokens(spoken.sum());
        let instructions = tokens(config.instructions.chars().count());
        // Half of the conversation and three quarters of the instructions: below that something is missing, however the
        // vendor counts. What the tools cost comes on top, so a short conversation cannot be told from none.
        let least = spoken / 2 + instructions * 3 / 4;
        self.care.expected = (spoken > 0).then_some((least, spoken.saturating_add(instructions)));
    }

    /// The link's first bill since it was opened says how much it remembers.
    pub(super) fn check_memory(&mut self, usage: &Usage, out: &mut Vec<Output>) {
        let parts = [
            Component::TextIn,
            Component::TextCached,
            Component::AudioIn,
            Component::AudioCached,
        ];
        let read: u64 = parts.into_iter().map(|part| usage.get(part)).sum();
        if read == 0 {
            return;
        }
        let Some((least, given)) = self.care.expected.take() else {
            return;
        };
        if read >= least {
            return;
        }
        let detail = format!("it remembers {read} tokens of about {given}");
        self.write_fault(FaultCategory::Malformed, detail, out);
        if self.care.forgetful < FORGETFUL_MAX {
            self.care.forgetful = self.care.forgetful.saturating_add(1);
            self.care.renewal = Renewal::Wanted("its memory of the conversation had collapsed");
        }
    }

    /// The link got ready; the vendor ends it after a while.
    pub(super) fn start_age(&mut self) {
        if let Some(max) = self.capabilities.link_max {
            let before = RENEW_BEFORE.min(max / 4);
            self.timers
                .set(Timer::Renew, self.now + max.saturating_sub(before));
        }
    }

    pub(super) fn on_age(&mut self) {
        self.care.renewal = Renewal::Wanted("renewed before the vendor's limit");
    }

    /// How the link that got ready takes over.
    pub(super) fn take_arrival(&mut self) -> Arrival {
        self.care.ready = Some(self.now);
        std::mem::take(&mut self.care.arrival)
    }

    /// Replaces a link that is to be replaced, if this is the moment: nothing is generating, owed, playing or said, and
    /// all that was said is written down. While nobody is there, it is just closed.
    pub(super) fn renew(&mut self, out: &mut Vec<Output>) {
        let Renewal::Wanted(why) = self.care.renewal else {
            return;
        };
        if !self.talk.is_ready() {
            return;
        }
        let still = self.is_settled()
            && self.speech.is_written()
            && self.talk.wanted.is_none()
            && self.due.is_none();
        match self.state() {
            State::Active if still => {
                self.drop_link(why, out);
                self.open_link(out);
                self.care.arrival = Arrival::Silent;
            }
            State::Paused => {
                self.drop_link(why, out);
                self.talk.standing = Standing::Unopened;
            }
            State::Active | State::Invited | State::Waiting | State::Closing | State::Ended => {}
        }
    }

    fn drop_link(&mut self, why: &str, out: &mut Vec<Output>) {
        out.push(Output::CloseLink {
            link: self.talk.link,
        });
        self.let_go(FaultCategory::Expired, why.to_owned(), out);
    }

    /// The link is gone, in whatever way: what was doubted of it is no matter any more.
    pub(super) fn forget_doubts(&mut self) {
        self.care.unnoticed = None;
        self.care.renewal = Renewal::Unneeded;
        self.care.arrival = Arrival::Speaking;
        self.care.expected = None;
        self.timers.stop(Timer::Deaf);
        self.timers.stop(Timer::Renew);
    }
}

impl Speech {
    /// Whether all that was said is written down.
    fn is_written(&self) -> bool {
        self.next_give_up().is_none() && !self.is_open() && !self.is_active()
    }
}
