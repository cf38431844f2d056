//! What the participant says to what it understood. Pure: no sound, no time.

use super::{Asked, Sense};
use crate::corpus::{Clip, Corpus, Piece};
use crate::recognise::{Extent, Heard};

/// Lines after which a participant says its last answer again: it was not heard, or was cut off.
const AGAIN: [&str; 5] = [
    "s-repeat-1",
    "s-repeat-2",
    "s-silence-1",
    "s-silence-2",
    "s-welcome-back-2",
];

/// Speech that is not understood is passed over if it is shorter and a known line follows: "Right." before a question.
const MUMBLED_MAX_MS: u32 = 800;

/// How long the interviewer has been quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// It still speaks, and is to be interrupted.
    Interrupting,
    /// A pause: it may go on.
    Early,
    /// Longer than people pause within a sentence.
    Late,
    /// So long that something must be said.
    Last,
}

/// Something that the interviewer said.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) clip: Option<&'static Clip>,
    pub(super) by: Sense,
    /// Whether the end of it is missing.
    pub(super) extent: Extent,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) asked: Asked,
    pub(super) answer: &'static Clip,
}

/// What a participant knows and remembers.
pub(super) struct Mind {
    corpus: &'static Corpus,
    persona: String,
    language: String,
    /// What was said so far, the newest last.
    said: Vec<&'static Clip>,
}

impl Mind {
    pub(super) fn new(persona: &str, language: &str) -> Mind {
        Mind {
            corpus: Corpus::embedded(),
            persona: persona.to_owned(),
            language: language.to_owned(),
            said: Vec::new(),
        }
    }

    /// Remembers an answer.
    pub(super) fn said(&mut self, clip: &'static Clip) {
        self.said.push(clip);
    }

    /// The interviewer's lines: by their sound, or by their captions if some sound was not recognised.
    pub(super) fn lines(&self, heard: &[Heard], captions: &str) -> Vec<Line> {
        let is_understood = |h: &Heard| h.clip.is_some() || h.end_ms - h.start_ms < MUMBLED_MAX_MS;
        let is_known =
            heard.last().is_some_and(|last| last.clip.is_some()) && heard.iter().all(is_understood);
        if is_known || captions.is_empty() {
            let line = |h: &Heard| Line {
                text: h.text.clone(),
                clip: h.clip,
                by: Sense::Sound,
                extent: h.extent,
            };
            return heard
                .iter()
                .filter(|h| h.clip.is_some())
                .map(line)
                .collect();
        }
        let pieces = self.corpus.pieces(&self.language, captions);
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Clip(clip) => Line {
                    text: clip.text.clone(),
                    clip: Some(clip),
                    by: Sense::Caption,
                    extent: Extent::Whole,
                },
                Piece::Text(text) => Line {
                    text: text.to_owned(),
                    clip: None,
                    by: Sense::Caption,
                    extent: Extent::Unknown,
                },
            })
            .collect()
    }

    /// What to answer; none if nothing was asked, or if the question may not be over yet.
    pub(super) fn choose(&self, lines: &[Line], look: Look) -> Option<Choice> {
        // What was asked last counts.
        for (no, line) in lines.iter().enumerate().rev() {
            let Some(answer) = self.answer(line, look) else {
                continue;
            };
            let may_go_on = line.extent == Extent::Part && no + 1 == lines.len();
            if may_go_on && look == Look::Early {
                return None;
            }
            let asked = Asked {
                text: line.text.clone(),
                clip: line.clip.map(|clip| clip.id.clone()),
                by: line.by,
            };
            return Some(Choice { asked, answer });
        }
        None
    }

    fn answer(&self, line: &Line, look: Look) -> Option<&'static Clip> {
        if let Some(clip) = line.clip {
            if AGAIN.contains(&clip.id.as_str()) {
                return self.said.last().copied();
            }
            return self.fresh(clip);
        }
        if !line.text.contains('?') {
            return None;
        }
        if let Some(question) = self.corpus.nearest_question(&self.language, &line.text) {
            return self.fresh(question);
        }
        // A question of which nothing is understood: rather than silence, tell something new.
        (look >= Look::Late).then(|| self.anything()).flatten()
    }

    /// The best answer that was not given yet; or the best one again. A question that was asked before is a request to
    /// repeat the answer that was written for it.
    fn fresh(&self, question: &Clip) -> Option<&'static Clip> {
        let about = self
            .said
            .last()
            .map(|clip| clip.topics.as_slice())
            .unwrap_or_default();
        let answers = self.corpus.answers(&self.persona, question, about);
        let first = *answers.first()?;
        if first.answers.as_deref() == Some(&question.id) {
            return Some(first);
        }
        Some(
            answers
                .iter()
                .copied()
                .find(|clip| self.is_new(clip))
                .unwrap_or(first),
        )
    }

    fn anything(&self) -> Option<&'static Clip> {
        let mine = || {
            self.corpus
                .clips()
                .iter()
                .filter(|clip| clip.persona == self.persona)
        };
        let probing = mine().find(|clip| clip.phase == "probing" && self.is_new(clip));
        probing
            .or_else(|| mine().find(|clip| self.is_new(clip)))
            .or_else(|| mine().next())
    }

    fn is_new(&self, clip: &Clip) -> bool {
        !self.said.iter().any(|said| said.id == clip.id)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn answer(mind: &Mind, captions: &str, look: Look) -> Option<String> {
        mind.choose(&mind.lines(&[], captions), look)
            .map(|choice| choice.answer.id.clone())
    }

    fn heard(id: &str, extent: Extent) -> Heard {
        let clip = Corpus::embedded().get(id).unwrap();
        Heard {
            clip: Some(clip),
            start_ms: 0,
            end_ms: 1000,
            text: clip.text.clone(),
            extent,
        }
    }

    fn unknown() -> Heard {
        Heard {
            clip: None,
            start_ms: 0,
            end_ms: 1000,
            text: String::new(),
            extent: Extent::Unknown,
        }
    }

    #[test]
    fn the_last_question_is_answered() {
        let mind = Mind::new("nora", "en");
        let text = "I see. Where do you usually work, and what is that space like?";
        assert_eq!(
            answer(&mind, text, Look::Early).unwrap(),
            "a-nora-warmup-setup-1"
        );
        assert_eq!(answer(&mind, "I see.", Look::Last), None);
        let greeting = &Corpus::embedded().get("s-greeting-1").unwrap().text;
        assert_eq!(
            answer(&mind, greeting, Look::Early).unwrap(),
            "a-nora-warmup-ready-1"
        );
    }

    #[test]
    fn probes_get_answers_that_were_not_given_yet_on_what_was_talked_about() {
        let mut mind = Mind::new("owen", "en");
        let probe = "What makes you say that?";
        assert_eq!(
            answer(&mind, probe, Look::Early).unwrap(),
            "a-owen-probing-why-1"
        );
        let other = "And how did that feel at the time?";
        mind.said(
            Corpus::embedded()
                .get("a-owen-exploration-meetings-1")
                .unwrap(),
        );
        assert_eq!(
            answer(&mind, other, Look::Early).unwrap(),
            "a-owen-probing-meetings-1"
        );
        mind.said(Corpus::embedded().get("a-owen-probing-meetings-1").unwrap());
        assert_eq!(
            answer(&mind, other, Look::Early).unwrap(),
            "a-owen-probing-why-1"
        );
    }

    #[test]
    fn a_part_of_a_question_is_answered_only_when_no_more_comes() {
        let mind = Mind::new("maya", "en");
        let lines = mind.lines(&[heard("q-exploration-tools-1", Extent::Part)], "");
        assert!(mind.choose(&lines, Look::Early).is_none());
        assert!(mind.choose(&lines, Look::Late).is_some());
        assert!(mind.choose(&lines, Look::Interrupting).is_some());
    }

    #[test]
    fn captions_help_where_sound_is_not_recognised() {
        let mind = Mind::new("maya", "en");
        let captions =
            "You like boards. How does cost come into it when you, or your company, choose a tool?";
        let lines = mind.lines(&[unknown()], captions);
        let choice = mind.choose(&lines, Look::Early).unwrap();
        assert_eq!(choice.answer.id, "a-maya-exploration-cost-1");
        assert_eq!(choice.asked.by, Sense::Caption);
        let both = mind.lines(&[heard("q-probing-why-1", Extent::Whole)], captions);
        assert_eq!(
            mind.choose(&both, Look::Early).unwrap().asked.by,
            Sense::Sound
        );
    }

    #[test]
    fn a_strange_question_gets_some_answer_after_a_while() {
        let mind = Mind::new("maya", "en");
        assert_eq!(answer(&mind, "Do you own a boat?", Look::Early), None);
        assert!(
            answer(&mind, "Do you own a boat?", Look::Late)
                .unwrap()
                .contains("-probing-")
        );
    }

    #[test]
    fn asked_to_repeat_it_says_the_same_again() {
        let mut mind = Mind::new("maya", "en");
        let repeat = "I'm sorry, I did not catch that. Could you say it again?";
        assert_eq!(answer(&mind, repeat, Look::Last), None);
        mind.said(Corpus::embedded().get("a-maya-warmup-role-1").unwrap());
        assert_eq!(
            answer(&mind, repeat, Look::Early).unwrap(),
            "a-maya-warmup-role-1"
        );
    }
}
