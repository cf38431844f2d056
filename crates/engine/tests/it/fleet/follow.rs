//! The reference follows one step.

use std::time::Duration;

use engine::ids::{LinkNo, PeerNo};
use engine::journal::{Entry, MoveCause, Outcome};
use engine::link::{LinkCommand, LinkConfig, LinkEvent};
use engine::session::{Input, MediaFact, Output, Request, Session, State};

use super::super::story::{GREETING, WINDOW};
use super::{Reference, Stage, has_park, sum};

/// The plan's limits of a phase, and of silence.
const TARGET: Duration = Duration::from_secs(60);
const MAX: Duration = Duration::from_secs(180);
const SILENCE: Duration = Duration::from_secs(180);

/// How much longer than its maximum a phase may last: words that are being said, a settled moment, a link that stalls.
const SLACK: Duration = Duration::from_secs(20);

/// What the journal rounds away at each entry.
const ROUNDING: Duration = Duration::from_millis(20);

impl Reference {
    /// Checks one step.
    pub(crate) fn check(
        &mut self,
        now: Duration,
        input: &Input,
        outputs: &[Output],
        session: &Session,
    ) {
        if self.left || self.stage == Stage::Over {
            self.rule(outputs.is_empty(), "it swallows everything now");
            self.rule(session.deadline().is_none(), "a timer outlived its session");
            return;
        }
        if self.stage == Stage::Talking {
            let passed = now.saturating_sub(self.last);
            self.talked = self.talked.map(|talked| talked + passed);
        }
        self.last = now;
        // Whoever comes after the window is too late, however late the server wakes.
        if let Stage::Away { until: Some(until) } = self.stage
            && now > until
        {
            self.stage = Stage::Closing;
        }
        let sounded = self.sounding.clone();
        let bills = self.bills.len();
        self.take(now, input);
        for output in outputs {
            self.output(output, has_park(outputs), sounded.as_ref());
        }
        if self.stage == Stage::Over && self.charged.len() < self.bills.len() {
            // What came after the end is not charged.
            self.bills.truncate(bills);
        }
        self.rule(
            self.charged == self.bills,
            "what is used is charged at once",
        );
        if self.charged.len() > bills {
            let cost = session.snapshot().cost.0;
            self.rule(
                cost == sum(&self.bills),
                "the cost is the sum of the charges",
            );
        }
        // A kill may take back what had been counted; nothing else does.
        let late = self.kills == 0 && self.talked.is_some_and(|talked| talked > MAX + SLACK);
        let on_time = self.stage != Stage::Talking || !late;
        self.rule(on_time, "the clock of the phase stood while people talked");
        let spent = self.budget.is_some_and(|cap| sum(&self.charged) >= cap);
        let going_on = matches!(self.stage, Stage::Talking | Stage::Away { .. });
        self.rule(!(spent && going_on), "it goes on without a budget");
        if has_park(outputs) {
            self.left = true;
            return;
        }
        let fits = match session.state() {
            State::Invited | State::Waiting => self.stage == Stage::Before,
            State::Active => self.stage == Stage::Talking,
            State::Paused => matches!(self.stage, Stage::Away { .. }),
            State::Closing => self.stage == Stage::Closing,
            State::Ended => self.stage == Stage::Over,
        };
        self.rule(
            fits,
            &format!("it is {:?} after {input:?}", session.state()),
        );
        self.words_are_written(input);
    }

    /// Learns what an input says.
    fn take(&mut self, now: Duration, input: &Input) {
        match input {
            Input::PeerOffered(PeerNo(no)) if *no > self.peer => {
                (self.peer, self.up) = (*no, false);
                self.pause(now);
            }
            Input::Media(PeerNo(no), fact) => self.take_media(now, *no, fact),
            Input::Link(LinkNo(no), event) => self.take_link(now, *no, event),
            Input::Participant(Request::End) | Input::OperatorEnd => self.pressed = true,
            Input::Park if self.stage == Stage::Talking => {
                self.stage = Stage::Away { until: None };
            }
            _ => {}
        }
    }

    fn pause(&mut self, now: Duration) {
        if self.stage == Stage::Talking {
            let until = Some(now + WINDOW);
            self.stage = Stage::Away { until };
        }
    }

    fn take_media(&mut self, now: Duration, no: u32, fact: &MediaFact) {
        match fact {
            MediaFact::Up if no == self.peer && !self.up => {
                self.up = true;
                if matches!(self.stage, Stage::Away { .. }) {
                    self.stage = Stage::Talking;
                }
            }
            MediaFact::Lost if no == self.peer => {
                self.up = false;
                self.pause(now);
            }
            MediaFact::SpeechStarted { .. } | MediaFact::SpeechEnded { .. } => {
                self.quiet_since = now;
            }
            MediaFact::PlayoutStarted { item, .. } => self.sounding = Some(item.clone()),
            MediaFact::PlayoutEnded { item, cut, .. } => {
                if self.sounding.as_ref() == Some(item) {
                    self.sounding = None;
                }
                if let Some(text) = self.texts.get(item).filter(|_| !*cut) {
                    self.owed.push(text.clone());
                }
            }
            _ => {}
        }
    }

    fn take_link(&mut self, now: Duration, no: u32, event: &LinkEvent) {
        match event {
            LinkEvent::Used(usage) if no <= self.link => self.bills.push(Self::bill(usage)),
            _ if !self.links.contains(&no) => {}
            LinkEvent::Gone { .. } => {
                self.links.remove(&no);
            }
            LinkEvent::SpeechStarted { .. } | LinkEvent::SpeechStopped { .. } => {
                self.quiet_since = now;
            }
            LinkEvent::UtteranceDone { item, text, .. } if item.as_str() != "ghost" => {
                self.texts.insert(item.clone(), text.clone());
            }
            LinkEvent::ToolCalled {
                name, arguments, ..
            } => {
                self.model_ended |= name == "advance_phase" && arguments.contains("end");
            }
            _ => {}
        }
    }

    /// What the participant said is written down as soon as the words are there.
    fn words_are_written(&mut self, input: &Input) {
        if let Input::Link(LinkNo(no), LinkEvent::TranscriptDone { item, text }) = input
            && self.links.contains(no)
        {
            let times = self.turns.iter().filter(|turn| turn.item == *item);
            let kept = times.filter(|turn| turn.text == *text).count() == 1;
            self.rule(kept, "words of the participant are not written down once");
            self.owed.push(text.clone());
        }
    }

    /// Learns, and checks, what the session does.
    fn output(&mut self, output: &Output, parks: bool, sounded: Option<&engine::ids::ItemId>) {
        match output {
            Output::Journal(entry) => self.entry(entry, parks),
            Output::OpenLink { link, config } => {
                self.rule(self.links.is_empty(), "one link at a time");
                self.rule(link.0 > self.link, "a link's number twice");
                self.link = link.0;
                self.links.insert(link.0);
                self.remembers(config, sounded);
            }
            Output::CloseLink { link } => {
                let open = self.links.remove(&link.0);
                self.rule(open, "only what is open is closed");
            }
            Output::Link {
                command: LinkCommand::Say { also, .. },
                ..
            } => {
                let greets = also.as_ref().is_some_and(|also| also.contains(GREETING));
                let spoken = |turn: &super::Turn| turn.item.as_str().starts_with('a');
                let heard = self.turns.iter().any(spoken);
                self.rule(!(greets && heard), "nobody is greeted twice");
            }
            _ => {}
        }
    }

    fn entry(&mut self, entry: &Entry, parks: bool) {
        match entry {
            Entry::PhaseEntered { cause, .. } => {
                if *cause == MoveCause::Start {
                    self.rule(self.stage == Stage::Before, "it begins once");
                    self.stage = Stage::Talking;
                    self.began.get_or_insert(self.last);
                }
                if *cause == MoveCause::Overrun {
                    self.has_lasted(MAX);
                }
                self.phases += 1;
                self.talked = Some(Duration::ZERO);
            }
            Entry::Nudged { .. } => self.has_lasted(TARGET),
            Entry::Paused { .. } => {
                if parks && self.stage == Stage::Talking {
                    self.stage = Stage::Away { until: None };
                }
                let away = matches!(self.stage, Stage::Away { .. });
                self.rule(away, "it pauses when nobody is there");
            }
            Entry::Resumed { .. } => {
                self.rule(
                    self.stage == Stage::Talking,
                    "it resumes who is back in time",
                );
            }
            Entry::Closing { outcome, .. } => {
                let reason = self.may_close(*outcome);
                self.rule(reason, &format!("it is closed as {outcome:?}"));
                self.stage = Stage::Closing;
            }
            Entry::Ended { .. } => {
                self.rule(self.stage == Stage::Closing, "it is closed before it ends");
                self.stage = Stage::Over;
            }
            Entry::Turn(turn) => self.turns.push(turn.clone()),
            Entry::Charged { charges } => {
                let cost = charges.iter().map(|charge| charge.cost.0).sum();
                self.charged.push(cost);
            }
            _ => {}
        }
    }

    fn has_lasted(&mut self, span: Duration) {
        let lasted = self.talked.is_none_or(|talked| talked + ROUNDING >= span);
        self.rule(lasted, "the clock of the phase ran during a pause");
    }

    fn may_close(&self, outcome: Outcome) -> bool {
        let silent = self.last.saturating_sub(self.quiet_since) >= SILENCE;
        let over = self.phases >= 3 && self.talked.is_none_or(|talked| talked + ROUNDING >= MAX);
        match outcome {
            Outcome::Complete => self.model_ended || self.pressed || silent || over,
            Outcome::Partial => self.stage == Stage::Closing || self.pressed || silent,
            Outcome::NoShow => self.stage == Stage::Before,
            Outcome::Budget => self.budget.is_some_and(|cap| sum(&self.charged) >= cap),
            Outcome::Technical => self.misconfigured || self.stage == Stage::Before,
            _ => false,
        }
    }

    /// A link is given everything that was heard, in its order, and nothing else.
    fn remembers(&mut self, config: &LinkConfig, sounded: Option<&engine::ids::ItemId>) {
        let mut heard: Vec<&super::Turn> = self
            .turns
            .iter()
            .filter(|turn| !turn.text.is_empty() && !turn.item.as_str().starts_with("hold"))
            .collect();
        heard.sort_by_key(|turn| (turn.start_ms, turn.turn));
        let mut heard = heard.into_iter().peekable();
        let mut right = true;
        for (_, text) in &config.history {
            if heard.next_if(|turn| turn.text == *text).is_some() {
                continue;
            }
            // What is being played counts as heard.
            right &= sounded.is_some() || self.sounding.is_some();
        }
        right &= heard.next().is_none();
        if !right {
            let given = &config.history;
            let turns: Vec<_> = self
                .turns
                .iter()
                .map(|turn| (turn.turn, turn.start_ms, &turn.text))
                .collect();
            let what = format!("the link is not given what was heard: {given:?} of {turns:?}");
            self.complain(&what);
        }
    }
}
