//! The model's answers: responses, their utterances and tool calls.

use engine::ids::{ItemId, ResponseId};
use engine::link::{FaultCategory, LinkEvent, ResponseStatus};

use super::events::used;
use super::items::End;
use super::says::Fate;
use super::{OpenAiCodec, Purpose};
use crate::codec::CodecOutput;
use crate::openai::error::{ErrorClass, detail, shorten};
use crate::openai::wire::client;
use crate::openai::wire::server::{Event, Item, Response};

impl OpenAiCodec {
    pub(super) fn response_created(
        &mut self,
        response: &Response,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
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

    pub(super) fn response_done(
        &mut self,
        response: &Response,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
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

    pub(super) fn item_added(
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

    pub(super) fn audio_delta(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
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

    pub(super) fn words_delta(
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
    pub(super) fn words_done(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
        let known = self
            .items
            .get(event.item_id()?)
            .is_some_and(|utterance| !utterance.words.is_empty());
        match event.words() {
            Some(words) if !known => self.words_delta(event, words, out),
            _ => Some(()),
        }
    }

    pub(super) fn item_done(
        &mut self,
        response: &str,
        item: &Item,
        out: &mut Vec<CodecOutput>,
    ) -> Option<()> {
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
        if utterance.has_audio() {
            out.push(CodecOutput::AudioDone { item: item.clone() });
        }
        out.push(CodecOutput::Event(LinkEvent::UtteranceDone {
            item: item.clone(),
            text,
            audio_ms,
        }));
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
                ErrorClass::of(error).failure()
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
