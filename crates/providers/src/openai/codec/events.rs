//! What comes in.

use engine::cost::Usage;
use engine::link::{FaultCategory, LinkEvent};

use super::says::Refused;
use super::{OpenAiCodec, Purpose, Stage, fault};
use crate::codec::CodecOutput;
use crate::openai::error::{ErrorClass, detail};
use crate::openai::wire::server::{ErrorBody, Event, Kind, Read, read};

impl OpenAiCodec {
    pub(super) fn read(&mut self, text: &str, out: &mut Vec<CodecOutput>) {
        match read(text) {
            Read::Malformed(detail) => self.malformed(detail, out),
            Read::Event(kind, event) => {
                // Not the words of the event: they are a person's.
                if self.event(kind, &event, out).is_none() {
                    self.malformed(format!("`{}` lacks a field", event.name()), out);
                }
            }
        }
    }

    /// Acts on an event; none if it lacks a field that it must have.
    fn event(&mut self, kind: Kind, event: &Event<'_>, out: &mut Vec<CodecOutput>) -> Option<()> {
        let mut tell = |event| out.push(CodecOutput::Event(event));
        match kind {
            Kind::Ignored => {}
            Kind::Unknown => self.counters.unknown_events += 1,
            Kind::SessionCreated => self.remember_session(event),
            Kind::SessionUpdated => self.configured(event, out),
            Kind::Error => self.error(event.error.as_ref()?, out),
            Kind::SpeechStarted => tell(LinkEvent::SpeechStarted {
                item: event.item_id()?.into(),
            }),
            Kind::SpeechStopped => tell(LinkEvent::SpeechStopped {
                item: event.item_id()?.into(),
            }),
            Kind::SpeechCommitted => tell(LinkEvent::SpeechCommitted {
                item: event.item_id()?.into(),
            }),
            Kind::TranscriptDelta => {
                if let Some(text) = event.delta().filter(|text| !text.is_empty()) {
                    tell(LinkEvent::TranscriptDelta {
                        item: event.item_id()?.into(),
                        text: text.to_owned(),
                    });
                }
            }
            Kind::TranscriptDone => {
                let text = event.words().unwrap_or_default().to_owned();
                tell(LinkEvent::TranscriptDone {
                    item: event.item_id()?.into(),
                    text,
                });
                used(event.usage.map(|usage| usage.usage()), out);
            }
            Kind::TranscriptFailed => {
                let reason = event.error.as_ref().map(detail).unwrap_or_default();
                tell(LinkEvent::TranscriptFailed {
                    item: event.item_id()?.into(),
                    reason,
                });
            }
            Kind::ResponseCreated => self.response_created(event.response.as_ref()?, out)?,
            Kind::ResponseDone => self.response_done(event.response.as_ref()?, out)?,
            Kind::ItemAdded => self.item_added(event.response_id()?, event.item.as_ref()?, out)?,
            Kind::ItemDone => self.item_done(event.response_id()?, event.item.as_ref()?, out)?,
            Kind::AudioDelta => self.audio_delta(event, out)?,
            Kind::WordsDelta => self.words_delta(event, event.delta()?, out)?,
            Kind::WordsDone => self.words_done(event, out)?,
        }
        Some(())
    }

    fn remember_session(&mut self, event: &Event<'_>) {
        if let Some(id) = event
            .session
            .as_ref()
            .and_then(|session| session.id.clone())
        {
            self.vendor_id = id;
        }
    }

    /// Only the answer to our own configuration makes the link ready, not the greeting `session.created`: before it the
    /// vendor speaks with another voice and without instructions.
    fn configured(&mut self, event: &Event<'_>, out: &mut Vec<CodecOutput>) {
        self.remember_session(event);
        if self.stage == Stage::Configuring {
            self.stage = Stage::Talking;
            out.push(CodecOutput::Event(LinkEvent::Ready {
                vendor_id: self.vendor_id.clone(),
            }));
            self.speak(out);
        }
    }

    fn error(&mut self, error: &ErrorBody, out: &mut Vec<CodecOutput>) {
        let class = ErrorClass::of(error);
        let event_id = error.event_id.as_deref();
        match class {
            ErrorClass::Fatal | ErrorClass::Expired => {
                return self.gone(class.category(), detail(error), out);
            }
            ErrorClass::ResponseActive => {
                let refused = self.says.refused_while_active(event_id);
                return self.refused(refused, class, error, out);
            }
            ErrorClass::Throttled
            | ErrorClass::Benign
            | ErrorClass::Vendor
            | ErrorClass::Refused => {}
        }
        let configuring = event_id.is_some_and(|id| id.starts_with(Purpose::Configure.prefix()));
        if configuring && self.stage == Stage::Configuring {
            // No answer to the configuration will come. What the vendor does not accept now, it will not accept later.
            let refused = class == ErrorClass::Refused;
            let category = if refused {
                FaultCategory::Misconfigured
            } else {
                class.category()
            };
            return self.gone(
                category,
                format!("configuration refused: {}", detail(error)),
                out,
            );
        }
        let refused = self.says.refused(event_id);
        self.refused(refused, class, error, out);
    }

    /// An error about a wish to speak, or about nothing in flight.
    fn refused(
        &mut self,
        refused: Refused,
        class: ErrorClass,
        error: &ErrorBody,
        out: &mut Vec<CodecOutput>,
    ) {
        match refused {
            Refused::Lost { tag } => {
                // Whatever its name: the session waits for words that will not come.
                let words = format!("say {tag}: {}", detail(error));
                fault(class.failure(), words, out);
            }
            Refused::Waits | Refused::Forgotten => self.counters.benign_errors += 1,
            Refused::NotOurs => match class {
                ErrorClass::Benign | ErrorClass::ResponseActive => self.counters.benign_errors += 1,
                ErrorClass::Fatal
                | ErrorClass::Expired
                | ErrorClass::Throttled
                | ErrorClass::Vendor
                | ErrorClass::Refused => fault(class.category(), detail(error), out),
            },
        }
        self.speak(out);
    }
}

pub(super) fn used(usage: Option<Usage>, out: &mut Vec<CodecOutput>) {
    if let Some(usage) = usage.filter(|usage| !usage.is_empty()) {
        out.push(CodecOutput::Event(LinkEvent::Used(usage)));
    }
}
