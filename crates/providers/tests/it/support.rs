//! A link whose far end is the test, with every frame in both directions checked against the vendor's schemas.

use std::fmt::Write as _;
use std::sync::OnceLock;

use engine::ids::ItemId;
use engine::link::{LinkCommand, LinkConfig, LinkEvent, Patience, Tool, ToolParameter};
use jsonschema::Validator;
use providers::{Closed, Codec, CodecOutput, Counters, Frame, Profiles, Secret, codec};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "sk-test-0123456789";

/// What is wrong with a client event, by the vendor's schema; none if nothing is.
pub(crate) fn client_problem(event: &Value) -> Option<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let text = include_str!("../../schemas/openai_client.schema.json");
    problem(VALIDATOR.get_or_init(|| validator(text)), event)
}

/// What is wrong with a server event, by the vendor's schema; none if nothing is.
pub(crate) fn server_problem(event: &Value) -> Option<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let text = include_str!("../../schemas/openai_server.schema.json");
    problem(VALIDATOR.get_or_init(|| validator(text)), event)
}

fn validator(text: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

fn problem(validator: &Validator, event: &Value) -> Option<String> {
    validator
        .iter_errors(event)
        .next()
        .map(|error| error.to_string().chars().take(2_000).collect())
}

/// A codec with the test at both ends.
pub(crate) struct Link {
    codec: Box<dyn Codec>,
    out: Vec<CodecOutput>,
    /// Types of all events sent so far.
    pub(crate) sent_types: Vec<String>,
}

impl Link {
    /// Not yet connected.
    pub(crate) fn closed() -> Link {
        Link::of("gpt-realtime-2.1")
    }

    pub(crate) fn of(profile: &str) -> Link {
        let profiles = Profiles::built_in();
        let key = Secret::new(KEY);
        let codec = codec(
            profiles.get(profile).unwrap(),
            Some(&key),
            "https://api.openai.com/v1",
        );
        Link {
            codec,
            out: Vec::new(),
            sent_types: Vec::new(),
        }
    }

    /// Connected and configured: what that took is left out of the trace.
    pub(crate) fn ready() -> Link {
        let mut link = Link::closed();
        link.open(&config());
        link.server(session("session.created"));
        link.server(session("session.updated"));
        link.trace();
        link
    }

    pub(crate) fn open(&mut self, config: &LinkConfig) {
        self.codec.open(config, &mut self.out);
    }

    pub(crate) fn command(&mut self, command: LinkCommand) {
        self.codec.command(&command, &mut self.out);
    }

    pub(crate) fn say(&mut self, tag: u32, also: Option<&str>) {
        self.command(LinkCommand::Say {
            tag,
            also: also.map(str::to_owned),
        });
    }

    pub(crate) fn heard(&mut self, item: &str, played_ms: u32) {
        self.command(LinkCommand::Heard {
            item: ItemId::from(item),
            played_ms,
        });
    }

    pub(crate) fn audio(&mut self, pcm: &[i16]) {
        self.codec.audio(pcm, &mut self.out);
    }

    pub(crate) fn flush(&mut self) {
        self.codec.flush(&mut self.out);
    }

    /// The vendor says something that its own types allow.
    pub(crate) fn server(&mut self, event: Value) {
        assert_eq!(server_problem(&event), None, "{event}");
        self.odd(&event.to_string());
    }

    /// The vendor, or something that is not the vendor, says anything.
    pub(crate) fn odd(&mut self, text: &str) {
        self.codec.frame(Frame::Text(text), &mut self.out);
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.codec.frame(Frame::Binary(bytes), &mut self.out);
    }

    pub(crate) fn close(&mut self, closed: Closed<'_>) {
        self.codec.closed(closed, &mut self.out);
    }

    pub(crate) fn counters(&self) -> Counters {
        self.codec.counters()
    }

    /// What came out since the last time. Whatever was sent is checked here.
    pub(crate) fn take(&mut self) -> Vec<CodecOutput> {
        let out = std::mem::take(&mut self.out);
        for output in &out {
            if let CodecOutput::Send(text) = output {
                let event: Value = serde_json::from_str(text).unwrap();
                assert_eq!(client_problem(&event), None, "{event}");
                self.sent_types
                    .push(event["type"].as_str().unwrap().to_owned());
            }
        }
        out
    }

    /// Events that came out since the last time.
    pub(crate) fn events(&mut self) -> Vec<LinkEvent> {
        let event = |output| {
            if let CodecOutput::Event(event) = output {
                Some(event)
            } else {
                None
            }
        };
        self.take().into_iter().filter_map(event).collect()
    }

    /// Frames that were sent since the last time.
    pub(crate) fn sent(&mut self) -> Vec<Value> {
        let sent = |output| {
            if let CodecOutput::Send(text) = output {
                Some(text)
            } else {
                None
            }
        };
        let texts = self.take().into_iter().filter_map(sent);
        texts
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }

    /// What came out since the last time, a line each.
    pub(crate) fn trace(&mut self) -> String {
        let mut trace = String::new();
        for output in self.take() {
            let line = match output {
                CodecOutput::Send(text) => {
                    format!("send {}", canonical(&serde_json::from_str(&text).unwrap()))
                }
                CodecOutput::Event(event) => format!("event {event:?}"),
                CodecOutput::Audio { item, pcm } => format!("audio {item} {} samples", pcm.len()),
                CodecOutput::AudioDone { item } => format!("audio done {item}"),
            };
            writeln!(trace, "{line}").unwrap();
        }
        trace
    }
}

/// JSON with sorted keys, whichever order serde_json keeps them in.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", json!(key), canonical(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(array) => format!(
            "[{}]",
            array.iter().map(canonical).collect::<Vec<_>>().join(",")
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

pub(crate) fn config() -> LinkConfig {
    LinkConfig {
        instructions: "Ask about meetings.".to_owned(),
        tools: vec![Tool {
            name: "advance_phase",
            description: "Call when the guide is done.".to_owned(),
            parameters: vec![ToolParameter {
                name: "to",
                description: "The next phase.".to_owned(),
                one_of: vec!["main".to_owned(), "end".to_owned()],
            }],
        }],
        language: "en-GB".to_owned(),
        voice: None,
        patience: Patience {
            silence_ms: 700,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        history: Vec::new(),
    }
}

pub(crate) fn session(kind: &str) -> Value {
    json!({ "type": kind, "event_id": "event_s", "session": {
        "type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "gpt-realtime-2.1",
        "output_modalities": ["audio"], "instructions": "", "tools": [], "tool_choice": "auto",
        "expires_at": 1_795_345_135,
    } })
}

pub(crate) fn speech(kind: &str, item: &str) -> Value {
    let mut event = json!({ "type": format!("input_audio_buffer.{kind}"), "event_id": "event_v", "item_id": item });
    match kind {
        "speech_started" => event["audio_start_ms"] = json!(320),
        "speech_stopped" => event["audio_end_ms"] = json!(2_180),
        _ => event["previous_item_id"] = Value::Null,
    }
    event
}

pub(crate) fn response_created(response: &str, client_event_id: Option<&str>) -> Value {
    let metadata = client_event_id.map(|id| json!({ "client_event_id": id }));
    json!({ "type": "response.created", "event_id": "event_c", "response": {
        "object": "realtime.response", "id": response, "status": "in_progress", "status_details": null, "output": [],
        "conversation_id": "conv_1", "output_modalities": ["audio"], "usage": null, "metadata": metadata,
    } })
}

pub(crate) fn response_done(response: &str, status: &str, reason: Option<&str>) -> Value {
    let details = reason.map(|reason| json!({ "type": status, "reason": reason }));
    json!({ "type": "response.done", "event_id": "event_d", "response": {
        "object": "realtime.response", "id": response, "status": status, "status_details": details, "output": [],
    } })
}

pub(crate) fn item_added(response: &str, item: &str) -> Value {
    json!({ "type": "response.output_item.added", "event_id": "event_i", "response_id": response, "output_index": 0,
        "item": { "id": item, "object": "realtime.item", "type": "message", "status": "in_progress",
            "role": "assistant", "content": [] } })
}

pub(crate) fn item_done(response: &str, item: &str, status: &str, words: &str) -> Value {
    json!({ "type": "response.output_item.done", "event_id": "event_j", "response_id": response, "output_index": 0,
        "item": { "id": item, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": [{ "type": "output_audio", "transcript": words }] } })
}

pub(crate) fn call_done(response: &str, item: &str, status: &str, arguments: &str) -> Value {
    json!({ "type": "response.output_item.done", "event_id": "event_k", "response_id": response, "output_index": 0,
        "item": { "id": item, "object": "realtime.item", "type": "function_call", "status": status,
            "call_id": "call_1", "name": "advance_phase", "arguments": arguments } })
}

fn delta(kind: &str, response: &str, item: &str, delta: &str) -> Value {
    json!({ "type": kind, "event_id": "event_x", "response_id": response, "item_id": item, "output_index": 0,
        "content_index": 0, "delta": delta })
}

/// Audio of so many milliseconds at 24 kHz.
pub(crate) fn audio_delta(response: &str, item: &str, ms: usize) -> Value {
    let base64 = base64_simd::STANDARD.encode_to_string(vec![1_u8; ms * 24 * 2]);
    delta("response.output_audio.delta", response, item, &base64)
}

pub(crate) fn words_delta(response: &str, item: &str, words: &str) -> Value {
    delta(
        "response.output_audio_transcript.delta",
        response,
        item,
        words,
    )
}

pub(crate) fn error(kind: &str, code: Option<&str>, message: &str, about: Option<&str>) -> Value {
    json!({ "type": "error", "event_id": "event_e",
        "error": { "type": kind, "code": code, "message": message, "param": null, "event_id": about } })
}
