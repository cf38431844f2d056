//! What a session must and must not do, as slow and as plain as it can be said. Shares no code with the engine.

use std::time::Duration;

use engine::cost::{Component, MicroUsd};
use engine::ids::{CallId, ItemId, LinkNo, PeerNo, ResponseId, TopicId, TurnNo};
use engine::journal::{Entry, MoveCause};
use engine::link::{Capabilities, FaultCategory, LinkCommand, LinkEvent};
use engine::plan::{Need, Plan};
use engine::session::{Input, MediaFact, Notice, Output, Session, State};
use engine::time::Mono;

mod expect;

const LEGAL: [&str; 9] = [
    "invited waiting",
    "invited closing",
    "waiting active",
    "waiting closing",
    "active paused",
    "active closing",
    "paused active",
    "paused closing",
    "closing ended",
];

/// What the reference knows.
pub(crate) struct Reference {
    plan: Plan,
    capabilities: Capabilities,
    state: State,
    begun: Mono,
    // The participant's side.
    peer: u32,
    here: Option<(u32, bool, bool)>,
    offered: Mono,
    // The provider's side.
    link: u32,
    open: bool,
    ready: Option<Mono>,
    first_ready: Option<Mono>,
    say: Option<u32>,
    response: Option<ResponseId>,
    calls: Vec<(CallId, Verdict)>,
    told: Vec<ItemId>,
    // The interview.
    started: Option<Mono>,
    paused: Option<Mono>,
    closing: Option<Mono>,
    phase: usize,
    in_phase: Duration,
    phase_from: Option<Mono>,
    visited: Vec<usize>,
    covered: Vec<TopicId>,
    // The books.
    turns: Vec<TurnNo>,
    captions: Vec<TurnNo>,
    cost: i64,
    used: u64,
    charged: u64,
    held: Option<Mono>,
    finished: bool,
    parked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Refuse,
    Allow,
    Any,
}

impl Reference {
    pub(crate) fn new(plan: Plan, capabilities: Capabilities, now: Mono) -> Reference {
        Reference {
            plan,
            capabilities,
            state: State::Invited,
            begun: now,
            peer: 0,
            here: None,
            offered: now,
            link: 0,
            open: false,
            ready: None,
            first_ready: None,
            say: None,
            response: None,
            calls: Vec::new(),
            told: Vec::new(),
            started: None,
            paused: None,
            closing: None,
            phase: 0,
            in_phase: Duration::ZERO,
            phase_from: None,
            visited: vec![0],
            covered: Vec::new(),
            turns: Vec::new(),
            captions: Vec::new(),
            cost: 0,
            used: 0,
            charged: 0,
            held: None,
            finished: false,
            parked: false,
        }
    }

    /// Whether the session was left to another process.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked
    }

    /// Checks one step.
    pub(crate) fn check(
        &mut self,
        now: Mono,
        input: &Input,
        outputs: &[Output],
        session: &Session,
    ) {
        if self.finished {
            assert_eq!(outputs, [], "an ended session swallows everything");
            assert_eq!(session.deadline(), None);
            return;
        }
        let before = self.state;
        self.take(now, input);
        for (place, output) in outputs.iter().enumerate() {
            assert!(!self.finished, "nothing comes after Finish");
            self.output(now, output, place + 1 == outputs.len());
        }
        assert_eq!(session.state(), self.state, "after {input:?}");
        self.expect_state(before, now, input, outputs);
        self.expect_bounds(now);
        self.expect_books(session, outputs);
        if let Some((at, timer)) = session.deadline() {
            assert!(at > now, "{timer:?} was left in the past");
        }
        if self.response.is_none() && self.ready.is_some() && !self.finished {
            assert!(
                self.calls.is_empty(),
                "calls without an answer: {:?}",
                self.calls
            );
        }
    }

    /// Learns what an input says. If its link was given up in the same step, the outputs undo that.
    fn take(&mut self, now: Mono, input: &Input) {
        match input {
            Input::PeerOffered(PeerNo(no)) if *no > self.peer => {
                (self.peer, self.here, self.offered) = (*no, Some((*no, false, false)), now);
            }
            Input::Media(PeerNo(no), fact) => {
                if let Some(here) = self.here.as_mut().filter(|here| here.0 == *no) {
                    match fact {
                        MediaFact::Up => here.1 = true,
                        MediaFact::AudioFlowing { .. } => here.2 |= here.1,
                        MediaFact::Lost => self.here = None,
                        _ => {}
                    }
                }
            }
            Input::Link(LinkNo(no), LinkEvent::Used(usage)) if *no <= self.link => {
                self.used += usage.get(Component::AudioIn) + usage.get(Component::TextOut);
            }
            Input::Link(LinkNo(no), event) if *no == self.link && self.open => {
                self.hear(now, event);
            }
            _ => {}
        }
    }

    fn hear(&mut self, now: Mono, event: &LinkEvent) {
        let early = matches!(
            event,
            LinkEvent::Ready { .. } | LinkEvent::Fault { .. } | LinkEvent::Gone { .. }
        );
        if self.ready.is_none() && !early {
            return;
        }
        match event {
            LinkEvent::Ready { .. } => {
                self.ready.get_or_insert(now);
                self.first_ready.get_or_insert(now);
            }
            LinkEvent::ResponseStarted { response, .. } => {
                self.say = None;
                self.response = Some(response.clone());
            }
            LinkEvent::ResponseDone { response, .. }
                if self.response.as_ref() == Some(response) =>
            {
                self.response = None;
            }
            LinkEvent::Fault { category, .. } if *category != FaultCategory::Benign => {
                self.say = None
            }
            LinkEvent::ToolCalled {
                call,
                name,
                arguments,
            } => {
                let verdict = self.judge(now, name, arguments);
                self.calls.push((call.clone(), verdict));
            }
            _ => {}
        }
    }

    /// Whether the protocol allows what the model asks for.
    fn judge(&self, now: Mono, name: &str, arguments: &str) -> Verdict {
        if self.state != State::Active {
            return Verdict::Any;
        }
        let phase = &self.plan.phases[self.phase];
        let value = arguments.split('"').nth(3).unwrap_or("");
        match name {
            "advance_phase" => {
                let legal = phase.next.iter().any(|next| next.name() == value);
                let spent = self.spent(now);
                let open = phase
                    .topics
                    .iter()
                    .any(|t| t.need == Need::Required && !self.covered.contains(&t.id));
                if !legal || spent < phase.min || (open && spent < phase.max) {
                    Verdict::Refuse
                } else {
                    Verdict::Allow
                }
            }
            "cover_topic" => {
                let known = self.visited.iter().any(|place| {
                    self.plan.phases[*place]
                        .topics
                        .iter()
                        .any(|topic| topic.id.as_str() == value)
                });
                if known {
                    Verdict::Allow
                } else {
                    Verdict::Refuse
                }
            }
            _ => Verdict::Refuse,
        }
    }

    fn spent(&self, now: Mono) -> Duration {
        self.in_phase
            + self
                .phase_from
                .map_or(Duration::ZERO, |from| now.since(from))
    }

    fn lose_link(&mut self) {
        (self.open, self.ready, self.say, self.response) = (false, None, None, None);
        self.calls.clear();
    }

    /// Learns, and checks, what the session does.
    fn output(&mut self, now: Mono, output: &Output, last: bool) {
        match output {
            Output::Journal(entry) => self.entry(now, entry),
            Output::OpenLink { link, config } => {
                assert_eq!(link.0, self.link + 1, "links are numbered one by one");
                assert!(!self.open, "one link at a time");
                self.lose_link();
                (self.link, self.open) = (link.0, true);
                assert!(
                    config
                        .instructions
                        .contains(&format!("## Phase: p{}", self.phase))
                );
            }
            Output::CloseLink { link } => {
                assert_eq!(
                    (link.0, self.open),
                    (self.link, true),
                    "only what is open is closed"
                );
                self.lose_link();
            }
            Output::Link { link, command } => {
                assert_eq!(link.0, self.link);
                assert!(
                    self.ready.is_some(),
                    "only a link that is ready is told anything: {command:?}"
                );
                self.command(command);
            }
            Output::Tell(Notice::State(state)) if *state != self.state => self.go(now, *state),
            Output::Tell(Notice::Ended { .. }) => self.go(now, State::Ended),
            Output::Tell(Notice::Caption {
                turn, last: true, ..
            }) => {
                assert_eq!(
                    self.turns.last(),
                    Some(turn),
                    "the journal is written before the world is told"
                );
                self.captions.push(*turn);
            }
            Output::PlayHold { .. } => {
                assert_eq!(
                    self.state,
                    State::Active,
                    "nobody is told to wait who is not there"
                );
                let since = self.held.map(|held| now.since(held));
                assert!(since.is_none_or(|since| since >= Duration::from_secs(30)));
                self.held = Some(now);
            }
            // If a timer ended the session in the step of an offer, the offer was not seen.
            Output::ClosePeer { peer } => assert!(peer.0 <= self.peer),
            Output::Park => {
                assert!(last && self.state == State::Paused && !self.open);
                assert_eq!(self.captions.len(), self.turns.len());
                (self.finished, self.parked) = (true, true);
            }
            Output::Finish { .. } => {
                assert!(last && self.state == State::Ended);
                self.finished = true;
                self.turns.sort_unstable();
                let dense: Vec<TurnNo> = (1..).map(TurnNo).take(self.turns.len()).collect();
                assert_eq!(
                    self.turns, dense,
                    "turns are numbered without a gap, and each is written down once"
                );
                assert_eq!(self.captions.len(), self.turns.len());
            }
            _ => {}
        }
    }

    fn command(&mut self, command: &LinkCommand) {
        match command {
            LinkCommand::Say { tag, .. } => {
                assert_eq!(self.say, None, "one request at a time");
                assert_eq!(
                    self.response, None,
                    "no request while a response is in progress"
                );
                assert!(self.calls.is_empty(), "results come before words");
                self.say = Some(*tag);
            }
            LinkCommand::ToolResult { call, output } => {
                assert_eq!(
                    self.response, None,
                    "results come when the response that called is done"
                );
                let place = self
                    .calls
                    .iter()
                    .position(|(known, _)| known == call)
                    .expect("only calls are answered");
                let (_, verdict) = self.calls.remove(place);
                let allowed = output.starts_with("{\"ok\":true");
                match verdict {
                    Verdict::Refuse => assert!(!allowed, "{output}"),
                    Verdict::Allow => {
                        // It may be on its way elsewhere, or a timer of the same step came first.
                        let excused =
                            output.contains("already moving") || output.contains("not going on");
                        assert!(allowed || excused, "{output}");
                    }
                    Verdict::Any => {}
                }
            }
            LinkCommand::Heard { item, .. } => {
                assert!(self.capabilities.truncation);
                assert!(
                    !self.told.contains(item),
                    "an utterance is truncated once: {item}"
                );
                self.told.push(item.clone());
            }
            LinkCommand::Instruct { instructions } => {
                assert!(instructions.contains(&format!("## Phase: p{}", self.phase)));
            }
            LinkCommand::Cancel => assert!(self.response.is_some(), "there is something to cancel"),
        }
    }

    fn entry(&mut self, now: Mono, entry: &Entry) {
        match entry {
            Entry::PhaseEntered { phase, cause, .. } => self.enter(now, phase.as_str(), *cause),
            Entry::TopicCovered { topic, .. } => {
                assert!(!self.covered.contains(topic), "a topic is covered once");
                self.covered.push(topic.clone());
            }
            Entry::Turn(turn) => {
                assert!(turn.end_ms >= turn.start_ms, "{turn:?}");
                self.turns.push(turn.turn);
            }
            Entry::LinkGone { .. } => self.lose_link(),
            Entry::Charged { charges } => {
                for charge in charges {
                    self.cost += charge.cost.0;
                    let price: u64 = match charge.component {
                        Component::AudioIn => 32_000_000,
                        Component::ConnectionMs => 833_333,
                        _ => 0,
                    };
                    let exact = charge.quantity * price;
                    let rounded = exact / 1_000_000 + u64::from(exact % 1_000_000 >= 500_000);
                    assert_eq!(charge.cost, MicroUsd(i64::try_from(rounded).unwrap()));
                    if charge.component != Component::ConnectionMs {
                        self.charged += charge.quantity;
                    }
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, now: Mono, name: &str, cause: MoveCause) {
        let place = self
            .plan
            .phases
            .iter()
            .position(|phase| phase.id.as_str() == name)
            .unwrap();
        let phase = &self.plan.phases[self.phase];
        match cause {
            MoveCause::Start => assert_eq!((place, self.started), (0, None)),
            MoveCause::Model => assert!(phase.next.iter().any(|next| next.name() == name)),
            MoveCause::Overrun => {
                assert_eq!(phase.next[0].name(), name);
                assert!(self.spent(now) >= phase.max);
            }
            MoveCause::Wrapup => assert_eq!(place, 2),
        }
        (self.phase, self.in_phase, self.phase_from) = (place, Duration::ZERO, Some(now));
        if !self.visited.contains(&place) {
            self.visited.push(place);
        }
    }

    fn go(&mut self, now: Mono, to: State) {
        let step = format!("{} {}", self.state.name(), to.name());
        assert!(LEGAL.contains(&step.as_str()), "{step}");
        if self.state == State::Active {
            self.in_phase = self.spent(now);
            self.phase_from = None;
        }
        match to {
            State::Active if self.started.is_none() => self.started = Some(now),
            State::Paused => self.paused = Some(now),
            State::Closing => self.closing = Some(now),
            _ => {}
        }
        if to == State::Active {
            self.phase_from = Some(now);
        }
        self.state = to;
    }
}
