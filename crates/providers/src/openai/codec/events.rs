//! What comes in.

use engine::cost::Usage;
use engine::ids::{ItemId, ResponseId};
use engine::link::{FaultCategory, LinkEvent, ResponseStatus};

use super::items::End;
use super::says::{Fate, Refused};
use super::{OpenAiCodec, Purpose, Stage, fault};
use crate::codec::CodecOutput;
use crate::openai::error::{ErrorClass, detail, shorten};
use crate::openai::wire::client;
use crate::openai::wire::server::{ErrorBody, Event, Item, Kind, Read, Response, read};

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

    fn response_created(&mut self, response: &Response, out: &mut Vec<CodecOutput>) -> Option<()> {
        let id = ResponseId::from(response.id.as_deref()?);
        // The end of the one before was lost: the vendor never runs two in one conversation.
        if let Some(lost) = self.says.running().cloned() {
            self.finish(&lost, ResponseStatus::Interrupted, out);
        }
        let client_event_id = response
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.client_event_id());
        let (tag, fate) = self.says.created(&id, client_event_id);
        if fate == Fate::Cancelled {
            // Our cancellation may have hit another response that was running when it arrived.
            let event_id = self.id(Purpose::Cancel);
            out.push(CodecOutput::Send(client::cancel(
                &event_id,
                Some(id.as_str()),
            )));
        }
        out.push(CodecOutput::Event(LinkEvent::ResponseStarted {
            response: id,
            tag,
        }));
        Some(())
    }

    fn response_done(&mut self, response: &Response, out: &mut Vec<CodecOutput>) -> Option<()> {
        let id = response.id.as_deref()?;
        used(response.usage.map(|usage| usage.usage()), out);
        if self.fate_of(id).is_some() {
            self.finish(&id.into(), status(response), out);
            self.speak(out);
        }
        Some(())
    }

    /// Ends the running response, whatever of it is still open first.
    fn finish(
        &mut self,
        response: &ResponseId,
        status: ResponseStatus,
        out: &mut Vec<CodecOutput>,
    ) {
        for item in self.items.open_of(response) {
            self.close(&item, None, End::Clipped, out);
        }
        self.says.done();
        out.push(CodecOutput::Event(LinkEvent::ResponseDone {
            response: response.clone(),
            status,
        }));
    }

    /// Whether an event's response is running; what belongs to another is late, and counted.
    fn fate_of(&mut self, response: &str) -> Option<Fate> {
        let fate = self.says.fate_of(response);
        if fate.is_none() {
            self.counters.dropped_events += 1;
        }
        fate
    }

    fn item_added(
        &mut self,
        response: &str,
        item: &Item,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
        let id = item.id.as_deref()?;
        if self.fate_of(response) == Some(Fate::Wanted) && item.kind.as_deref() == Some("message") {
            self.begin(response, id, out);
        }
        Some(())
    }

    /// Begins an utterance unless it has begun.
    fn begin(&mut self, response: &str, item: &str, out: &mut Vec<CodecOutput>) {
        if self.items.get(item).is_none() {
            let (item, response) = (ItemId::from(item), ResponseId::from(response));
            self.items.begin(&item, &response);
            out.push(CodecOutput::Event(LinkEvent::UtteranceStarted {
                response,
                item,
            }));
        }
    }

    /// The utterance that a delta belongs to; none if it is to be dropped, and then it is counted and remembered.
    fn wanted(&mut self, event: &Event<'_>, out: &mut Vec<CodecOutput>) -> Option<Option<ItemId>> {
        let (response, item) = (event.response_id()?, event.item_id()?);
        match self.fate_of(response) {
            Some(Fate::Wanted) => {
                self.begin(response, item, out);
                Some(Some(item.into()))
            }
            Some(Fate::Cancelled) => {
                self.counters.dropped_events += 1;
                if let Some(utterance) = self.items.get_mut(item) {
                    utterance.drop_some();
                }
                Some(None)
            }
            None => Some(None),
        }
    }

    fn audio_delta(&mut self, event: &Event<'_>, out: &mut Vec<CodecOutput>) -> Option<()> {
        let Some(item) = self.wanted(event, out)? else {
            return Some(());
        };
        let bytes = decode(event.delta()?)?;
        let utterance = self.items.get_mut(item.as_str())?;
        let pcm = utterance.samples(event.content_index(), &bytes);
        if !pcm.is_empty() {
            out.push(CodecOutput::Audio { item, pcm });
        }
        Some(())
    }

    fn words_delta(
        &mut self,
        event: &Event<'_>,
        words: &str,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
        let Some(item) = self.wanted(event, out)? else {
            return Some(());
        };
        if !words.is_empty() {
            self.items.get_mut(item.as_str())?.words.push_str(words);
            out.push(CodecOutput::Event(LinkEvent::UtteranceDelta {
                item,
                text: words.to_owned(),
            }));
        }
        Some(())
    }

    /// Servers that do not stream words send them here for the first time.
    fn words_done(&mut self, event: &Event<'_>, out: &mut Vec<CodecOutput>) -> Option<()> {
        let known = self
            .items
            .get(event.item_id()?)
            .is_some_and(|utterance| !utterance.words.is_empty());
        match event.words() {
            Some(words) if !known => self.words_delta(event, words, out),
            _ => Some(()),
        }
    }

    fn item_done(&mut self, response: &str, item: &Item, out: &mut Vec<CodecOutput>) -> Option<()> {
        let id = item.id.as_deref()?;
        let Some(fate) = self.fate_of(response) else {
            return Some(());
        };
        let completed = item.status.as_deref() == Some("completed");
        match (item.kind.as_deref(), fate) {
            (Some("message"), Fate::Wanted) => {
                self.begin(response, id, out);
                self.close(&id.into(), Some(item.words()), End::Whole, out);
            }
            (Some("message"), Fate::Cancelled) => self.close(&id.into(), None, End::Clipped, out),
            // An interrupted call has half its arguments; it was never meant.
            (Some("function_call"), Fate::Wanted) if completed => {
                out.push(CodecOutput::Event(LinkEvent::ToolCalled {
                    call: item.call_id.as_deref()?.into(),
                    name: item.name.clone()?,
                    arguments: item.arguments.clone().unwrap_or_default(),
                }));
            }
            (Some("function_call"), Fate::Wanted | Fate::Cancelled) => {
                self.counters.dropped_events += 1
            }
            _ => {}
        }
        Some(())
    }

    /// Ends an utterance once: its audio first, then its words, as the vendor sums them up or as they came.
    fn close(
        &mut self,
        item: &ItemId,
        words: Option<String>,
        end: End,
        out: &mut Vec<CodecOutput>,
    ) {
        let rate_hz = self.profile.output_rate_hz;
        let Some(utterance) = self.items.get_mut(item.as_str()) else {
            return;
        };
        if !utterance.close(end) {
            return;
        }
        let text = words
            .filter(|words| !words.is_empty())
            .unwrap_or_else(|| utterance.words.clone());
        let audio_ms = u32::try_from(utterance.audio_ms(rate_hz)).unwrap_or(u32::MAX);
        if audio_ms > 0 {
            out.push(CodecOutput::AudioDone { item: item.clone() });
        }
        out.push(CodecOutput::Event(LinkEvent::UtteranceDone {
            item: item.clone(),
            text,
            audio_ms,
        }));
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
                let category =
                    Some(class.category()).filter(|category| *category != FaultCategory::Benign);
                let words = format!("say {tag}: {}", detail(error));
                fault(category.unwrap_or(FaultCategory::Retryable), words, out);
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

fn used(usage: Option<Usage>, out: &mut Vec<CodecOutput>) {
    if let Some(usage) = usage.filter(|usage| !usage.is_empty()) {
        out.push(CodecOutput::Event(LinkEvent::Used(usage)));
    }
}

/// How a response ended. That the participant interrupted comes under several names, which are taken alike.
fn status(response: &Response) -> ResponseStatus {
    let details = response.status_details.as_ref();
    let reason = details.and_then(|details| details.reason.as_deref());
    match (response.status.as_deref(), reason) {
        (Some("completed"), _) => ResponseStatus::Completed,
        (Some("incomplete"), Some("max_output_tokens" | "content_filter")) => {
            ResponseStatus::Incomplete
        }
        (Some("cancelled" | "incomplete"), _) => ResponseStatus::Interrupted,
        (status, _) => {
            let error = details.and_then(|details| details.error.as_ref());
            let category = error.map_or(FaultCategory::Retryable, |error| {
                match ErrorClass::of(error).category() {
                    FaultCategory::Benign => FaultCategory::Retryable,
                    known => known,
                }
            });
            let words = error.map(detail);
            let words = words.unwrap_or_else(|| {
                shorten(&format!("response {}", status.unwrap_or("without status")))
            });
            ResponseStatus::Failed {
                category,
                detail: words,
            }
        }
    }
}

/// Base64 as the standard has it; as leniently as browsers if a server leaves the padding out.
fn decode(base64: &str) -> Option<Vec<u8>> {
    let bytes = base64.as_bytes();
    base64_simd::STANDARD
        .decode_to_vec(bytes)
        .ok()
        .or_else(|| base64_simd::forgiving_decode_to_vec(bytes).ok())
}
