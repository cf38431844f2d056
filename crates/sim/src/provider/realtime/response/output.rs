//! What a response sends: its words, its audio, its tool calls, each announced and completed in the vendor's order.

use serde_json::{Value, json};

use super::{Active, End, Modality, Place, Stage};
use crate::provider::brain::{Reply, ToolCall};
use crate::provider::config::ToolOrder;
use crate::provider::realtime::items::{Item, Kind, Role, Status};
use crate::provider::realtime::session::VoiceHeard;
use crate::provider::realtime::speech::Speech;
use crate::provider::realtime::{Realtime, base64};
use crate::provider::tokens;

impl Realtime {
    /// Sends what is due of every response.
    pub(in crate::provider::realtime) fn talk(&mut self, now_ms: u64) {
        self.think(now_ms);
        let delivery = self.config.delivery;
        // Taken out one by one, because sending changes the session too.
        while let Some(at) = self
            .responses
            .iter()
            .position(|active| active.due_ms(delivery).is_some_and(|due| due <= now_ms))
        {
            let mut active = self.responses.remove(at);
            match self.progress(&mut active) {
                None => self.responses.insert(at, active),
                Some(end) => self.finish(now_ms, active, end),
            }
        }
    }

    /// Sends the next thing of a response; says how it ended if that was the last.
    fn progress(&mut self, active: &mut Active) -> Option<End> {
        let Stage::Talking(reply, speech) = &mut active.stage else {
            return None;
        };
        let mut reply = std::mem::take(reply);
        let mut speech = speech.take();
        if self.config.tool_order == ToolOrder::BeforeSpeech {
            self.call_tools(active, &mut reply);
        }
        if let Some(mut talking) = speech.take() {
            if !talking.begun {
                self.begin_speech(active, &mut talking);
            }
            let more = self.say_some(active, &mut talking);
            let exhausted = active
                .max_tokens
                .as_u64()
                .is_some_and(|max| active.bill.output.total() >= max);
            if more && !exhausted {
                active.stage = Stage::Talking(reply, Some(talking));
                return None;
            }
            let status = if more {
                Status::Incomplete
            } else {
                Status::Completed
            };
            self.end_speech(active, talking, status);
            if more {
                return Some(End::MaxTokens);
            }
        }
        self.call_tools(active, &mut reply);
        Some(End::Completed)
    }

    fn begin_speech(&mut self, active: &Active, speech: &mut Speech) {
        speech.begun = true;
        speech.item = self.ids.next("item");
        speech.output_index = active.done.len();
        let kind = match active.modality {
            Modality::Audio => Kind::ModelAudio {
                ms: 0,
                said: speech.words.clone(),
                transcript: None,
            },
            Modality::Text => Kind::Text {
                role: Role::Assistant,
                text: String::new(),
            },
        };
        let item = Item::new(speech.item.clone(), Status::InProgress, kind);
        let mut shown = item.json();
        shown["content"] = json!([]);
        self.add_output(active, speech.output_index, item, shown);
        let part = match active.modality {
            Modality::Audio => json!({ "type": "audio", "transcript": "" }),
            Modality::Text => json!({ "type": "text", "text": "" }),
        };
        self.send_part(active, speech, "response.content_part.added", "part", part);
    }

    /// Announces an output item, and puts it into the conversation if it belongs there.
    fn add_output(&mut self, active: &Active, output_index: usize, item: Item, shown: Value) {
        self.send(
            "response.output_item.added",
            json!({ "response_id": active.id, "output_index": output_index, "item": shown }),
        );
        if active.place == Place::Default {
            let previous = self.items.last().map(|item| item.id.clone());
            self.items.push(item);
            self.send(
                "conversation.item.added",
                json!({ "previous_item_id": previous, "item": shown }),
            );
        }
    }

    fn send_part(
        &mut self,
        active: &Active,
        speech: &Speech,
        event: &str,
        field: &str,
        value: Value,
    ) {
        let mut fields = json!({
            "response_id": active.id, "item_id": speech.item, "output_index": speech.output_index, "content_index": 0,
        });
        if !field.is_empty() {
            fields[field] = value;
        }
        self.send(event, fields);
    }

    /// Sends the next piece of speech; says whether there is more.
    fn say_some(&mut self, active: &mut Active, speech: &mut Speech) -> bool {
        let words = speech.next_words();
        if !words.is_empty() {
            let event = match active.modality {
                Modality::Audio => "response.output_audio_transcript.delta",
                Modality::Text => "response.output_text.delta",
            };
            self.send_part(active, speech, event, "delta", json!(words));
        }
        if active.modality == Modality::Audio {
            self.voice_heard = VoiceHeard::Yes;
            let audio = base64(speech.next_audio());
            self.send_part(
                active,
                speech,
                "response.output_audio.delta",
                "delta",
                json!(audio),
            );
        }
        active.bill.output.text = tokens::of_text(&speech.text) + active.call_tokens;
        active.bill.output.audio = tokens::of_model_audio(speech.sent_ms());
        if let Some(item) = self.items.iter_mut().find(|item| item.id == speech.item)
            && let Kind::ModelAudio { ms, .. } = &mut item.kind
            && item.status == Status::InProgress
        {
            *ms = speech.sent_ms();
        }
        speech.has_more()
    }

    pub(super) fn end_speech(&mut self, active: &mut Active, speech: Speech, status: Status) {
        let (kind, part) = match active.modality {
            Modality::Audio => {
                self.send_part(
                    active,
                    &speech,
                    "response.output_audio.done",
                    "",
                    Value::Null,
                );
                self.send_part(
                    active,
                    &speech,
                    "response.output_audio_transcript.done",
                    "transcript",
                    json!(speech.text),
                );
                let kind = Kind::ModelAudio {
                    ms: speech.sent_ms(),
                    said: speech.words.clone(),
                    transcript: Some(speech.text.clone()),
                };
                (kind, json!({ "type": "audio", "transcript": speech.text }))
            }
            Modality::Text => {
                self.send_part(
                    active,
                    &speech,
                    "response.output_text.done",
                    "text",
                    json!(speech.text),
                );
                let kind = Kind::Text {
                    role: Role::Assistant,
                    text: speech.text.clone(),
                };
                (kind, json!({ "type": "text", "text": speech.text }))
            }
        };
        self.send_part(active, &speech, "response.content_part.done", "part", part);
        self.end_output(
            active,
            speech.output_index,
            Item::new(speech.item, status, kind),
        );
    }

    /// Completes an output item, in the response and in the conversation.
    fn end_output(&mut self, active: &mut Active, output_index: usize, item: Item) {
        let shown = item.json();
        self.send(
            "response.output_item.done",
            json!({ "response_id": active.id, "output_index": output_index, "item": shown }),
        );
        if let Some(at) = self.items.iter().position(|known| known.id == item.id) {
            // An item that the client truncated while it was being said stays as the client left it.
            if self.items[at].status == Status::InProgress {
                self.items[at].status = item.status;
                self.items[at].kind = item.kind.clone();
            }
            let previous = at.checked_sub(1).map(|at| self.items[at].id.clone());
            self.send(
                "conversation.item.done",
                json!({ "previous_item_id": previous, "item": shown }),
            );
        }
        active.done.push(item);
    }

    fn call_tools(&mut self, active: &mut Active, reply: &mut Reply) {
        for ToolCall { name, arguments } in std::mem::take(&mut reply.calls) {
            let (id, call, output_index) = (
                self.ids.next("item"),
                self.ids.next("call"),
                active.done.len(),
            );
            let begun = Kind::Call {
                call: call.clone(),
                name: name.clone(),
                arguments: String::new(),
            };
            let item = Item::new(id.clone(), Status::InProgress, begun);
            let shown = item.json();
            self.add_output(active, output_index, item, shown);
            let part = json!({ "response_id": active.id, "item_id": id, "output_index": output_index, "call_id": call });
            let middle = arguments
                .char_indices()
                .nth(arguments.chars().count() / 2)
                .map_or(0, |(at, _)| at);
            for delta in [&arguments[..middle], &arguments[middle..]] {
                let mut event = part.clone();
                event["delta"] = json!(delta);
                self.send("response.function_call_arguments.delta", event);
            }
            let mut event = part;
            event["arguments"] = json!(arguments);
            event["name"] = json!(name);
            self.send("response.function_call_arguments.done", event);
            let tokens = tokens::of_text(&name) + tokens::of_text(&arguments);
            active.call_tokens += tokens;
            active.bill.output.text += tokens;
            self.end_output(
                active,
                output_index,
                Item::new(
                    id,
                    Status::Completed,
                    Kind::Call {
                        call,
                        name,
                        arguments,
                    },
                ),
            );
        }
    }
}
