//! What the model asks for by tool call. Every call is answered, once, and a refusal says what to do instead.

use crate::ids::CallId;
use crate::journal::{Entry, MoveCause};
use crate::session::{Output, Session, State};

use super::arguments::{quoted, text_member};
use super::phase::{Cover, Target};
use super::prompt::{ADVANCE_PHASE, COVER_TOPIC};
use super::talk::Reply;
use super::{Change, Due, SettlePatience, journal};

/// Results owed at once. More calls than this in one response is a model gone mad; they are not answered.
const OWED_MAX: usize = 64;

impl Session {
    pub(super) fn on_tool_called(
        &mut self,
        call: CallId,
        name: &str,
        arguments: &str,
        out: &mut Vec<Output>,
    ) {
        if self.talk.owed.len() >= OWED_MAX {
            return;
        }
        let (result, reply) = if self.state() != State::Active {
            (
                Err("The interview is not going on at this moment.".to_owned()),
                Reply::Needless,
            )
        } else if name == ADVANCE_PHASE {
            self.advance_phase(arguments, out)
        } else if name == COVER_TOPIC {
            self.cover_topic(arguments, out)
        } else {
            let reason =
                format!("There is no tool {name:?}. Tools: {ADVANCE_PHASE}, {COVER_TOPIC}.");
            (Err(reason), Reply::Always)
        };
        let output = match result {
            Ok((key, value)) => format!("{{\"ok\":true,\"{key}\":{}}}", quoted(&value)),
            Err(reason) => format!("{{\"ok\":false,\"reason\":{}}}", quoted(&reason)),
        };
        self.talk.owed.push((call, output));
        match &mut self.talk.response {
            Some(response) => response.reply = response.reply.max(reply),
            // The response that called is over already.
            None => self.answer_calls(reply, 0),
        }
    }

    fn advance_phase(
        &mut self,
        arguments: &str,
        out: &mut Vec<Output>,
    ) -> (Result<(&'static str, String), String>, Reply) {
        let (to, verdict) = match text_member(arguments, "to") {
            Ok(to) => {
                let verdict = self.judge_move(&to);
                (to, verdict)
            }
            Err(malformed) => (String::new(), Err(malformed.reason())),
        };
        match verdict {
            Ok(target) => {
                let change = match target {
                    Target::Phase(place) => Change::Move {
                        place,
                        cause: MoveCause::Model,
                    },
                    Target::End => Change::End,
                };
                self.due = Some(Due {
                    change,
                    patience: SettlePatience::Waiting,
                });
                (Ok(("phase", to)), Reply::Needless)
            }
            Err(reason) => {
                journal(
                    Entry::MoveRefused {
                        to,
                        reason: reason.clone(),
                    },
                    out,
                );
                (Err(reason), Reply::Always)
            }
        }
    }

    fn judge_move(&self, to: &str) -> Result<Target, String> {
        if self.due.is_some_and(|due| due.change != Change::Nudge) {
            return Err("The interview is already moving on.".to_owned());
        }
        self.phases.judge(&self.plan, self.now, to)
    }

    fn cover_topic(
        &mut self,
        arguments: &str,
        out: &mut Vec<Output>,
    ) -> (Result<(&'static str, String), String>, Reply) {
        let topic = match text_member(arguments, "topic") {
            Ok(topic) => topic,
            Err(malformed) => return (Err(malformed.reason()), Reply::Always),
        };
        match self.phases.cover(&self.plan, &topic) {
            Ok(Cover::New(place)) => {
                let phase = self.phase_id(place);
                let timeline_ms = self.timeline_ms(self.now);
                journal(
                    Entry::TopicCovered {
                        topic: topic.as_str().into(),
                        phase,
                        timeline_ms,
                    },
                    out,
                );
                (Ok(("topic", topic)), Reply::IfSilent)
            }
            Ok(Cover::Already) => (Ok(("topic", topic)), Reply::IfSilent),
            Err(reason) => (Err(reason), Reply::Always),
        }
    }
}
