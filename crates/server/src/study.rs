//! The study file: a researcher's protocol in YAML, checked as a whole, and what a session needs of it.
//!
//! [`parse`] names every mistake at once, each with its line, its field and what to write instead. What it returns is
//! consistent: every phase can be reached and leads to the end, ids are unique, minutes are in order.

mod read;
mod reader;
mod rules;
mod yaml;

use std::collections::BTreeMap;
use std::time::Duration;

use engine::cost::{MicroUsd, Prices};
use engine::ids::{PhaseId, StudyId};
use engine::journal::Outcome;
use engine::link::Patience;
use engine::plan::{Limits, Need, Phase, Plan, Topic};
use store::Length;

use crate::mistake::Mistake;

/// The JSON Schema of a study file, for editors; `colloquy study schema` prints it.
pub const SCHEMA_JSON: &str = include_str!("../study.schema.json");

/// A checked study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Study {
    /// Slug.
    pub id: StudyId,
    /// Title that participants see.
    pub title: String,
    /// Who asks.
    pub organisation: String,
    /// Whom participants can ask.
    pub contact: String,
    /// First words on the page.
    pub welcome: String,
    /// What participants agree to.
    pub consent_text: String,
    /// BCP 47 languages, the first is the default.
    pub languages: Vec<String>,
    /// Provider profiles in order of preference; empty: the server's default.
    pub providers: Vec<String>,
    /// Model instead of the profile's.
    pub model: Option<String>,
    /// Voice instead of the profile's.
    pub voice: Option<String>,
    /// What the interviewer is like in all phases.
    pub persona: String,
    /// Its first words.
    pub greeting: String,
    /// Its last words.
    pub closing: String,
    /// Pauses.
    pub patience: Patience,
    /// Cap of one session.
    pub budget: Option<MicroUsd>,
    /// What one session should cost, to compare with.
    pub cost_target: Option<MicroUsd>,
    /// Limits of one session.
    pub limits: Limits,
    /// How long after a drop the participant's own link still leads back.
    pub resume_window: Duration,
    /// Minutes after the end of an interview within which its results are promised; none: as the server's configuration says.
    pub results_within_min: Option<u32>,
    /// What participants get at the end, by outcome.
    pub completion: BTreeMap<Outcome, Completion>,
    /// Topics for coding; empty: open coding.
    pub codebook: Vec<Code>,
    /// First to last.
    pub phases: Vec<Phase>,
}

/// What a participant gets at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Words of thanks.
    pub message: String,
    /// Code for a panel.
    pub code: Option<String>,
    /// Where the page goes.
    pub redirect_url: Option<String>,
}

/// One code of the codebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Slug.
    pub id: String,
    /// What people read.
    pub label: String,
    /// When it applies.
    pub description: String,
}

/// Reads and checks a study file.
///
/// # Errors
/// All mistakes, in the order of their lines. Never empty.
pub fn parse(text: &str) -> Result<Study, Vec<Mistake>> {
    let root = yaml::read(text).map_err(|mistake| vec![mistake])?;
    let mut reader = reader::Reader::new();
    let study = read::study(&mut reader, &root);
    let mut mistakes = reader.into_mistakes();
    if mistakes.is_empty() {
        mistakes = rules::mistakes(&study, &root);
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if mistakes.is_empty() {
        Ok(study)
    } else {
        Err(mistakes)
    }
}

/// What is allowed but probably not meant.
#[must_use]
pub fn warnings(study: &Study) -> Vec<String> {
    rules::warnings(study)
}

impl Study {
    /// Minutes that an interview takes: at least, by plan, at most.
    #[must_use]
    pub fn minutes(&self) -> (u64, u64, u64) {
        let sum = |time: fn(&Phase) -> Duration| {
            self.phases
                .iter()
                .map(time)
                .sum::<Duration>()
                .as_secs()
                .div_ceil(60)
        };
        let most = sum(|phase| phase.max).min(self.limits.session.as_secs() / 60);
        (
            sum(|phase| phase.min),
            sum(|phase| phase.target).min(most),
            most,
        )
    }

    /// Minutes that a session of this length takes by plan.
    #[must_use]
    pub fn minutes_by_plan(&self, length: Length) -> u64 {
        match length {
            Length::Full => self.minutes().1,
            Length::Rehearsal => {
                let phases = self
                    .phases
                    .iter()
                    .map(|phase| phase.target.min(REHEARSAL_PHASE));
                phases.sum::<Duration>().as_secs().div_ceil(60)
            }
        }
    }

    /// What a session needs. A rehearsal asks one required question per phase with one follow-up at most and no minimum.
    #[must_use]
    pub fn plan(&self, length: Length, language: &str, prices: Prices) -> Plan {
        let phases = match length {
            Length::Full => self.phases.clone(),
            Length::Rehearsal => self.phases.iter().map(rehearsal).collect(),
        };
        Plan {
            title: self.title.clone(),
            organisation: self.organisation.clone(),
            language: language.to_owned(),
            voice: self.voice.clone(),
            persona: self.persona.clone(),
            greeting: self.greeting.clone(),
            closing: self.closing.clone(),
            phases,
            hold: crate::hold::line(language),
            patience: self.patience,
            limits: self.limits,
            budget: self.budget,
            prices,
        }
    }

    /// What a participant gets for an outcome; a plain thank-you where the study says nothing.
    #[must_use]
    pub fn completion(&self, outcome: Outcome) -> Completion {
        self.completion
            .get(&outcome)
            .cloned()
            .unwrap_or_else(|| Completion {
                message: default_message(outcome).to_owned(),
                code: None,
                redirect_url: None,
            })
    }

    /// The phase of that id, with its position.
    #[must_use]
    pub fn phase(&self, id: &PhaseId) -> Option<(usize, &Phase)> {
        self.phases
            .iter()
            .enumerate()
            .find(|(_, phase)| phase.id == *id)
    }

    /// All questions with the phase that asks them.
    pub fn topics(&self) -> impl Iterator<Item = (&Phase, &Topic)> {
        self.phases
            .iter()
            .flat_map(|phase| phase.topics.iter().map(move |topic| (phase, topic)))
    }
}

/// A question, an answer and a follow-up.
const REHEARSAL_PHASE: Duration = Duration::from_secs(90);

fn rehearsal(phase: &Phase) -> Phase {
    let first = phase
        .topics
        .iter()
        .find(|topic| topic.need == Need::Required)
        .or(phase.topics.first());
    Phase {
        topics: first.cloned().into_iter().collect(),
        probes_max: phase.probes_max.min(1),
        min: Duration::ZERO,
        target: phase.target.min(REHEARSAL_PHASE),
        ..phase.clone()
    }
}

const fn default_message(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "Thank you for taking part. Your answers have been saved.",
        Outcome::Partial | Outcome::Budget => "Thank you. What you said has been saved.",
        Outcome::Technical => {
            "We are sorry: a technical problem on our side ended the interview. What you said has been saved."
        }
        Outcome::NoShow => "The interview did not begin.",
        Outcome::ScreenedOut | Outcome::QuotaFull => {
            "Thank you for your interest. This study needs no further participants like you."
        }
        Outcome::NoConsent => "You declined, and nothing was recorded.",
        Outcome::Withdrawn => "You took your answers back.",
    }
}

#[cfg(test)]
mod tests;
