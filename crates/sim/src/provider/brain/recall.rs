//! What the interviewer remembers of its guide: which questions it asked, which were answered, and how often it followed up.

use super::Memory;
use super::phrases::Phrases;
use super::prompt::{Prompt, Topic, TopicState};
use crate::corpus::sentences;

/// A conversation read against a guide.
#[derive(Debug)]
pub(super) struct Recall<'a> {
    prompt: &'a Prompt,
    memory: &'a [Memory],
    /// For each topic, where in the conversation its question was last asked.
    asked: Vec<Option<usize>>,
    /// For each topic, whether it needs no more attention.
    done: Vec<bool>,
}

impl<'a> Recall<'a> {
    pub(super) fn new(prompt: &'a Prompt, phrases: &Phrases, memory: &'a [Memory]) -> Recall<'a> {
        let granted = last_granted_move(memory);
        let asked = |topic: &Topic| {
            let at = memory.iter().rposition(|entry| matches!(entry, Memory::Interviewer(text) if was_asked(&topic.question, text)));
            // A question that is also a general follow-up may have been put as one, in an earlier phase.
            let general = phrases
                .probes
                .iter()
                .any(|probe| same(&topic.question, probe));
            at.filter(|at| !general || granted.is_none_or(|granted| *at > granted))
        };
        let done =
            |topic: &Topic| topic.state == TopicState::Covered || was_called(memory, &topic.id);
        Recall {
            prompt,
            memory,
            asked: prompt.topics.iter().map(asked).collect(),
            done: prompt.topics.iter().map(done).collect(),
        }
    }

    /// Whether any question of this guide was put.
    pub(super) fn asked_any(&self) -> bool {
        self.asked.iter().any(Option::is_some)
    }

    /// All that the participant said since the interviewer last spoke; none if the interviewer was the last to speak.
    pub(super) fn unanswered(&self) -> Option<String> {
        let mut parts: Vec<&str> = Vec::new();
        let mut spoke = false;
        for entry in self.memory.iter().rev() {
            match entry {
                Memory::Participant(text) => {
                    spoke = true;
                    parts.extend(Some(text.as_str()).filter(|text| !text.is_empty()));
                }
                Memory::Interviewer(_) => break,
                Memory::Call { .. } | Memory::Result { .. } => {}
            }
        }
        parts.reverse();
        spoke.then(|| parts.join(" "))
    }

    pub(super) fn last_said_contains(&self, phrase: &str) -> bool {
        self.said()
            .next_back()
            .is_some_and(|(_, text)| contains(text, phrase))
    }

    /// The topic being talked about: the one asked last, unless it is done.
    pub(super) fn current(&self) -> Option<usize> {
        (0..self.asked.len())
            .filter(|topic| self.asked[*topic].is_some())
            .max_by_key(|topic| self.asked[*topic])
            .filter(|topic| !self.done[*topic])
    }

    /// Topics that were asked and answered and not yet reported, except one.
    pub(super) fn answered(&self, except: Option<usize>) -> Vec<usize> {
        let last_answer = self
            .memory
            .iter()
            .rposition(|entry| matches!(entry, Memory::Participant(_)));
        (0..self.asked.len())
            .filter(|topic| {
                !self.done[*topic]
                    && Some(*topic) != except
                    && self.asked[*topic].is_some()
                    && self.asked[*topic] < last_answer
            })
            .collect()
    }

    /// Topics not asked yet and not done, in the guide's order.
    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.asked.len())
            .filter(|topic| !self.done[*topic] && self.asked[*topic].is_none())
            .collect()
    }

    /// How many utterances the interviewer has made.
    pub(super) fn utterances(&self) -> usize {
        self.said().count()
    }

    /// How often a phrase was said in the whole conversation.
    pub(super) fn times_said(&self, phrase: &str) -> usize {
        self.said()
            .filter(|(_, text)| contains(text, phrase))
            .count()
    }

    /// Follow-ups since the current topic was asked.
    pub(super) fn probes_on_current(&self, phrases: &Phrases) -> u32 {
        let since = self
            .current()
            .and_then(|topic| self.asked[topic])
            .unwrap_or(0);
        let count = self
            .said()
            .filter(|(at, text)| *at > since && is_probe(phrases, text))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether one of the last two utterances was a follow-up.
    pub(super) fn probed_lately(&self, phrases: &Phrases) -> bool {
        self.said()
            .rev()
            .take(2)
            .any(|(_, text)| is_probe(phrases, text))
    }

    /// Why the last tool call was refused, if it was, and nothing was said since.
    pub(super) fn refusal(&self) -> Option<&'a str> {
        let last = self
            .memory
            .iter()
            .rev()
            .take_while(|entry| matches!(entry, Memory::Call { .. } | Memory::Result { .. }));
        last.filter_map(|entry| match entry {
            Memory::Result { output, .. } if is_refusal(output) => Some(output.as_str()),
            Memory::Result { .. }
            | Memory::Call { .. }
            | Memory::Interviewer(_)
            | Memory::Participant(_) => None,
        })
        .next()
    }

    /// Whether a move was granted for this guide and has not happened yet: nothing of the guide was asked since.
    pub(super) fn is_moving(&self) -> bool {
        let granted = last_granted_move(self.memory);
        granted.is_some()
            && self
                .asked
                .iter()
                .flatten()
                .max()
                .is_some_and(|asked| Some(*asked) < granted)
    }

    /// Topics that were asked and that a refusal names.
    pub(super) fn named_in(&self, reason: &str) -> Vec<usize> {
        let named = |id: &str| {
            reason
                .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
                .any(|word| word == id)
        };
        (0..self.asked.len())
            .filter(|topic| self.asked[*topic].is_some() && named(&self.prompt.topics[*topic].id))
            .collect()
    }

    /// The last question that was put: a question of this guide, or a follow-up; else the last sentence that asks something.
    pub(super) fn last_question(&self, phrases: &Phrases) -> Option<String> {
        let (_, text) = self.said().rev().find(|(_, text)| asks(text))?;
        let guide = self
            .prompt
            .topics
            .iter()
            .map(|topic| topic.question.as_str());
        let known = guide
            .chain(phrases.probes.iter().copied())
            .find(|question| was_asked(question, text));
        Some(known.unwrap_or_else(|| last_asking(text)).to_owned())
    }

    fn said(&self) -> impl DoubleEndedIterator<Item = (usize, &'a str)> {
        self.memory
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| match entry {
                Memory::Interviewer(text) => Some((at, text.as_str())),
                Memory::Participant(_) | Memory::Call { .. } | Memory::Result { .. } => None,
            })
    }
}

fn asks(text: &str) -> bool {
    text.contains(['?', '？']) || text.contains("か。")
}

/// The last sentence of a text that asks something; all of it if none does by itself.
fn last_asking(text: &str) -> &str {
    let sentences = sentences(text);
    let last = sentences
        .into_iter()
        .rev()
        .find(|range| asks(&text[range.clone()]));
    last.map_or(text, |range| &text[range])
}

fn is_probe(phrases: &Phrases, text: &str) -> bool {
    phrases.probes.iter().any(|probe| contains(text, probe))
}

/// Where in the conversation the last move was granted.
fn last_granted_move(memory: &[Memory]) -> Option<usize> {
    let is_move = |of: &str| {
        memory.iter().any(|entry| matches!(entry, Memory::Call { call, name, .. } if call == of && name == "advance_phase"))
    };
    memory.iter().rposition(|entry| matches!(entry, Memory::Result { call, output } if !is_refusal(output) && is_move(call)))
}

fn is_refusal(output: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(output)
        .is_ok_and(|output| output["ok"] == serde_json::Value::Bool(false))
}

/// Whether `cover_topic` was called for a topic and not refused.
fn was_called(memory: &[Memory], topic: &str) -> bool {
    memory.iter().any(|entry| match entry {
        Memory::Call { call, name, arguments } if name == "cover_topic" => {
            let about = serde_json::from_str::<serde_json::Value>(arguments).is_ok_and(|arguments| arguments["topic"] == topic);
            about && !memory.iter().any(|entry| matches!(entry, Memory::Result { call: of, output } if of == call && is_refusal(output)))
        }
        Memory::Call { .. } | Memory::Interviewer(_) | Memory::Participant(_) | Memory::Result { .. } => false,
    })
}

/// Letters and digits only, in lower case.
fn plain(text: &str) -> Vec<char> {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Whether two texts have the same words.
pub(super) fn same(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

fn contains(text: &str, phrase: &str) -> bool {
    includes(&plain(text), &plain(phrase))
}

fn includes(text: &[char], part: &[char]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// Whether a question was put: at least its first three fifths were heard. Who interrupts later has understood it.
fn was_asked(question: &str, heard: &str) -> bool {
    let question = plain(question);
    let enough = (question.len() * 3 / 5).max(1).min(question.len());
    includes(&plain(heard), &question[..enough])
}
