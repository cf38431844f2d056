//! The phase machine: who may move the interview, and when time moves it.
//!
//! The model asks by tool call, this decides. A refusal is a sentence for the model, so it says what to do instead.

use std::time::Duration;

use crate::ids::{PhaseId, TopicId};
use crate::plan::{Need, Next, Phase, Plan, Topic};
use crate::time::Mono;

use super::past::PastInterview;

/// Where a move leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To the phase at this place in the plan.
    Phase(usize),
    /// To the end of the interview.
    End,
}

/// What came of a `cover_topic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// Covered now; the phase that the topic belongs to.
    New(usize),
    /// It was covered before.
    Already,
}

/// Whether the model was told that time is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nudge {
    /// Not in this phase.
    NotYet,
    /// Told.
    Given,
}

/// Where the interview is in its plan.
#[derive(Clone, Debug)]
pub(crate) struct Phases {
    current: usize,
    visited: Vec<usize>,
    covered: Vec<(usize, TopicId)>,
    /// Time in this phase up to the last pause.
    spent: Duration,
    /// When the clock of the phase was last started; none while it stands.
    since: Option<Mono>,
    nudge: Nudge,
    /// Counts changes of the instructions, so that a link knows whether it has the latest.
    version: u32,
}

impl Phases {
    /// Before the interview: the first phase, its clock standing.
    pub(crate) fn new() -> Phases {
        Phases {
            current: 0,
            visited: vec![0],
            covered: Vec::new(),
            spent: Duration::ZERO,
            since: None,
            nudge: Nudge::NotYet,
            version: 1,
        }
    }

    /// As far as an earlier process got, the clock standing.
    pub(crate) fn restored(plan: &Plan, past: &PastInterview) -> Phases {
        let place = |id: &PhaseId| plan.phases.iter().position(|phase| phase.id == *id);
        let current = place(&past.phase).unwrap_or(0);
        let mut visited: Vec<usize> = past.visited.iter().filter_map(place).collect();
        visited.push(current);
        visited.dedup();
        let covered = past.covered.iter().filter_map(|topic| {
            let asks = |phase: &Phase| phase.topics.iter().any(|known| known.id == *topic);
            Some((plan.phases.iter().position(asks)?, topic.clone()))
        });
        Phases {
            current,
            visited,
            covered: covered.collect(),
            spent: past.spent,
            since: None,
            nudge: if past.nudged {
                Nudge::Given
            } else {
                Nudge::NotYet
            },
            version: 1,
        }
    }

    /// The place of the current phase.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// The current phase.
    pub(crate) fn phase<'p>(&self, plan: &'p Plan) -> &'p Phase {
        plan.phases
            .get(self.current)
            .expect("targets are only made of places in the plan, which is not empty")
    }

    /// How often the instructions have changed.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Whether the model was told that time is short.
    pub(crate) fn nudge(&self) -> Nudge {
        self.nudge
    }

    /// Tells the model, by its instructions, that time is short.
    pub(crate) fn give_nudge(&mut self) {
        self.nudge = Nudge::Given;
        self.version = self.version.wrapping_add(1);
    }

    /// Enters a phase and starts its clock.
    pub(crate) fn enter(&mut self, now: Mono, place: usize) {
        if place != self.current || self.since.is_some() {
            self.version = self.version.wrapping_add(1);
        }
        self.current = place;
        if !self.visited.contains(&place) {
            self.visited.push(place);
        }
        self.spent = Duration::ZERO;
        self.since = Some(now);
        self.nudge = Nudge::NotYet;
    }

    /// Stops the clock of the phase.
    pub(crate) fn pause(&mut self, now: Mono) {
        self.spent = self.spent(now);
        self.since = None;
    }

    /// Starts it again.
    pub(crate) fn resume(&mut self, now: Mono) {
        self.since = Some(now);
    }

    /// Time spent in this phase, pauses not counted.
    pub(crate) fn spent(&self, now: Mono) -> Duration {
        self.spent
            .saturating_add(self.since.map_or(Duration::ZERO, |since| now.since(since)))
    }

    /// Topics covered, in the order in which they were.
    pub(crate) fn covered(&self) -> impl Iterator<Item = &TopicId> {
        self.covered.iter().map(|(_, topic)| topic)
    }

    /// Whether a topic was covered.
    pub(crate) fn is_covered(&self, topic: &TopicId) -> bool {
        self.covered().any(|known| known == topic)
    }

    /// Whether the interview may end in this phase.
    pub(crate) fn may_end(&self, plan: &Plan) -> bool {
        let next = &self.phase(plan).next;
        next.is_empty() || next.contains(&Next::End)
    }

    /// Whether every required topic of the study was covered.
    pub(crate) fn all_required_covered(&self, plan: &Plan) -> bool {
        plan.phases
            .iter()
            .flat_map(|phase| &phase.topics)
            .all(|topic| self.is_settled(topic))
    }

    /// Where time moves the interview: the first legal next phase.
    pub(crate) fn successor(&self, plan: &Plan) -> Target {
        self.phase(plan)
            .next
            .first()
            .and_then(|next| place_of(plan, next))
            .unwrap_or(Target::End)
    }

    /// Time until the planned end: what is left of this phase, and the phases after it, held at `most`.
    pub(crate) fn left(&self, plan: &Plan, now: Mono, most: Duration) -> Duration {
        let here = self.phase(plan).target.saturating_sub(self.spent(now));
        let after = plan.phases.iter().skip(self.current.saturating_add(1));
        after
            .fold(here, |sum, phase| sum.saturating_add(phase.target))
            .min(most)
    }

    /// Decides whether the model may move on.
    ///
    /// # Errors
    ///
    /// The reason, in words for the model.
    pub(crate) fn judge(&self, plan: &Plan, now: Mono, to: &str) -> Result<Target, String> {
        let phase = self.phase(plan);
        let legal = phase.next.iter().find(|next| next.name() == to);
        let ends_by_default = phase.next.is_empty() && to == Next::End.name();
        let target = match legal {
            Some(next) => place_of(plan, next),
            None => ends_by_default.then_some(Target::End),
        };
        let Some(target) = target else {
            return Err(format!(
                "There is no way from here to {to:?}. Legal: {}.",
                legal_names(phase)
            ));
        };
        let spent = self.spent(now);
        if spent < phase.min {
            return Err(format!(
                "This phase lasts at least {}; {} have passed. Follow up on what was said, then try again.",
                minutes(phase.min),
                minutes(spent)
            ));
        }
        let open: Vec<&str> = phase
            .topics
            .iter()
            .filter(|t| !self.is_settled(t))
            .map(|t| t.id.as_str())
            .collect();
        if !open.is_empty() && spent < phase.max {
            return Err(format!(
                "Required topics are not covered yet: {}. Ask about them, call cover_topic, then try again.",
                open.join(", ")
            ));
        }
        Ok(target)
    }

    /// Marks a topic as covered.
    ///
    /// # Errors
    ///
    /// The reason, in words for the model: the topic belongs to no phase that was visited.
    pub(crate) fn cover(&mut self, plan: &Plan, name: &str) -> Result<Cover, String> {
        let found = self.visited.iter().find_map(|place| {
            let topic = plan
                .phases
                .get(*place)?
                .topics
                .iter()
                .find(|topic| topic.id.as_str() == name)?;
            Some((*place, topic.id.clone()))
        });
        let Some((place, topic)) = found else {
            let ids: Vec<&str> = self
                .phase(plan)
                .topics
                .iter()
                .map(|topic| topic.id.as_str())
                .collect();
            return Err(format!(
                "There is no topic {name:?} in this phase. Its topics: {}.",
                ids.join(", ")
            ));
        };
        if self.is_covered(&topic) {
            return Ok(Cover::Already);
        }
        self.covered.push((place, topic));
        Ok(Cover::New(place))
    }

    fn is_settled(&self, topic: &Topic) -> bool {
        topic.need == Need::Optional || self.is_covered(&topic.id)
    }
}

/// Names of the legal moves from a phase, as the model writes them.
pub(crate) fn legal_names(phase: &Phase) -> String {
    if phase.next.is_empty() {
        return Next::End.name().to_owned();
    }
    phase
        .next
        .iter()
        .map(Next::name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn place_of(plan: &Plan, next: &Next) -> Option<Target> {
    match next {
        Next::End => Some(Target::End),
        Next::Phase(id) => plan
            .phases
            .iter()
            .position(|phase| phase.id == *id)
            .map(Target::Phase),
    }
}

fn minutes(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s} s"),
        (m, 0) => format!("{m} min"),
        (m, s) => format!("{m} min {s} s"),
    }
}
