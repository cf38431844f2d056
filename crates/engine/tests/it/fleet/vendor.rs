//! The provider's side: one link at a time, a model that follows its instructions, and whatever breaks.

use std::time::Duration;

use engine::cost::{Component, Usage};
use engine::ids::{CallId, ItemId, ResponseId};
use engine::link::{FaultCategory, LinkCommand, LinkConfig, LinkEvent, ResponseStatus};

use super::luck::Luck;
use super::story::{CLOSING, Fault, GREETING};

/// A link, and the model behind it.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) no: u32,
    pub(crate) ready: bool,
    pub(crate) stalled: bool,
    pub(crate) deaf: bool,
    forgetful: bool,
    /// The response that is being given, or about to be; events of others are not said any more.
    pub(crate) response: u32,
    pub(crate) busy: bool,
    /// One was asked for, or follows from what was said, and has not begun.
    pub(crate) pending: bool,
    /// The participant's utterance that it hears.
    pub(crate) hearing: Option<ItemId>,
    open: Vec<String>,
    next: String,
    asking: bool,
    refused: bool,
}

/// All links of a session.
#[derive(Debug, Default)]
pub(crate) struct Vendor {
    pub(crate) line: Option<Line>,
    responses: u32,
    utterances: u32,
    refuse: u32,
    unready: bool,
    forget: bool,
    failing: bool,
    pub(crate) away_until: Duration,
    pub(crate) misconfigured: bool,
}

/// Something that a link will say, after so long, unless it is gone, or busy with another response by then.
pub(crate) type Saying = (Duration, u32, LinkEvent);

impl Vendor {
    /// A link is opened.
    pub(crate) fn open(
        &mut self,
        now: Duration,
        no: u32,
        config: &LinkConfig,
        luck: &mut Luck,
    ) -> Vec<Saying> {
        let mut line = Line {
            no,
            forgetful: std::mem::take(&mut self.forget),
            ..Line::default()
        };
        line.learn(&config.instructions);
        self.line = Some(line);
        let away = now < self.away_until || self.refuse > 0;
        if away || self.misconfigured {
            self.refuse = self.refuse.saturating_sub(1);
            let category = if self.misconfigured {
                FaultCategory::Misconfigured
            } else {
                FaultCategory::Retryable
            };
            return vec![(luck.ms(20, 300), 0, gone(category, "refused"))];
        }
        if std::mem::take(&mut self.unready) {
            return Vec::new();
        }
        let vendor_id = "v".to_owned();
        vec![(luck.ms(150, 1_500), 0, LinkEvent::Ready { vendor_id })]
    }

    /// Something breaks. Returns what the link says about it, at once.
    pub(crate) fn suffer(&mut self, now: Duration, fault: Fault) -> Vec<LinkEvent> {
        let Some(line) = self.line.as_mut().filter(|line| line.ready) else {
            return Vec::new();
        };
        let cut = gone(FaultCategory::Retryable, "cut");
        match fault {
            Fault::Cut => vec![cut],
            Fault::Stall => {
                line.stalled = true;
                Vec::new()
            }
            Fault::Deaf => {
                line.deaf = true;
                Vec::new()
            }
            Fault::Garbage => garbage(),
            Fault::Expired => vec![gone(FaultCategory::Expired, "expired")],
            Fault::Refused(times) => {
                self.refuse = times;
                vec![cut]
            }
            Fault::Unready => {
                self.unready = true;
                vec![cut]
            }
            Fault::Away(long) => {
                self.away_until = now + long;
                vec![cut]
            }
            Fault::Forgetful => {
                self.forget = true;
                vec![cut]
            }
            Fault::Failing => {
                self.failing = true;
                Vec::new()
            }
            Fault::Misconfigured => {
                self.misconfigured = true;
                vec![gone(FaultCategory::Misconfigured, "no such key")]
            }
        }
    }

    /// The link is told something.
    pub(crate) fn told(&mut self, command: &LinkCommand, luck: &mut Luck) -> Vec<Saying> {
        let Some(line) = self.line.as_mut() else {
            return Vec::new();
        };
        match command {
            LinkCommand::Instruct { instructions } => line.learn(instructions),
            LinkCommand::ToolResult { output, .. } => {
                line.refused |= output.starts_with("{\"ok\":false");
            }
            LinkCommand::Say { tag, also } => {
                return self.respond(Some(*tag), also.as_deref(), luck);
            }
            LinkCommand::Cancel => return self.interrupt(),
            LinkCommand::Heard { .. } => {}
        }
        Vec::new()
    }

    /// The participant is heard, or we cancel: the response in progress ends.
    pub(crate) fn interrupt(&mut self) -> Vec<Saying> {
        let Some(line) = self.line.as_mut().filter(|line| line.busy) else {
            return Vec::new();
        };
        let response = id(line.response);
        self.responses += 1;
        line.response = self.responses;
        let status = ResponseStatus::Interrupted;
        let done = LinkEvent::ResponseDone { response, status };
        vec![(Duration::from_millis(5), 0, done)]
    }

    /// The model answers: what it says, and when.
    pub(crate) fn respond(
        &mut self,
        tag: Option<u32>,
        also: Option<&str>,
        luck: &mut Luck,
    ) -> Vec<Saying> {
        let Some(line) = self.line.as_mut() else {
            return Vec::new();
        };
        if line.busy || line.pending {
            // Its own answer needs no second one; a request meanwhile is the race that vendors report.
            let race = LinkEvent::Fault {
                category: FaultCategory::Benign,
                detail: "conversation_already_has_active_response".to_owned(),
            };
            return tag
                .map(|_| (Duration::from_millis(5), 0, race))
                .into_iter()
                .collect();
        }
        line.pending = true;
        self.responses += 1;
        line.response = self.responses;
        let no = line.response;
        let forgetful = line.forgetful;
        let (text, calls) = line.think(also);
        let at = luck.ms(200, 900);
        let response = id(no);
        let begun = LinkEvent::ResponseStarted {
            response: response.clone(),
            tag,
        };
        let mut said = vec![(at, no, begun)];
        let status = if std::mem::take(&mut self.failing) {
            ResponseStatus::Failed {
                category: FaultCategory::Retryable,
                detail: "overloaded".to_owned(),
            }
        } else {
            self.utter(no, at, &text, &mut said, luck);
            let at = said.last().map_or(at, |(at, ..)| *at);
            for (place, (name, arguments)) in calls.into_iter().enumerate() {
                let call = LinkEvent::ToolCalled {
                    call: CallId::from(format!("c{no}-{place}")),
                    name: name.to_owned(),
                    arguments,
                };
                said.push((at, no, call));
            }
            said.push((at, no, LinkEvent::Used(used(forgetful, luck))));
            ResponseStatus::Completed
        };
        let at = said.last().map_or(at, |(at, ..)| *at);
        said.push((at, no, LinkEvent::ResponseDone { response, status }));
        said
    }

    /// One utterance of a response, unless it has no words.
    fn utter(
        &mut self,
        no: u32,
        begins: Duration,
        text: &str,
        said: &mut Vec<Saying>,
        luck: &mut Luck,
    ) {
        if text.is_empty() {
            return;
        }
        self.utterances += 1;
        // Each is said in words of its own, so that one that is lost or doubled is seen.
        let text = format!("{text} ({})", self.utterances);
        let item = ItemId::from(format!("a{}", self.utterances));
        let (response, half) = (id(no), text.len() / 2);
        let started = LinkEvent::UtteranceStarted {
            response,
            item: item.clone(),
        };
        said.push((begins, no, started));
        let words = begins + luck.ms(50, 300);
        let delta = LinkEvent::UtteranceDelta {
            item: item.clone(),
            text: text[..half].to_owned(),
        };
        said.push((words, no, delta));
        let ends = words + luck.ms(100, 800);
        let audio_ms = u32::try_from(luck.between(800, 5_000)).unwrap_or(800);
        let done = LinkEvent::UtteranceDone {
            item,
            text,
            audio_ms,
        };
        said.push((ends, no, done));
    }
}

/// The bill of a response.
fn used(forgetful: bool, luck: &mut Luck) -> Usage {
    let read = if forgetful {
        10
    } else {
        luck.between(4_000, 6_000)
    };
    Usage::none()
        .with(Component::TextIn, read)
        .with(Component::AudioIn, luck.between(1, 500))
        .with(Component::AudioOut, luck.between(20, 900))
}

impl Line {
    /// Reads the instructions, as a model would.
    fn learn(&mut self, instructions: &str) {
        let open = instructions.lines().filter(|line| {
            line.contains("] (") && !line.contains(", covered)") && line.contains(". [")
        });
        self.open = open
            .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
            .collect();
        let legal = instructions
            .lines()
            .find_map(|line| line.split_once("advance_phase with one of: "));
        self.next = legal
            .and_then(|(_, names)| names.split(',').next())
            .unwrap_or("end")
            .to_owned();
        self.asking = false;
    }

    /// What the model says and calls.
    fn think(&mut self, also: Option<&str>) -> (String, Vec<(&'static str, String)>) {
        let mut calls = Vec::new();
        let also = also.unwrap_or("");
        if also.contains(CLOSING) {
            return (CLOSING.to_owned(), calls);
        }
        if also.contains("has been silent") {
            return ("Are you still there?".to_owned(), calls);
        }
        if also.contains("did not hear") {
            return ("I did not catch that.".to_owned(), calls);
        }
        if also.contains("epeat your last question") || also.contains("new phase") {
            return (self.ask(), calls);
        }
        if also.contains(GREETING) {
            return (format!("{GREETING} {}", self.ask()), calls);
        }
        if std::mem::take(&mut self.refused) {
            return ("Tell me more.".to_owned(), calls);
        }
        if (self.asking || also.contains("go on from")) && !self.open.is_empty() {
            let topic = self.open.remove(0);
            calls.push(("cover_topic", format!("{{\"topic\":\"{topic}\"}}")));
        }
        if self.open.is_empty() {
            calls.push(("advance_phase", format!("{{\"to\":\"{}\"}}", self.next)));
            return (String::new(), calls);
        }
        (self.ask(), calls)
    }

    fn ask(&mut self) -> String {
        self.asking = true;
        match self.open.first() {
            Some(topic) => format!("What about {topic}?"),
            None => "Is there anything else?".to_owned(),
        }
    }
}

fn id(response: u32) -> ResponseId {
    format!("r{response}").into()
}

fn gone(category: FaultCategory, detail: &str) -> LinkEvent {
    let detail = detail.to_owned();
    LinkEvent::Gone { category, detail }
}

fn garbage() -> Vec<LinkEvent> {
    let item = ItemId::from("ghost");
    vec![
        LinkEvent::Fault {
            category: FaultCategory::Malformed,
            detail: "not JSON".to_owned(),
        },
        LinkEvent::UtteranceStarted {
            response: "ghost".into(),
            item: item.clone(),
        },
        LinkEvent::UtteranceDone {
            item,
            text: "Boo.".to_owned(),
            audio_ms: 500,
        },
        LinkEvent::ResponseDone {
            response: "ghost".into(),
            status: ResponseStatus::Completed,
        },
        LinkEvent::Ready {
            vendor_id: "again".to_owned(),
        },
    ]
}
