//! What a session needs to know of its study, checked and complete. `server` makes it from the study file.

use std::time::Duration;

use crate::cost::{MicroUsd, Prices};
use crate::ids::{PhaseId, TopicId};
use crate::link::Patience;

/// A study as one session runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Title that the participant sees.
    pub title: String,
    /// Who asks, in the participant's words: "the Remote Work Lab".
    pub organisation: String,
    /// BCP 47 language of this session.
    pub language: String,
    /// Voice, as the vendor names it.
    pub voice: Option<String>,
    /// What the interviewer is like and must respect in all phases; free text of the researcher.
    pub persona: String,
    /// What the interviewer says first: who it is, that it is an AI, that it records.
    pub greeting: String,
    /// What it says last.
    pub closing: String,
    /// The phases, first to last. Never empty; the first is where the interview begins.
    pub phases: Vec<Phase>,
    /// What is played while the interviewer owes words and cannot say them.
    pub hold: HoldLine,
    /// How patient it is with a pause.
    pub patience: Patience,
    /// Limits of a session.
    pub limits: Limits,
    /// What one session may cost, if there is a cap.
    pub budget: Option<MicroUsd>,
    /// Prices of the chosen model.
    pub prices: Prices,
}

/// A stretch of the interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its id.
    pub id: PhaseId,
    /// Title that the participant sees.
    pub title: String,
    /// What it is to find out.
    pub objective: String,
    /// How to behave in it.
    pub instructions: String,
    /// What to ask.
    pub topics: Vec<Topic>,
    /// Signals that call for a follow-up, in words.
    pub triggers: Vec<String>,
    /// Follow-ups at most, per topic.
    pub probes_max: u32,
    /// Not shorter than this (a move before it is refused).
    pub min: Duration,
    /// Meant to take this long (a nudge follows).
    pub target: Duration,
    /// Not longer than this (then the interview is moved on).
    pub max: Duration,
    /// Where it may go from here. [`Next::End`] where the interview may end.
    pub next: Vec<Next>,
}

/// Where a phase may lead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Another phase.
    Phase(PhaseId),
    /// The end of the interview. The model calls it `end`.
    End,
}

impl Next {
    /// As the model writes it: the phase's id, or `end`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Next::Phase(id) => id.as_str(),
            Next::End => "end",
        }
    }
}

/// A question of the guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// The question.
    pub question: String,
    /// Whether it must be asked in exactly these words.
    pub wording: Wording,
    /// Whether the phase waits for it.
    pub need: Need,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// In exactly these words.
    Verbatim,
    /// In the interviewer's own words.
    Free,
}

/// Whether a phase waits for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Holds the phase until its maximum.
    Required,
    /// Asked if there is time.
    Optional,
}

/// What is played while the interviewer owes words and cannot say them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldLine {
    /// Its words, for captions and transcript.
    pub text: String,
    /// Its audio, in milliseconds.
    pub audio_ms: u32,
}

/// Limits of a session; defaults from design.md, section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the agent being ready to the participant's audio.
    pub join: Duration,
    /// The whole interview.
    pub session: Duration,
    /// How long before `session` the wrap-up begins.
    pub wrapup: Duration,
    /// How long a dropped participant can come back.
    pub recovery: Duration,
    /// Silence until the first prompt.
    pub silence_first: Duration,
    /// Silence until the second prompt.
    pub silence_second: Duration,
    /// Silence until the session is closed.
    pub silence_close: Duration,
    /// How long the closing statement may take before the session ends without it.
    pub closing: Duration,
    /// How long a due change of phase waits for a settled moment.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            join: Duration::from_secs(60),
            session: Duration::from_secs(60 * 60),
            wrapup: Duration::from_secs(3 * 60),
            recovery: Duration::from_secs(120),
            silence_first: Duration::from_secs(30),
            silence_second: Duration::from_secs(60),
            silence_close: Duration::from_secs(180),
            closing: Duration::from_secs(30),
            settle: Duration::from_secs(4),
        }
    }
}
