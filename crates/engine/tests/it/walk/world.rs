//! A small random world around a session: media, a vendor and a participant, mostly sensible and sometimes not.
//!
//! Shared by the random walk in the tests and the benchmark in `examples/walk.rs`. The same seed makes the same world.

use std::collections::VecDeque;
use std::time::Duration;

use engine::cost::{Component, Usage};
use engine::ids::{CallId, ItemId, LinkNo, PeerNo, ResponseId};
use engine::link::{Capabilities, FaultCategory, LinkCommand, LinkEvent, ResponseStatus};
use engine::plan::Plan;
use engine::session::{Input, MediaFact, Output, Request, Timer};
use engine::time::Mono;

#[path = "study.rs"]
pub(crate) mod study;

use study::Prng;

const WORDS: [&str; 6] = [
    "Well, ",
    "I think so. ",
    "meetings ",
    "the dog ",
    "日本語 ",
    "and then?",
];
const CATEGORIES: [FaultCategory; 6] = [
    FaultCategory::Retryable,
    FaultCategory::Retryable,
    FaultCategory::RateLimited,
    FaultCategory::Expired,
    FaultCategory::Malformed,
    FaultCategory::Misconfigured,
];
const CALLS: [(&str, &str); 10] = [
    ("advance_phase", r#"{"to":"p1"}"#),
    ("advance_phase", r#"{"to":"p2"}"#),
    ("advance_phase", r#"{"to":"end"}"#),
    ("advance_phase", r#"{"to":"moon"}"#),
    ("advance_phase", r#"{"to":7}"#),
    ("cover_topic", r#"{"topic":"t0"}"#),
    ("cover_topic", r#"{"topic":"t1"}"#),
    ("cover_topic", r#"{"topic":"t2"}"#),
    ("cover_topic", "not json"),
    ("dance", "{}"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Down,
    Opening,
    Ready,
}

/// Everything outside of a session.
pub(crate) struct World {
    /// Its luck.
    pub(crate) rng: Prng,
    /// Its time.
    pub(crate) now: Mono,
    items: Vec<ItemId>,
    next_id: usize,
    peer: u32,
    steps: [bool; 2],
    link: u32,
    line: Line,
    say: Option<u32>,
    response: Option<(ResponseId, Option<ItemId>)>,
    queue: VecDeque<(ItemId, bool)>,
    dropped: Vec<ItemId>,
    speech: Option<ItemId>,
    wordless: Vec<ItemId>,
    voice: bool,
    reports: VecDeque<Input>,
}

impl World {
    /// A world of that seed.
    pub(crate) fn new(seed: u64) -> World {
        World {
            rng: Prng(seed),
            now: Mono::from_millis(1_000),
            items: (0..8_192)
                .map(|n| ItemId::from(format!("item-{n}")))
                .collect(),
            next_id: 0,
            peer: 0,
            steps: [false; 2],
            link: 0,
            line: Line::Down,
            say: None,
            response: None,
            queue: VecDeque::new(),
            dropped: Vec::new(),
            speech: None,
            wordless: Vec::new(),
            voice: false,
            reports: VecDeque::new(),
        }
    }

    /// Forgets the last session, and draws a study and a vendor for the next.
    pub(crate) fn begin(&mut self) -> (Plan, Capabilities) {
        (self.peer, self.link, self.line, self.next_id) = (0, 0, Line::Down, 0);
        (self.steps, self.voice, self.say, self.response, self.speech) =
            ([false; 2], false, None, None, None);
        self.queue.clear();
        self.dropped.clear();
        self.reports.clear();
        self.wordless.clear();
        let capabilities = Capabilities {
            turn_events: !self.rng.once_in(3),
            truncation: !self.rng.once_in(3),
            replace_instructions: true,
            token_usage: !self.rng.once_in(4),
            link_max: self
                .rng
                .once_in(2)
                .then(|| Duration::from_secs(40 + self.rng.below(300))),
        };
        (study::draw(&mut self.rng), capabilities)
    }

    /// What happens next, and when. Sometimes exactly at the deadline, sometimes long after it.
    pub(crate) fn next(&mut self, deadline: Option<(Mono, Timer)>) -> (Mono, Input) {
        match self.rng.below(100) {
            0..4 => {
                self.now = deadline.map_or(self.now, |(at, _)| self.now.max(at));
                return (self.now, Input::Timeout);
            }
            4 => self.now = self.now + Duration::from_millis(self.rng.below(15_000)),
            _ => self.now = self.now + Duration::from_micros(self.rng.below(300_000)),
        }
        if let Some(report) = self.reports.pop_front() {
            return (self.now, report);
        }
        let settled = self.steps[1] && self.line == Line::Ready;
        let input = match self.rng.below(100) {
            _ if !settled && !self.rng.once_in(4) => self.connect(),
            0..40 => self.vendor(),
            40..60 => self.playout(),
            60..80 => self.participant(),
            80..88 => self.activity(),
            88..93 => self.usage(),
            93..95 => self.trouble(),
            _ => self.nonsense(),
        };
        (self.now, input)
    }

    /// Sees what the session did about it.
    pub(crate) fn observe(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::OpenLink { link, .. } => {
                    (self.link, self.line, self.say, self.response) =
                        (link.0, Line::Opening, None, None);
                    self.speech = None;
                }
                Output::CloseLink { .. } => self.line = Line::Down,
                Output::Link {
                    command: LinkCommand::Say { tag, .. },
                    ..
                } => self.say = Some(*tag),
                Output::CutPlayout => {
                    for (item, started) in std::mem::take(&mut self.queue) {
                        let played_ms = if started {
                            u32::try_from(self.rng.below(3_000)).unwrap_or(0)
                        } else {
                            0
                        };
                        // Now and then media forgets to report.
                        if !self.rng.once_in(20) {
                            let fact = MediaFact::PlayoutEnded {
                                item,
                                at: self.now,
                                played_ms,
                                cut: true,
                            };
                            self.reports
                                .push_back(Input::Media(PeerNo(self.peer), fact));
                        }
                    }
                }
                Output::PlayHold { item } => self.queue.push_back((item.clone(), false)),
                Output::DropUtterance { item } => {
                    self.queue.retain(|(queued, _)| queued != item);
                    self.dropped.push(item.clone());
                }
                _ => {}
            }
        }
    }

    fn id(&mut self) -> ItemId {
        self.next_id = (self.next_id + 1) % (self.items.len() / 2);
        self.items[self.next_id].clone()
    }

    fn words(&mut self) -> String {
        self.rng.pick(&WORDS).to_owned()
    }

    fn link(&self, event: LinkEvent) -> Input {
        Input::Link(LinkNo(self.link), event)
    }

    fn media(&self, fact: MediaFact) -> Input {
        Input::Media(PeerNo(self.peer), fact)
    }

    fn connect(&mut self) -> Input {
        if self.line == Line::Opening && self.rng.once_in(2) {
            if self.rng.once_in(8) {
                return self.gone();
            }
            self.line = Line::Ready;
            return self.link(LinkEvent::Ready {
                vendor_id: "v".to_owned(),
            });
        }
        match self.steps {
            _ if self.peer == 0 || self.rng.once_in(20) => self.offer(),
            [false, _] => {
                self.steps[0] = true;
                self.media(MediaFact::Up)
            }
            [true, _] => {
                self.steps[1] = true;
                self.media(MediaFact::AudioFlowing { at: self.now })
            }
        }
    }

    fn offer(&mut self) -> Input {
        self.peer += 1;
        (self.steps, self.voice) = ([false; 2], false);
        Input::PeerOffered(PeerNo(self.peer))
    }

    fn gone(&mut self) -> Input {
        (self.line, self.response, self.say) = (Line::Down, None, None);
        let category = self.rng.pick(&CATEGORIES);
        self.link(LinkEvent::Gone {
            category,
            detail: "gone".to_owned(),
        })
    }

    fn vendor(&mut self) -> Input {
        let Some((response, open)) = self.response.clone() else {
            if self.say.is_none() && !self.rng.once_in(10) {
                return self.participant();
            }
            let response = ResponseId::from(self.id().as_str());
            let tag = if self.rng.once_in(10) {
                None
            } else {
                self.say.take()
            };
            self.response = Some((response.clone(), None));
            return self.link(LinkEvent::ResponseStarted { response, tag });
        };
        let Some(item) = open else {
            return match self.rng.below(8) {
                0..3 => {
                    let item = self.id();
                    self.response = Some((response.clone(), Some(item.clone())));
                    self.link(LinkEvent::UtteranceStarted { response, item })
                }
                3 | 4 => {
                    let (name, arguments) = self.rng.pick(&CALLS);
                    let call = CallId::from(self.id().as_str());
                    self.link(LinkEvent::ToolCalled {
                        call,
                        name: name.into(),
                        arguments: arguments.into(),
                    })
                }
                _ => self.response_done(response),
            };
        };
        match self.rng.below(8) {
            0..4 => {
                if !self.queue.iter().any(|(queued, _)| *queued == item)
                    && !self.dropped.contains(&item)
                {
                    self.queue.push_back((item.clone(), false));
                }
                let text = self.words();
                self.link(LinkEvent::UtteranceDelta { item, text })
            }
            4..7 => {
                self.response = Some((response, None));
                let (text, audio_ms) = (
                    self.words(),
                    u32::try_from(self.rng.below(4_000)).unwrap_or(0),
                );
                self.link(LinkEvent::UtteranceDone {
                    item,
                    text,
                    audio_ms,
                })
            }
            _ => self.response_done(response),
        }
    }

    fn response_done(&mut self, response: ResponseId) -> Input {
        self.response = None;
        let status = match self.rng.below(12) {
            0 => ResponseStatus::Interrupted,
            1 => ResponseStatus::Incomplete,
            2 => {
                let category = self.rng.pick(&CATEGORIES[..5]);
                ResponseStatus::Failed {
                    category,
                    detail: "failed".to_owned(),
                }
            }
            _ => ResponseStatus::Completed,
        };
        self.link(LinkEvent::ResponseDone { response, status })
    }

    fn playout(&mut self) -> Input {
        match self.queue.front_mut() {
            None => self.vendor(),
            Some((item, started @ false)) => {
                *started = true;
                let item = item.clone();
                self.media(MediaFact::PlayoutStarted { item, at: self.now })
            }
            Some(_) => {
                let item = self
                    .queue
                    .pop_front()
                    .map_or_else(|| self.items[0].clone(), |(item, _)| item);
                let played_ms = u32::try_from(self.rng.below(4_000)).unwrap_or(0);
                self.media(MediaFact::PlayoutEnded {
                    item,
                    at: self.now,
                    played_ms,
                    cut: false,
                })
            }
        }
    }

    fn participant(&mut self) -> Input {
        if let Some(item) = self
            .wordless
            .last()
            .cloned()
            .filter(|_| self.rng.once_in(2))
        {
            if self.rng.once_in(3) {
                let text = self.words();
                return self.link(LinkEvent::TranscriptDelta { item, text });
            }
            self.wordless.pop();
            if self.rng.once_in(6) {
                return self.link(LinkEvent::TranscriptFailed {
                    item,
                    reason: "unclear".to_owned(),
                });
            }
            let text = self.words();
            return self.link(LinkEvent::TranscriptDone { item, text });
        }
        match self.speech.take() {
            None => {
                let item = self.id();
                self.speech = Some(item.clone());
                self.link(LinkEvent::SpeechStarted { item })
            }
            Some(item) if self.rng.once_in(2) => {
                self.speech = Some(item.clone());
                self.link(LinkEvent::SpeechStopped { item })
            }
            Some(item) => {
                if !self.rng.once_in(12) {
                    self.wordless.push(item.clone());
                }
                self.link(LinkEvent::SpeechCommitted { item })
            }
        }
    }

    fn activity(&mut self) -> Input {
        self.voice = !self.voice;
        let at = self.now - Duration::from_millis(self.rng.below(400));
        self.media(if self.voice {
            MediaFact::SpeechStarted { at }
        } else {
            MediaFact::SpeechEnded { at }
        })
    }

    fn usage(&mut self) -> Input {
        let usage = Usage::none()
            .with(Component::AudioIn, self.rng.below(700))
            .with(Component::TextOut, self.rng.below(50));
        self.link(LinkEvent::Used(usage))
    }

    /// Things that go wrong, or end.
    fn trouble(&mut self) -> Input {
        match self.rng.below(24) {
            0 => self.offer(),
            1..3 => {
                self.steps = [false; 2];
                self.media(MediaFact::Lost)
            }
            3..5 => self.gone(),
            5..8 => {
                let category = self.rng.pick(&CATEGORIES[..5]);
                self.say = None;
                self.link(LinkEvent::Fault {
                    category,
                    detail: "fault".to_owned(),
                })
            }
            8 => self.link(LinkEvent::Fault {
                category: FaultCategory::Benign,
                detail: "race".to_owned(),
            }),
            9 if self.rng.once_in(8) => Input::OperatorEnd,
            18 if self.rng.once_in(64) => Input::Park,
            10 if self.rng.once_in(8) => Input::Participant(Request::End),
            11..14 => Input::Participant(Request::Mute),
            14..17 => Input::Participant(Request::Unmute),
            19 => {
                let (from, to) = (self.now - Duration::from_millis(5_000), self.now);
                self.media(MediaFact::NetworkGap { from, to })
            }
            17 => self.media(MediaFact::RecordingGap {
                reason: "full".to_owned(),
            }),
            _ => Input::Participant(Request::Repeat),
        }
    }

    /// What nobody should say.
    fn nonsense(&mut self) -> Input {
        // Names that nothing sensible ever has.
        let ghost = self.items.len() / 2
            + usize::try_from(self.rng.below(self.items.len() as u64 / 2)).unwrap_or(0);
        let item = self.items[ghost].clone();
        let response = ResponseId::from(item.as_str());
        let older = LinkNo(self.link.saturating_sub(1));
        match self.rng.below(12) {
            0 => Input::Media(PeerNo(self.peer.saturating_sub(1)), MediaFact::Lost),
            1 => Input::PeerOffered(PeerNo(self.peer)),
            2 => Input::Link(
                older,
                LinkEvent::ResponseStarted {
                    response,
                    tag: Some(1),
                },
            ),
            3 => Input::Link(
                older,
                LinkEvent::Gone {
                    category: FaultCategory::Benign,
                    detail: String::new(),
                },
            ),
            4 => self.link(LinkEvent::UtteranceStarted { response, item }),
            5 => self.link(LinkEvent::UtteranceDone {
                item,
                text: "ghost".to_owned(),
                audio_ms: 100,
            }),
            6 => self.link(LinkEvent::ResponseDone {
                response,
                status: ResponseStatus::Completed,
            }),
            7 if self.rng.below(2) == 0 => {
                self.media(MediaFact::PlayoutAudible { item, at: self.now })
            }
            7 => self.media(MediaFact::PlayoutStarted { item, at: self.now }),
            8 => self.media(MediaFact::PlayoutEnded {
                item,
                at: self.now,
                played_ms: 0,
                cut: true,
            }),
            9 => self.link(LinkEvent::Ready {
                vendor_id: "again".to_owned(),
            }),
            10 => Input::Link(LinkNo(self.link + 1), LinkEvent::SpeechStarted { item }),
            _ => self.media(MediaFact::Up),
        }
    }
}
