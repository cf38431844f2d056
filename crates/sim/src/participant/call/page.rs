//! What the participant's page would show: captions, sections, cost, the end. Read from the data channel.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::participant::mind::Line;
use crate::participant::{Caption, Completion};

/// Captions that are kept; an hour's interview has a few hundred.
const CAPTIONS_MAX: usize = 5_000;

/// Something that the page would show at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A section began.
    Phase(String),
    /// The cost so far, in micro-dollars.
    Cost(i64),
    /// The interview is over.
    Ended {
        /// Why.
        outcome: String,
        /// Thanks, code and address.
        completion: Option<Completion>,
    },
}

/// A message of the data channel. Kinds that are of no use here are not an error: the page ignores news, too.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Caption {
        turn: u64,
        speaker: String,
        text: String,
        #[serde(rename = "final")]
        is_final: bool,
    },
    Phase {
        title: String,
    },
    Cost {
        micro_usd: i64,
    },
    Ended {
        outcome: String,
        completion: Option<Completion>,
    },
    #[serde(other)]
    Other,
}

/// The page's contents.
#[derive(Default)]
pub(super) struct Page {
    captions: BTreeMap<u64, (Caption, bool)>,
    /// Captions up to this turn were answered.
    answered: Option<u64>,
    /// What the interviewer said, understood but not told yet.
    lines: Vec<Line>,
}

impl Page {
    /// Takes a message.
    pub(super) fn read(&mut self, text: &str) -> Option<Event> {
        match serde_json::from_str(text) {
            Ok(Message::Caption {
                turn,
                speaker,
                text,
                is_final,
            }) => {
                if self.captions.len() < CAPTIONS_MAX || self.captions.contains_key(&turn) {
                    self.captions.insert(
                        turn,
                        (
                            Caption {
                                turn,
                                speaker,
                                text,
                            },
                            is_final,
                        ),
                    );
                }
                None
            }
            Ok(Message::Phase { title }) => Some(Event::Phase(title)),
            Ok(Message::Cost { micro_usd }) => Some(Event::Cost(micro_usd)),
            Ok(Message::Ended {
                outcome,
                completion,
            }) => Some(Event::Ended {
                outcome,
                completion,
            }),
            Ok(Message::Other) => None,
            Err(error) => {
                tracing::debug!(%error, "the page was told something that makes no sense");
                None
            }
        }
    }

    /// What the interviewer said since the last answer, and whether all of it is final.
    pub(super) fn unanswered(&self) -> (String, bool) {
        let new = self.captions.values().filter(|(caption, _)| {
            caption.speaker == "interviewer" && self.answered.is_none_or(|turn| caption.turn > turn)
        });
        let mut is_final = true;
        let texts: Vec<&str> = new
            .map(|(caption, last)| {
                is_final &= last;
                caption.text.as_str()
            })
            .collect();
        (texts.join(" "), is_final && !texts.is_empty())
    }

    /// What was said so far has been dealt with.
    pub(super) fn answered(&mut self) {
        let interviewer = self
            .captions
            .values()
            .rfind(|(caption, _)| caption.speaker == "interviewer");
        self.answered = interviewer.map(|(caption, _)| caption.turn);
    }

    /// The connection was another one: a turn that the server had not written is said again under its number.
    pub(super) fn returned(&mut self) {
        self.answered = self.answered.and_then(|turn| turn.checked_sub(1));
    }

    /// Keeps what was understood until it is answered.
    pub(super) fn said_by_interviewer(&mut self, lines: Vec<Line>) {
        self.lines = lines;
    }

    /// What was understood last.
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Final captions, in the order of their turns.
    pub(super) fn captions(&self) -> Vec<Caption> {
        self.captions
            .values()
            .filter(|(_, last)| *last)
            .map(|(caption, _)| caption.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_are_what_was_said_since_the_last_answer() {
        let mut page = Page::default();
        let caption = |turn: u64, speaker: &str, text: &str, last: bool| {
            format!(
                r#"{{"type":"caption","turn":{turn},"speaker":"{speaker}","text":"{text}","final":{last}}}"#
            )
        };
        assert_eq!(page.unanswered(), (String::new(), false));
        assert_eq!(page.read(&caption(1, "interviewer", "Hel", false)), None);
        assert_eq!(page.unanswered(), ("Hel".to_owned(), false));
        page.read(&caption(1, "interviewer", "Hello.", true));
        page.read(&caption(2, "participant", "Hi.", true));
        assert_eq!(page.unanswered(), ("Hello.".to_owned(), true));
        page.answered();
        assert_eq!(page.unanswered(), (String::new(), false));
        page.read(&caption(3, "interviewer", "Why?", true));
        assert_eq!(page.unanswered(), ("Why?".to_owned(), true));
        page.answered();
        page.returned();
        page.read(&caption(3, "interviewer", "Why not?", true));
        assert_eq!(page.unanswered(), ("Why not?".to_owned(), true));
        assert_eq!(page.captions().len(), 3);
    }

    #[test]
    fn the_page_reads_what_it_knows_and_ignores_the_rest() {
        let mut page = Page::default();
        assert_eq!(
            page.read(r#"{"type":"phase","id":"w","title":"Warm-up","index":0,"count":3}"#),
            Some(Event::Phase("Warm-up".to_owned()))
        );
        assert_eq!(
            page.read(r#"{"type":"cost","micro_usd":1200}"#),
            Some(Event::Cost(1200))
        );
        assert_eq!(
            page.read(r#"{"type":"speaking","speaker":"interviewer","speaking":true}"#),
            None
        );
        assert_eq!(page.read("nonsense"), None);
        let ended = page.read(r#"{"type":"ended","outcome":"complete","completion":{"message":"Thanks","code":"C1","redirect_url":null}}"#);
        let completion = Completion {
            message: "Thanks".to_owned(),
            code: Some("C1".to_owned()),
            redirect_url: None,
        };
        assert_eq!(
            ended,
            Some(Event::Ended {
                outcome: "complete".to_owned(),
                completion: Some(completion)
            })
        );
    }
}
