//! How long a person waits for the interviewer, from facts of media: what was heard, not what was sent.

use crate::journal::Measure;
use crate::time::Mono;

/// What is being measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Latency {
    first: First,
    /// When the participant last stopped speaking, if nothing was played since.
    speech_ended: Option<Mono>,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Silent,
    Waiting { flowing: Mono },
    Heard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Undue,
    Due,
}

impl Latency {
    /// Nothing heard yet.
    pub(crate) fn new() -> Latency {
        Latency {
            first: First::Silent,
            speech_ended: None,
            answer: Answer::Undue,
        }
    }

    /// The interviewer was heard in an earlier process: the first voice is measured once in a session.
    pub(crate) fn restored() -> Latency {
        Latency {
            first: First::Heard,
            ..Latency::new()
        }
    }

    /// Whether the interviewer was ever heard.
    pub(crate) fn was_heard(&self) -> bool {
        self.first == First::Heard
    }

    /// The participant's audio began to flow. Only the first time counts.
    pub(crate) fn on_flowing(&mut self, at: Mono) {
        if self.first == First::Silent {
            self.first = First::Waiting { flowing: at };
        }
    }

    /// The participant speaks, so what was to be answered is not complete.
    pub(crate) fn on_speech_started(&mut self) {
        self.speech_ended = None;
    }

    /// The participant stopped speaking.
    pub(crate) fn on_speech_ended(&mut self, at: Mono) {
        self.speech_ended = Some(at);
    }

    /// What the participant said is to be answered.
    pub(crate) fn on_committed(&mut self) {
        self.answer = Answer::Due;
    }

    /// No answer is awaited any more: what comes next is a prompt, or a new beginning.
    pub(crate) fn forget(&mut self) {
        self.answer = Answer::Undue;
        self.speech_ended = None;
    }

    /// The interviewer is heard. Returns what that measures.
    pub(crate) fn on_heard(&mut self, at: Mono) -> impl Iterator<Item = (Measure, u64)> + use<> {
        let first = match self.first {
            First::Waiting { flowing } => Some((Measure::FirstVoice, ms(at, flowing))),
            First::Silent | First::Heard => None,
        };
        self.first = First::Heard;
        let answer = match (self.answer, self.speech_ended.take()) {
            (Answer::Due, Some(ended)) if at >= ended => {
                Some((Measure::ResponseLatency, ms(at, ended)))
            }
            (Answer::Due | Answer::Undue, _) => None,
        };
        self.answer = Answer::Undue;
        first.into_iter().chain(answer)
    }
}

fn ms(later: Mono, earlier: Mono) -> u64 {
    u64::try_from(later.since(earlier).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::from_millis(ms)
    }

    fn heard(latency: &mut Latency, ms: u64) -> Vec<(Measure, u64)> {
        latency.on_heard(at(ms)).collect()
    }

    #[test]
    fn first_voice_counts_once_and_from_the_first_audio() {
        let mut latency = Latency::new();
        latency.on_flowing(at(100));
        latency.on_flowing(at(900));
        assert_eq!(heard(&mut latency, 1_000), [(Measure::FirstVoice, 900)]);
        assert_eq!(heard(&mut latency, 2_000), []);
    }

    #[test]
    fn an_answer_is_measured_from_the_last_end_of_speech_and_only_if_something_was_said() {
        let mut latency = Latency::new();
        latency.on_speech_ended(at(1_000));
        latency.on_speech_started();
        latency.on_speech_ended(at(2_000));
        latency.on_committed();
        assert_eq!(
            heard(&mut latency, 2_450),
            [(Measure::ResponseLatency, 450)]
        );
        latency.on_speech_ended(at(3_000));
        assert_eq!(heard(&mut latency, 3_100), [], "a cough is not answered");
        latency.on_committed();
        assert_eq!(
            heard(&mut latency, 4_000),
            [],
            "an end before the last answer does not count"
        );
    }
}
