//! Drives a session through a story: says what happened, and asks what came out.

use std::time::Duration;

use engine::cost::{Component, MicroUsd, Prices, Usage};
use engine::ids::{ItemId, LinkNo, PeerNo};
use engine::journal::{Entry, Outcome, Turn};
use engine::link::{
    Capabilities, FaultCategory, LinkCommand, LinkConfig, LinkEvent, Patience, ResponseStatus,
};
use engine::plan::{HoldLine, Limits, Need, Next, Phase, Plan, Topic, Wording};
use engine::session::{Input, MediaFact, Notice, Output, Request, Session, State, Timer};
use engine::time::Mono;

/// What OpenAI Realtime can do.
pub(crate) const FULL: Capabilities = Capabilities {
    turn_events: true,
    truncation: true,
    replace_instructions: true,
    token_usage: true,
    link_max: None,
};

/// What Gemini Live can do.
pub(crate) const BARE: Capabilities = Capabilities {
    turn_events: false,
    truncation: false,
    replace_instructions: false,
    token_usage: true,
    link_max: None,
};

pub(crate) fn topic(id: &str, need: Need) -> Topic {
    Topic {
        id: id.into(),
        question: format!("What about {id}?"),
        wording: Wording::Verbatim,
        need,
    }
}

pub(crate) fn phase(id: &str, topics: Vec<Topic>, next: &[&str]) -> Phase {
    Phase {
        id: id.into(),
        title: format!("The {id}"),
        objective: format!("Learn about {id}."),
        instructions: "Be warm.".to_owned(),
        topics,
        triggers: vec!["a surprise".to_owned()],
        probes_max: 2,
        min: Duration::ZERO,
        target: Duration::from_secs(180),
        max: Duration::from_secs(300),
        next: next
            .iter()
            .map(|name| {
                if *name == "end" {
                    Next::End
                } else {
                    Next::Phase((*name).into())
                }
            })
            .collect(),
    }
}

/// Three phases: warmup -> main -> wrapup -> end; main may end too.
pub(crate) fn plan() -> Plan {
    Plan {
        title: "Remote work".to_owned(),
        organisation: "the Lab".to_owned(),
        language: "en".to_owned(),
        voice: None,
        persona: "Curious and calm.".to_owned(),
        greeting: "Hello, I am an AI.".to_owned(),
        closing: "Thank you, goodbye.".to_owned(),
        phases: vec![
            phase("warmup", vec![topic("role", Need::Required)], &["main"]),
            phase(
                "main",
                vec![
                    topic("tools", Need::Required),
                    topic("dogs", Need::Optional),
                ],
                &["wrapup", "end"],
            ),
            phase("wrapup", vec![], &["end"]),
        ],
        hold: HoldLine {
            text: "One moment, please.".to_owned(),
            audio_ms: 2_000,
        },
        patience: Patience {
            silence_ms: 700,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        limits: Limits::default(),
        budget: None,
        prices: Prices::new(vec![
            (Component::AudioIn, 32_000_000),
            (Component::AudioOut, 64_000_000),
        ]),
    }
}

pub(crate) struct Drive {
    pub(crate) session: Session,
    pub(crate) now: Mono,
    pub(crate) peer: PeerNo,
    /// What the last input brought.
    pub(crate) last: Vec<Output>,
    /// Everything.
    pub(crate) all: Vec<Output>,
    asked: Option<u32>,
    responses: u32,
}

impl Drive {
    pub(crate) fn new(plan: Plan, capabilities: Capabilities) -> Drive {
        let now = Mono::from_millis(1_000_000);
        let session = Session::new(now, plan, capabilities);
        Drive {
            session,
            now,
            peer: PeerNo(1),
            last: Vec::new(),
            all: Vec::new(),
            asked: None,
            responses: 0,
        }
    }

    pub(crate) fn input(&mut self, input: Input) -> &mut Drive {
        self.last.clear();
        self.session.handle(self.now, input, &mut self.last);
        self.all.extend(self.last.iter().cloned());
        if let Some((tag, _)) = says(&self.last).pop() {
            self.asked = Some(tag);
        }
        if let Some((at, timer)) = self.session.deadline() {
            assert!(at > self.now, "{timer:?} was left in the past");
        }
        self
    }

    pub(crate) fn media(&mut self, fact: MediaFact) -> &mut Drive {
        self.input(Input::Media(self.peer, fact))
    }

    pub(crate) fn link(&mut self, event: LinkEvent) -> &mut Drive {
        let link = self.link_no();
        self.input(Input::Link(link, event))
    }

    /// The latest link that was opened.
    pub(crate) fn link_no(&self) -> LinkNo {
        let opened = self.all.iter().rev().find_map(|output| match output {
            Output::OpenLink { link, .. } => Some(*link),
            _ => None,
        });
        opened.unwrap_or(LinkNo(1))
    }

    pub(crate) fn offer(&mut self, no: u32) -> &mut Drive {
        self.peer = PeerNo(no);
        self.input(Input::PeerOffered(PeerNo(no)))
    }

    pub(crate) fn up(&mut self) -> &mut Drive {
        let at = self.now;
        self.media(MediaFact::Up)
            .media(MediaFact::AudioFlowing { at })
    }

    pub(crate) fn ready(&mut self) -> &mut Drive {
        self.link(LinkEvent::Ready {
            vendor_id: "sess_1".to_owned(),
        })
    }

    pub(crate) fn gone(&mut self, category: FaultCategory) -> &mut Drive {
        self.link(LinkEvent::Gone {
            category,
            detail: "closed".to_owned(),
        })
    }

    /// Lets time pass, waking the session exactly when it asks for it. Returns the timers that fired.
    pub(crate) fn wait(&mut self, span: Duration) -> Vec<Timer> {
        let until = self.now + span;
        let mut fired = Vec::new();
        let mut outputs = Vec::new();
        while let Some((at, timer)) = self.session.deadline().filter(|(at, _)| *at <= until) {
            self.now = at;
            fired.push(timer);
            self.input(Input::Timeout);
            outputs.append(&mut self.last);
        }
        self.now = until;
        self.last = outputs;
        fired
    }

    pub(crate) fn wait_ms(&mut self, ms: u64) -> &mut Drive {
        self.wait(Duration::from_millis(ms));
        self
    }

    pub(crate) fn wait_s(&mut self, s: u64) -> &mut Drive {
        self.wait(Duration::from_secs(s));
        self
    }

    /// The model answers what it was asked, or of its own accord, with one utterance that is all handed over.
    pub(crate) fn respond(&mut self, item: &str, text: &str, audio_ms: u32) -> &mut Drive {
        self.respond_with(item, text, audio_ms, &[])
    }

    /// The same, and calls tools.
    pub(crate) fn respond_with(
        &mut self,
        item: &str,
        text: &str,
        audio_ms: u32,
        calls: &[(&str, &str)],
    ) -> &mut Drive {
        self.start_response();
        if !item.is_empty() {
            self.utter(item, text, audio_ms);
        }
        for (place, (name, arguments)) in calls.iter().enumerate() {
            self.call(&format!("call-{}-{place}", self.responses), name, arguments);
        }
        self.finish_response(ResponseStatus::Completed)
    }

    pub(crate) fn start_response(&mut self) -> &mut Drive {
        let tag = self.asked.take();
        self.responses += 1;
        let response = format!("resp-{}", self.responses).into();
        self.link(LinkEvent::ResponseStarted { response, tag })
    }

    pub(crate) fn utter(&mut self, item: &str, text: &str, audio_ms: u32) -> &mut Drive {
        self.begin_utterance(item);
        self.link(LinkEvent::UtteranceDelta {
            item: item.into(),
            text: text.to_owned(),
        });
        self.link(LinkEvent::UtteranceDone {
            item: item.into(),
            text: text.to_owned(),
            audio_ms,
        })
    }

    pub(crate) fn begin_utterance(&mut self, item: &str) -> &mut Drive {
        let response = format!("resp-{}", self.responses).into();
        self.link(LinkEvent::UtteranceStarted {
            response,
            item: item.into(),
        })
    }

    pub(crate) fn call(&mut self, call: &str, name: &str, arguments: &str) -> &mut Drive {
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        self.link(LinkEvent::ToolCalled {
            call: call.into(),
            name,
            arguments,
        })
    }

    pub(crate) fn finish_response(&mut self, status: ResponseStatus) -> &mut Drive {
        let response = format!("resp-{}", self.responses).into();
        self.link(LinkEvent::ResponseDone { response, status })
    }

    pub(crate) fn play_start(&mut self, item: &str) -> &mut Drive {
        let at = self.now;
        self.media(MediaFact::PlayoutStarted {
            item: item.into(),
            at,
        });
        let mut both = std::mem::take(&mut self.last);
        self.media(MediaFact::PlayoutAudible {
            item: item.into(),
            at,
        });
        both.append(&mut self.last);
        self.last = both;
        self
    }

    pub(crate) fn play_end(&mut self, item: &str, played_ms: u32, cut: bool) -> &mut Drive {
        let at = self.now;
        self.media(MediaFact::PlayoutEnded {
            item: item.into(),
            at,
            played_ms,
            cut,
        })
    }

    /// Plays an utterance to its end.
    pub(crate) fn play(&mut self, item: &str, audio_ms: u32) -> &mut Drive {
        self.play_start(item)
            .wait_ms(u64::from(audio_ms))
            .play_end(item, audio_ms, false)
    }

    /// The participant speaks, and the vendor hears it all and writes it down.
    pub(crate) fn say(&mut self, item: &str, text: &str, ms: u64) -> &mut Drive {
        self.speak(item, ms);
        self.link(LinkEvent::TranscriptDone {
            item: item.into(),
            text: text.to_owned(),
        })
    }

    /// The same, without the words.
    pub(crate) fn speak(&mut self, item: &str, ms: u64) -> &mut Drive {
        let at = self.now;
        self.media(MediaFact::SpeechStarted { at }).wait_ms(200);
        self.link(LinkEvent::SpeechStarted { item: item.into() })
            .wait_ms(ms.saturating_sub(200));
        let at = self.now;
        self.media(MediaFact::SpeechEnded { at }).wait_ms(500);
        self.link(LinkEvent::SpeechStopped { item: item.into() });
        self.link(LinkEvent::SpeechCommitted { item: item.into() })
    }

    /// To the beginning of the interview: the greeting has been asked for.
    pub(crate) fn begun(plan: Plan, capabilities: Capabilities) -> Drive {
        let mut drive = Drive::new(plan, capabilities);
        drive.offer(1).ready().up();
        assert_eq!(drive.session.state(), State::Active);
        drive
    }

    /// The greeting was played; the participant is to speak.
    pub(crate) fn greeted(plan: Plan, capabilities: Capabilities) -> Drive {
        let mut drive = Drive::begun(plan, capabilities);
        drive
            .respond("greeting", "Hello, I am an AI. What about role?", 2_000)
            .play("greeting", 2_000);
        drive
    }

    pub(crate) fn use_tokens(&mut self, component: Component, quantity: u64) -> &mut Drive {
        self.link(LinkEvent::Used(Usage::none().with(component, quantity)))
    }

    pub(crate) fn request(&mut self, request: Request) -> &mut Drive {
        self.input(Input::Participant(request))
    }

    pub(crate) fn turns(&self) -> Vec<Turn> {
        turns(&self.all)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.session.snapshot().outcome
    }

    pub(crate) fn cost(&self) -> MicroUsd {
        self.session.snapshot().cost
    }
}

pub(crate) fn says(outputs: &[Output]) -> Vec<(u32, Option<String>)> {
    commands(outputs)
        .into_iter()
        .filter_map(|command| match command {
            LinkCommand::Say { tag, also } => Some((tag, also)),
            _ => None,
        })
        .collect()
}

/// What the model was asked to say, as text; empty for a plain request.
pub(crate) fn said(outputs: &[Output]) -> Vec<String> {
    says(outputs)
        .into_iter()
        .map(|(_, also)| also.unwrap_or_default())
        .collect()
}

pub(crate) fn commands(outputs: &[Output]) -> Vec<LinkCommand> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Link { command, .. } => Some(command.clone()),
            _ => None,
        })
        .collect()
}

pub(crate) fn results(outputs: &[Output]) -> Vec<String> {
    commands(outputs)
        .into_iter()
        .filter_map(|command| match command {
            LinkCommand::ToolResult { output, .. } => Some(output),
            _ => None,
        })
        .collect()
}

pub(crate) fn heard(outputs: &[Output]) -> Vec<(ItemId, u32)> {
    commands(outputs)
        .into_iter()
        .filter_map(|command| match command {
            LinkCommand::Heard { item, played_ms } => Some((item, played_ms)),
            _ => None,
        })
        .collect()
}

pub(crate) fn entries(outputs: &[Output]) -> Vec<Entry> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Journal(entry) => Some(entry.clone()),
            _ => None,
        })
        .collect()
}

pub(crate) fn kinds(outputs: &[Output]) -> Vec<&'static str> {
    entries(outputs).iter().map(Entry::kind).collect()
}

pub(crate) fn turns(outputs: &[Output]) -> Vec<Turn> {
    entries(outputs)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Turn(turn) => Some(turn),
            _ => None,
        })
        .collect()
}

pub(crate) fn opened(outputs: &[Output]) -> Vec<(LinkNo, LinkConfig)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::OpenLink { link, config } => Some((*link, config.clone())),
            _ => None,
        })
        .collect()
}

pub(crate) fn troubles(outputs: &[Output]) -> Vec<&'static str> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Tell(Notice::Trouble { code }) => Some(*code),
            _ => None,
        })
        .collect()
}
