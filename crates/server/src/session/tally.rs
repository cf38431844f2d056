//! Counts what an operator must know of drops and returns: what the session decides is looked at beside the fact that made
//! it decide so.

use engine::journal::{Entry, Outcome};
use engine::session::{Input, Output, State};

use crate::metrics::Metrics;

/// By what a participant came, or came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With the grant of the tab that dropped out.
    Grant,
    /// With the link alone.
    Link,
}

impl Way {
    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Way::Grant => "grant",
            Way::Link => "link",
        }
    }
}

/// What made a session decide something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Offer,
    Media,
    Provider,
    Time,
    Park,
    Person,
}

/// The circumstances of a decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    fact: Fact,
    before: State,
    way: Way,
    /// A link was let go in this very decision: what is opened in it was planned.
    let_go: bool,
}

impl Tally {
    /// Of a session that is in this state, about to be told this, and whose participant came by this way.
    pub(super) fn new(input: &Input, before: State, way: Way) -> Tally {
        let fact = match input {
            Input::PeerOffered(_) => Fact::Offer,
            Input::Media(..) => Fact::Media,
            Input::Link(..) => Fact::Provider,
            Input::Timeout => Fact::Time,
            Input::Park => Fact::Park,
            Input::Participant(_) | Input::OperatorEnd => Fact::Person,
        };
        Tally {
            fact,
            before,
            way,
            let_go: false,
        }
    }

    /// Counts what was decided.
    pub(super) fn count(&mut self, output: &Output, metrics: &Metrics) {
        match output {
            Output::Journal(Entry::Paused { .. }) => {
                metrics
                    .pauses
                    .get_or_create(&[("cause", self.pause())])
                    .inc();
            }
            Output::Journal(Entry::Resumed { .. }) => {
                metrics
                    .resumes
                    .get_or_create(&[("way", self.way.name())])
                    .inc();
            }
            Output::Journal(Entry::Closing { outcome, .. }) => {
                if let Some(cause) = self.loss(*outcome) {
                    metrics.losses.get_or_create(&[("cause", cause)]).inc();
                    if cause == "window" {
                        metrics.zombies_reaped.inc();
                    }
                }
            }
            Output::Journal(Entry::LinkGone { .. }) => self.let_go = true,
            Output::OpenLink { .. } => {
                if let Some(trigger) = self.rebuild() {
                    metrics
                        .rebuilds
                        .get_or_create(&[("trigger", trigger)])
                        .inc();
                }
            }
            Output::Journal(_)
            | Output::Link { .. }
            | Output::CloseLink { .. }
            | Output::CutPlayout
            | Output::DropUtterance { .. }
            | Output::PlayHold { .. }
            | Output::Tell(_)
            | Output::Measure { .. }
            | Output::ClosePeer { .. }
            | Output::Park
            | Output::Finish { .. } => {}
        }
    }

    fn pause(&self) -> &'static str {
        match self.fact {
            Fact::Offer => "replaced",
            Fact::Media => "connection",
            Fact::Park => "deploy",
            // Only a provider that stays away makes a session pause for its own sake.
            Fact::Provider | Fact::Time | Fact::Person => "provider",
        }
    }

    fn loss(&self, outcome: Outcome) -> Option<&'static str> {
        if outcome == Outcome::Technical {
            return Some("provider");
        }
        (self.before == State::Paused && self.fact == Fact::Time).then_some("window")
    }

    /// A link that is opened in an interview that has begun takes the place of one before.
    fn rebuild(&self) -> Option<&'static str> {
        if matches!(self.before, State::Invited | State::Waiting) {
            return None;
        }
        if self.let_go {
            return Some("renewed");
        }
        Some(match self.fact {
            Fact::Offer | Fact::Media => "return",
            Fact::Provider | Fact::Time | Fact::Park | Fact::Person => "lost",
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::ids::PeerNo;
    use engine::session::MediaFact;

    use super::*;

    fn tally(input: &Input, before: State) -> Tally {
        Tally::new(input, before, Way::Grant)
    }

    #[test]
    fn every_drop_return_and_loss_is_counted_under_what_made_it() {
        let offer = Input::PeerOffered(PeerNo(2));
        let lost = Input::Media(PeerNo(1), MediaFact::Lost);
        let paused = Output::Journal(Entry::Paused { timeline_ms: 0 });
        let resumed = Output::Journal(Entry::Resumed { timeline_ms: 0 });
        let closing = |outcome| {
            Output::Journal(Entry::Closing {
                outcome,
                timeline_ms: 0,
            })
        };
        let partial = closing(Outcome::Partial);
        let technical = closing(Outcome::Technical);
        let (active, gone) = (State::Active, State::Paused);
        let cases: [(&Input, State, &Output, &str); 8] = [
            (&offer, active, &paused, "pauses_total{cause=\"replaced\"}"),
            (&lost, active, &paused, "pauses_total{cause=\"connection\"}"),
            (
                &Input::Park,
                active,
                &paused,
                "pauses_total{cause=\"deploy\"}",
            ),
            (
                &Input::Timeout,
                active,
                &paused,
                "pauses_total{cause=\"provider\"}",
            ),
            (&lost, gone, &resumed, "resumes_total{way=\"grant\"}"),
            (
                &Input::Timeout,
                gone,
                &partial,
                "losses_total{cause=\"window\"}",
            ),
            (
                &Input::Timeout,
                active,
                &technical,
                "losses_total{cause=\"provider\"}",
            ),
            // Time ran out while the participant was there, or the participant left: nothing was lost.
            (&Input::Timeout, active, &partial, ""),
        ];
        for (input, before, output, counted) in cases {
            let metrics = Metrics::new();
            let mut tally = tally(input, before);
            tally.count(output, &metrics);
            let text = metrics.text();
            let ones: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_suffix(" 1"))
                .filter(|line| !line.starts_with("colloquy_build_info"))
                .collect();
            let reaped = counted.contains("window").then_some("zombies_reaped_total");
            let expected: Vec<String> = reaped
                .iter()
                .chain([&counted])
                .filter(|name| !name.is_empty())
                .map(|name| format!("colloquy_{name}"))
                .collect();
            assert_eq!(ones, expected, "{input:?} {before:?}");
        }
    }
}
