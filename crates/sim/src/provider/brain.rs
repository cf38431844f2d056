//! The simulated interviewer's mind: from instructions and a remembered conversation to what it says and which tools it calls.
//!
//! Pure, and without memory of its own: everything it knows is in the instructions and in the conversation, as for a real model. So a
//! conversation that is rebuilt on another connection goes on where it was, and the same conversation always gets the same reply.

pub mod phrases;
pub mod prompt;
mod recall;
#[cfg(test)]
mod tests;

use phrases::{Phrases, phrases};
use prompt::{Command, Need, Pace, Prompt, Then};
use recall::Recall;

/// One thing in the conversation, as the model remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The interviewer said this; of an interrupted utterance only what was heard.
    Interviewer(String),
    /// The participant said this; empty if there was noise but no speech.
    Participant(String),
    /// The interviewer called a tool.
    Call {
        /// The call's id.
        call: String,
        /// The tool's name.
        name: String,
        /// Arguments: a JSON object as text.
        arguments: String,
    },
    /// What a tool answered.
    Result {
        /// The call's id.
        call: String,
        /// The answer, as it was given.
        output: String,
    },
}

/// What the model is asked to continue.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The instructions in force.
    pub instructions: &'a str,
    /// What was added to them for this response only.
    pub also: &'a str,
    /// Names of the tools that may be called.
    pub tools: &'a [String],
    /// The conversation so far, oldest first.
    pub memory: &'a [Memory],
}

/// What the model answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Sentences to say, one after the other, each in one breath.
    pub say: Vec<String>,
    /// Tools to call.
    pub calls: Vec<ToolCall>,
}

impl Reply {
    /// Everything that is said, as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.say.join(" ")
    }
}

/// A tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Arguments: a JSON object as text.
    pub arguments: String,
}

/// The interviewer's next utterance.
#[must_use]
pub fn reply(request: &Request<'_>) -> Reply {
    let prompt = Prompt::parse(request.instructions);
    let phrases = phrases(&prompt.language);
    let recall = Recall::new(&prompt, phrases, request.memory);
    let mut mind = Mind {
        phrases,
        prompt: &prompt,
        recall: &recall,
        tools: request.tools,
        reply: Reply::default(),
    };
    match Command::parse(request.also) {
        Command::SayExactly { text, then } => {
            mind.reply.say.push(text);
            match then {
                Then::Nothing => {}
                Then::NextQuestion => mind.say(mind.next_question()),
                Then::RepeatQuestion => mind.say(mind.last_question()),
            }
        }
        Command::RepeatQuestion => mind.say(mind.last_question()),
        Command::WelcomeAndRepeat => {
            mind.say(Some(phrases.welcome_back.to_owned()));
            mind.say(mind.last_question());
        }
        Command::AskAgain => mind.say(Some(phrases.repeat.to_owned())),
        Command::BeginPhase => {
            mind.say(Some(mind.transition().to_owned()));
            mind.say(mind.next_question());
        }
        Command::GoOn => mind.go_on(),
    }
    mind.reply
}

struct Mind<'a> {
    phrases: &'static Phrases,
    prompt: &'a Prompt,
    recall: &'a Recall<'a>,
    tools: &'a [String],
    reply: Reply,
}

impl Mind<'_> {
    fn say(&mut self, text: Option<String>) {
        self.reply.say.extend(text.filter(|text| !text.is_empty()));
    }

    fn call(&mut self, name: &str, arguments: serde_json::Value) {
        if self.tools.iter().any(|tool| tool == name) {
            self.reply.calls.push(ToolCall {
                name: name.to_owned(),
                arguments: arguments.to_string(),
            });
        }
    }

    /// An ordinary turn: the participant answered, or nothing special is asked for.
    fn go_on(&mut self) {
        let Some(answer) = self.recall.unanswered() else {
            return self.take_the_word();
        };
        // A greeting that waits for a sign is answered by any sound; a question is not.
        if answer.is_empty()
            && self.recall.asked_any()
            && !self.recall.last_said_contains(self.phrases.repeat)
        {
            return self.say(Some(self.phrases.repeat.to_owned()));
        }
        self.say(self.ack());
        let probe = self
            .recall
            .current()
            .filter(|_| self.wants_probe(&answer))
            .and_then(|_| self.probe());
        let keep = probe.as_ref().and(self.recall.current());
        for topic in self.recall.answered(keep) {
            self.call(
                "cover_topic",
                serde_json::json!({ "topic": self.prompt.topics[topic].id }),
            );
        }
        match probe.or_else(|| self.next_question()) {
            Some(question) => self.say(Some(question)),
            None => self.advance(),
        }
    }

    /// The interviewer was the last to speak and is asked to speak again: after a refused tool call, or when nothing was said yet.
    fn take_the_word(&mut self) {
        if let Some(reason) = self.recall.refusal() {
            let named = self.recall.named_in(reason);
            for &topic in &named {
                self.call(
                    "cover_topic",
                    serde_json::json!({ "topic": self.prompt.topics[topic].id }),
                );
            }
            let question = self.next_question().or_else(|| self.probe());
            return self.say(question);
        }
        match self.next_question() {
            Some(question) => self.say(Some(question)),
            None if self.prompt.moves.is_empty() => self.say(self.probe()),
            None => self.advance(),
        }
    }

    /// Asks to move on to the first place that the instructions name; keeps the conversation going where there is none.
    fn advance(&mut self) {
        match self.prompt.moves.first() {
            Some(_) if self.recall.is_moving() => {}
            Some(to) => self.call("advance_phase", serde_json::json!({ "to": to })),
            None => self.say(self.probe()),
        }
        if self.reply.calls.is_empty() && self.reply.say.is_empty() {
            self.say(self.probe());
        }
    }

    /// The first question of the guide that was not asked yet; when time is short only what must be asked.
    fn next_question(&self) -> Option<String> {
        let open = self.recall.open();
        let necessary = |topic: &&usize| {
            self.prompt.pace == Pace::Calm || self.prompt.topics[**topic].need == Need::Required
        };
        open.iter()
            .find(necessary)
            .map(|topic| self.prompt.topics[*topic].question.clone())
    }

    fn last_question(&self) -> Option<String> {
        self.recall
            .last_question(self.phrases)
            .or_else(|| self.next_question())
    }

    /// A short acknowledgement, in turn, so that two in a row differ.
    fn ack(&self) -> Option<String> {
        let acks = self.phrases.acks;
        acks.get(self.recall.utterances() % acks.len())
            .map(|ack| (*ack).to_owned())
    }

    fn transition(&self) -> &'static str {
        let known = self
            .phrases
            .transitions
            .iter()
            .find(|(phase, _)| *phase == self.prompt.phase);
        known.map_or(self.phrases.transition, |(_, text)| text)
    }

    /// A follow-up that was asked least often so far, and that the guide does not ask anyway.
    fn probe(&self) -> Option<String> {
        let free = self.phrases.probes.iter().filter(|probe| {
            self.prompt
                .topics
                .iter()
                .all(|topic| !recall::same(&topic.question, probe))
        });
        free.min_by_key(|probe| self.recall.times_said(probe))
            .map(|probe| (*probe).to_owned())
    }

    /// Whether an answer calls for a follow-up: it was short, or a trigger's word occurs in it; and the last question was not followed up.
    fn wants_probe(&self, answer: &str) -> bool {
        let probed = self.recall.probes_on_current(self.phrases);
        if self.prompt.pace == Pace::Short || probed >= self.prompt.probes_max {
            return false;
        }
        if answer.contains("[unrecognised speech]") {
            // Whoever is not understood is asked for more at every second question: often enough to listen, not so often as to nag.
            return probed == 0 && self.recall.current().is_some_and(|topic| topic % 2 == 0);
        }
        let words = word_count(answer);
        match probed {
            0 => {
                words < SHORT_ANSWER_WORDS
                    || (self.triggered(answer) && !self.recall.probed_lately(self.phrases))
            }
            _ => words < CURT_ANSWER_WORDS,
        }
    }

    fn triggered(&self, answer: &str) -> bool {
        let answer = answer.to_lowercase();
        self.prompt.triggers.iter().any(|trigger| {
            trigger
                .to_lowercase()
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.chars().count() >= 5 && !COMMON_WORDS.contains(word))
                .any(|word| answer.contains(word))
        })
    }
}

/// An answer of fewer words is followed up. Chosen by feel, on the corpus: the shortest answers are 8 to 12 words.
const SHORT_ANSWER_WORDS: usize = 12;

/// An answer to a follow-up of fewer words is followed up once more.
const CURT_ANSWER_WORDS: usize = 4;

/// Words of triggers that say nothing of their subject.
const COMMON_WORDS: [&str; 14] = [
    "about",
    "answer",
    "participant",
    "mentions",
    "mention",
    "describes",
    "something",
    "without",
    "their",
    "there",
    "which",
    "being",
    "vague",
    "other",
];

/// Words of a text; where words are not spaced, two characters count as one.
fn word_count(text: &str) -> usize {
    let spaced = text.split_whitespace().count();
    let unspaced = text.chars().filter(|c| *c >= '\u{3040}').count() / 2;
    spaced.max(unspaced)
}
