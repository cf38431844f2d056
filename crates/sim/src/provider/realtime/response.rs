//! Responses: from the request through thinking and speaking to `response.done`, and how they are cut short.

mod output;

use serde_json::{Value, json};

use super::items::{Item, Kind, Status};
use super::session::Refusal;
use super::speech::Speech;
use super::{Effect, Realtime};
use crate::provider::brain::{self, Memory, Reply};
use crate::provider::config::{Delivery, FaultKind};
use crate::provider::tokens::{Bill, Part};

/// What a response speaks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modality {
    Audio,
    Text,
}

/// Where a response belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It writes to the conversation; only one at a time.
    Default,
    /// Out of band: the conversation does not change.
    OutOfBand,
}

/// Which tools may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Auto,
    None,
    /// One must be called: this one, or any.
    Required(Option<String>),
}

impl Choice {
    fn read(choice: &Value) -> Choice {
        match (choice.as_str(), choice["name"].as_str()) {
            (Some("none"), _) => Choice::None,
            (Some("required"), _) => Choice::Required(None),
            (_, Some(name)) => Choice::Required(Some(name.to_owned())),
            _ => Choice::Auto,
        }
    }
}

/// How far a response is.
#[derive(Debug)]
enum Stage {
    /// Waits for the words of the participant.
    Hearing,
    /// Waits for its voice.
    Voicing(Reply),
    /// Sends.
    Talking(Reply, Option<Speech>),
}

/// A running response.
#[derive(Debug)]
pub(super) struct Active {
    id: String,
    place: Place,
    modality: Modality,
    metadata: Value,
    max_tokens: Value,
    instructions: String,
    also: String,
    tools: Vec<Value>,
    choice: Choice,
    /// Items to answer instead of the conversation.
    input: Option<Vec<Memory>>,
    bill: Bill,
    /// Output tokens of tool calls so far.
    call_tokens: u64,
    not_before_ms: u64,
    stage: Stage,
    done: Vec<Item>,
}

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled(&'static str),
    MaxTokens,
}

impl Active {
    /// When there is something to send; none while something else is waited for.
    pub(super) fn due_ms(&self, delivery: Delivery) -> Option<u64> {
        match &self.stage {
            Stage::Hearing | Stage::Voicing(_) => None,
            Stage::Talking(_, Some(speech)) => {
                Some(speech.due_ms(delivery).max(self.not_before_ms))
            }
            Stage::Talking(_, None) => Some(self.not_before_ms),
        }
    }
}

impl Realtime {
    pub(super) fn has_default_response(&self) -> bool {
        self.responses
            .iter()
            .any(|active| active.place == Place::Default)
    }

    pub(super) fn create_by_client(&mut self, now_ms: u64, event: &Value) -> Result<(), Refusal> {
        let none = json!({});
        let params = event
            .get("response")
            .filter(|params| !params.is_null())
            .unwrap_or(&none);
        let fields = params.as_object().ok_or_else(|| {
            Refusal::new(
                "invalid_type",
                "Invalid type for 'response': expected an object.",
                "response",
            )
        })?;
        super::session::known_only(fields, "response", &RESPONSE_FIELDS)?;
        let place = if params["conversation"] == "none" {
            Place::OutOfBand
        } else {
            Place::Default
        };
        if place == Place::Default
            && let Some(active) = self
                .responses
                .iter()
                .find(|active| active.place == Place::Default)
        {
            let message = format!(
                "Conversation already has an active response in progress: {}. Wait until the response is finished before creating a new one.",
                active.id
            );
            return Err(Refusal {
                code: Some("conversation_already_has_active_response"),
                message,
                param: None,
            });
        }
        self.create(now_ms, params, place);
        Ok(())
    }

    /// Answers a committed turn, now or when the running response has ended.
    pub(super) fn answer_turn(&mut self, now_ms: u64) {
        self.turn_waiting = self.has_default_response();
        if !self.turn_waiting {
            self.create(now_ms, &json!({}), Place::Default);
        }
    }

    fn create(&mut self, now_ms: u64, params: &Value, place: Place) {
        if self.faults.contains(&FaultKind::Stall) {
            return;
        }
        self.idle_due_ms = None;
        let given = |name: &str| params.get(name).filter(|value| !value.is_null());
        let session = self.session.instructions();
        let own = given("instructions").and_then(Value::as_str);
        let sent = own.unwrap_or(session).to_owned();
        let (instructions, also) = wording(session, own);
        let modalities =
            given("output_modalities").unwrap_or(self.session.field("output_modalities"));
        let modality = if *modalities == json!(["text"]) {
            Modality::Text
        } else {
            Modality::Audio
        };
        let choice =
            Choice::read(given("tool_choice").unwrap_or(self.session.field("tool_choice")));
        let tools = given("tools")
            .unwrap_or(self.session.tools())
            .as_array()
            .cloned()
            .unwrap_or_default();
        let input = given("input")
            .and_then(Value::as_array)
            .map(|items| self.read_input(items));
        let mut active = Active {
            id: self.ids.next("resp"),
            place,
            modality,
            metadata: params["metadata"].clone(),
            max_tokens: given("max_output_tokens")
                .unwrap_or(self.session.field("max_output_tokens"))
                .clone(),
            instructions,
            also,
            tools,
            choice,
            input,
            bill: Bill::default(),
            call_tokens: 0,
            not_before_ms: now_ms + self.config.latency.first_audio_ms,
            stage: Stage::Hearing,
            done: Vec::new(),
        };
        self.send(
            "response.created",
            json!({ "response": self.response_json(&active, "in_progress", &Value::Null, false) }),
        );
        self.responses_created += 1;
        if self.rate_limited_left > 0 {
            self.rate_limited_left -= 1;
            let message = format!(
                "Rate limit reached for {}",
                self.session.field("model").as_str().unwrap_or_default()
            );
            let error = json!({ "type": "invalid_request_error", "code": "inference_rate_limit_exceeded", "message": message });
            let response = self.response_json(
                &active,
                "failed",
                &json!({ "type": "failed", "error": error }),
                true,
            );
            return self.send("response.done", json!({ "response": response }));
        }
        active.bill = self.count(&active, &sent);
        self.tell_rate_limits(active.bill.input.total());
        self.responses.push(active);
        self.think(now_ms);
    }

    fn read_input(&self, items: &[Value]) -> Vec<Memory> {
        let known = |item: &Value| {
            self.items
                .iter()
                .find(|known| item["type"] == "item_reference" && item["id"] == *known.id)
        };
        items
            .iter()
            .filter_map(|item| match known(item) {
                Some(known) => known.memory(),
                None => super::items::read(item, String::new)
                    .ok()
                    .and_then(|(item, _)| item.memory()),
            })
            .collect()
    }

    /// Counts what is sent to the model for this response.
    fn count(&mut self, active: &Active, instructions: &str) -> Bill {
        let tools = Value::from(active.tools.clone()).to_string();
        let mut context = vec![Part::Preamble(format!("{instructions}\n{tools}"))];
        if active.input.is_none() {
            context.extend(self.items.iter().map(Item::part));
        }
        self.cache.send(context)
    }

    fn tell_rate_limits(&mut self, tokens: u64) {
        let requests_left = 5000_u64.saturating_sub(self.responses_created % 5000);
        let limits = json!([
            { "name": "requests", "limit": 5000, "remaining": requests_left, "reset_seconds": 0.012 },
            { "name": "tokens", "limit": 200_000, "remaining": 200_000_u64.saturating_sub(tokens), "reset_seconds": 1.35 },
        ]);
        self.send("rate_limits.updated", json!({ "rate_limits": limits }));
    }

    /// Lets every response think that has heard what it waits for.
    pub(super) fn think(&mut self, now_ms: u64) {
        let is_hearing = |active: &Active| matches!(active.stage, Stage::Hearing);
        if !self.unheard.is_empty() || !self.responses.iter().any(is_hearing) {
            return;
        }
        let memory: Vec<Memory> = self.items.iter().filter_map(Item::memory).collect();
        for active in self
            .responses
            .iter_mut()
            .filter(|active| matches!(active.stage, Stage::Hearing))
        {
            let tools: Vec<String> = active
                .tools
                .iter()
                .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
                .collect();
            let callable = if active.choice == Choice::None {
                &[][..]
            } else {
                &tools[..]
            };
            let request = brain::Request {
                instructions: &active.instructions,
                also: &active.also,
                tools: callable,
                memory: active.input.as_deref().unwrap_or(&memory),
            };
            let mut reply = brain::reply(&request);
            if let Choice::Required(name) = &active.choice
                && reply.calls.is_empty()
            {
                reply
                    .calls
                    .extend(required_call(&active.tools, name.as_deref()));
            }
            if reply.say.is_empty() || active.modality == Modality::Text {
                let speech = (!reply.say.is_empty()).then(|| Speech::silent(&reply.say, now_ms));
                active.stage = Stage::Talking(reply, speech);
            } else {
                let language = brain::prompt::Prompt::parse(&active.instructions).language;
                self.effects.push(Effect::Speak {
                    response: active.id.clone(),
                    language,
                    say: reply.say.clone(),
                });
                active.stage = Stage::Voicing(reply);
            }
        }
    }

    /// Takes the speech that was asked for: one recording per sentence.
    pub(crate) fn spoken(&mut self, now_ms: u64, response: &str, pcm: &[std::sync::Arc<[i16]>]) {
        let delivery_begin = |active: &Active| now_ms.max(active.not_before_ms);
        if let Some(active) = self
            .responses
            .iter_mut()
            .find(|active| active.id == response)
            && let Stage::Voicing(reply) = &mut active.stage
        {
            let reply = std::mem::take(reply);
            let speech = Speech::new(&reply.say, pcm, delivery_begin(active));
            active.stage = Stage::Talking(reply, Some(speech));
        }
        self.tick(now_ms);
    }

    fn finish(&mut self, now_ms: u64, active: Active, end: End) {
        let (status, details) = match end {
            End::Completed => ("completed", Value::Null),
            End::Cancelled(reason) => (
                "cancelled",
                json!({ "type": "cancelled", "reason": reason }),
            ),
            End::MaxTokens => (
                "incomplete",
                json!({ "type": "incomplete", "reason": "max_output_tokens" }),
            ),
        };
        let response = self.response_json(&active, status, &details, true);
        self.send("response.done", json!({ "response": response }));
        if active.place == Place::OutOfBand {
            return;
        }
        if std::mem::take(&mut self.turn_waiting) {
            return self.create(now_ms, &json!({}), Place::Default);
        }
        if let Some(timeout_ms) = self
            .detection
            .and_then(|detection| detection.idle_timeout_ms)
            && end == End::Completed
        {
            // Counted from when the audio has been played, which the vendor too only estimates.
            let spoken_ms: u64 = active
                .done
                .iter()
                .map(|item| {
                    if let Kind::ModelAudio { ms, .. } = item.kind {
                        ms
                    } else {
                        0
                    }
                })
                .sum();
            let played_ms = (active.not_before_ms + spoken_ms).max(now_ms);
            self.idle_due_ms = Some(played_ms + timeout_ms);
        }
    }

    /// The participant speaks: the running response is cut short.
    pub(super) fn interrupt(&mut self, now_ms: u64) {
        if let Some(at) = self
            .responses
            .iter()
            .position(|active| active.place == Place::Default)
        {
            self.cancel(now_ms, at, "turn_detected");
        }
    }

    pub(super) fn cancel_by_client(&mut self, now_ms: u64, event: &Value) -> Result<(), Refusal> {
        let wanted = event["response_id"].as_str();
        let fits =
            |active: &Active| wanted.map_or(active.place == Place::Default, |id| active.id == id);
        let Some(at) = self.responses.iter().position(fits) else {
            let message = "Cancellation failed: no active response found".to_owned();
            return Err(Refusal {
                code: Some("response_cancel_not_active"),
                message,
                param: None,
            });
        };
        self.cancel(now_ms, at, "client_cancelled");
        Ok(())
    }

    fn cancel(&mut self, now_ms: u64, at: usize, reason: &'static str) {
        let mut active = self.responses.remove(at);
        if let Stage::Talking(_, speech) = &mut active.stage
            && let Some(speech) = speech.take()
            && speech.begun
        {
            self.end_speech(&mut active, speech, Status::Incomplete);
        }
        self.finish(now_ms, active, End::Cancelled(reason));
    }

    fn response_json(
        &self,
        active: &Active,
        status: &str,
        details: &Value,
        with_usage: bool,
    ) -> Value {
        let output_audio = self.session.output_audio();
        let voice = output_audio["voice"]
            .as_str()
            .or(output_audio["voice"]["id"].as_str());
        let modality = if active.modality == Modality::Audio {
            "audio"
        } else {
            "text"
        };
        let conversation = (active.place == Place::Default).then_some(self.conversation.as_str());
        json!({
            "object": "realtime.response", "id": active.id, "status": status, "status_details": details,
            "output": active.done.iter().map(Item::json).collect::<Vec<_>>(),
            "conversation_id": conversation, "output_modalities": [modality], "max_output_tokens": active.max_tokens,
            "audio": { "output": { "format": output_audio["format"], "voice": voice } },
            "usage": if with_usage { active.bill.to_json() } else { Value::Null },
            "metadata": active.metadata,
        })
    }
}

const RESPONSE_FIELDS: [&str; 12] = [
    "audio",
    "conversation",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "output_modalities",
    "parallel_tool_calls",
    "prompt",
    "reasoning",
    "tool_choice",
    "tools",
];

/// The instructions in force, and what was added to them for one response.
fn wording(session: &str, own: Option<&str>) -> (String, String) {
    match own {
        None => (session.to_owned(), String::new()),
        Some(own) => match own.strip_prefix(session) {
            Some(also) if !session.is_empty() => (own.to_owned(), also.to_owned()),
            _ if own.contains("## Phase:") => (own.to_owned(), own.to_owned()),
            // Quite other instructions: what is known of the interview is still known.
            _ => (format!("{session}\n{own}"), own.to_owned()),
        },
    }
}

/// A call of a tool that must be called: its first legal value for everything that it needs.
fn required_call(tools: &[Value], name: Option<&str>) -> Option<brain::ToolCall> {
    let tool = tools
        .iter()
        .find(|tool| name.is_none_or(|name| tool["name"] == name))?;
    let properties = tool["parameters"]["properties"].as_object();
    let arguments: serde_json::Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(key, schema)| {
            (
                key.clone(),
                crate::provider::chat::schema::instance(schema, ""),
            )
        })
        .collect();
    Some(brain::ToolCall {
        name: tool["name"].as_str()?.to_owned(),
        arguments: Value::Object(arguments).to_string(),
    })
}
