//! Client events. Each function gives one text frame; tests check all of them against the vendor's schema.

use engine::link::{LinkConfig, Patience, Speaker, Tool};
use serde_json::{Map, Value, json};

use crate::profile::Profile;

/// The first `session.update`: everything that a session needs.
///
/// `turn_detection` is sent whole, because the vendor replaces (not merges) it when its type changes.
pub(crate) fn configure(event_id: &str, config: &LinkConfig, profile: &Profile) -> String {
    let pcm = |rate_hz: u32| json!({ "type": "audio/pcm", "rate": rate_hz });
    let mut input = Map::new();
    input.insert("format".to_owned(), pcm(profile.input_rate_hz));
    if let Some(model) = &profile.transcription_model {
        input.insert(
            "transcription".to_owned(),
            transcription(model, &config.language),
        );
    }
    input.insert("turn_detection".to_owned(), turn_detection(config.patience));
    let voice = config.voice.as_ref().unwrap_or(&profile.default_voice);
    let mut session = json!({
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": config.instructions,
        "audio": { "input": input, "output": { "format": pcm(profile.output_rate_hz), "voice": voice } },
        "tools": config.tools.iter().map(tool).collect::<Vec<_>>(),
        "tool_choice": "auto",
    });
    if let (Some(limit), Some(session)) = (profile.max_output_tokens, session.as_object_mut()) {
        session.insert("max_output_tokens".to_owned(), json!(limit));
    }
    json!({ "type": "session.update", "event_id": event_id, "session": session }).to_string()
}

/// The language only steers recognition; the vendor wants it as ISO 639-1, so `pt-BR` becomes `pt`, and a language
/// without a code of two letters is left to the model.
fn transcription(model: &str, language: &str) -> Value {
    let primary = language
        .split('-')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if primary.len() == 2 {
        json!({ "model": model, "language": primary })
    } else {
        json!({ "model": model })
    }
}

fn turn_detection(patience: Patience) -> Value {
    json!({
        "type": "server_vad",
        "threshold": f64::from(patience.threshold_permille.min(1_000)) / 1_000.0,
        "prefix_padding_ms": patience.prefix_ms,
        "silence_duration_ms": patience.silence_ms,
        "create_response": true,
        "interrupt_response": true,
    })
}

fn tool(tool: &Tool) -> Value {
    let properties: Map<String, Value> = tool
        .parameters
        .iter()
        .map(|parameter| {
            let mut schema = json!({ "type": "string", "description": parameter.description });
            if let (false, Some(schema)) = (parameter.one_of.is_empty(), schema.as_object_mut()) {
                schema.insert("enum".to_owned(), json!(parameter.one_of));
            }
            (parameter.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = tool
        .parameters
        .iter()
        .map(|parameter| parameter.name)
        .collect();
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
    })
}

/// A `session.update` that changes the instructions only: what is left out stays as it is.
pub(crate) fn instruct(event_id: &str, instructions: &str) -> String {
    let session = json!({ "type": "realtime", "instructions": instructions });
    json!({ "type": "session.update", "event_id": event_id, "session": session }).to_string()
}

/// One piece of an earlier conversation, as text: audio of the model cannot be given back to it.
pub(crate) fn history(event_id: &str, speaker: Speaker, text: &str) -> String {
    let (role, kind) = match speaker {
        Speaker::Participant => ("user", "input_text"),
        Speaker::Interviewer => ("assistant", "output_text"),
    };
    let item =
        json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] });
    json!({ "type": "conversation.item.create", "event_id": event_id, "item": item }).to_string()
}

/// The answer to a tool call.
pub(crate) fn tool_result(event_id: &str, call_id: &str, output: &str) -> String {
    let item = json!({ "type": "function_call_output", "call_id": call_id, "output": output });
    json!({ "type": "conversation.item.create", "event_id": event_id, "item": item }).to_string()
}

/// Asks for a response. The vendor echoes `metadata`, and that is how we know which response is the answer to this.
/// `instructions` would replace those of the session, so the caller passes both together.
pub(crate) fn respond(event_id: &str, instructions: Option<&str>) -> String {
    let mut response = json!({ "metadata": { "client_event_id": event_id } });
    if let (Some(instructions), Some(response)) = (instructions, response.as_object_mut()) {
        response.insert("instructions".to_owned(), json!(instructions));
    }
    json!({ "type": "response.create", "event_id": event_id, "response": response }).to_string()
}

/// Stops a response: the one of that id, or whichever is running.
pub(crate) fn cancel(event_id: &str, response_id: Option<&str>) -> String {
    match response_id {
        Some(id) => json!({ "type": "response.cancel", "event_id": event_id, "response_id": id })
            .to_string(),
        None => json!({ "type": "response.cancel", "event_id": event_id }).to_string(),
    }
}

/// Removes what was not heard from the model's memory.
pub(crate) fn truncate(
    event_id: &str,
    item_id: &str,
    content_index: u32,
    audio_end_ms: u64,
) -> String {
    json!({
        "type": "conversation.item.truncate",
        "event_id": event_id,
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    })
    .to_string()
}

/// Removes an utterance of which nothing was heard.
pub(crate) fn delete(event_id: &str, item_id: &str) -> String {
    json!({ "type": "conversation.item.delete", "event_id": event_id, "item_id": item_id })
        .to_string()
}

/// Participant audio. Built by hand: 25 of these a second for each session, and nothing in them needs escaping.
pub(crate) fn append(pcm_le: &[u8]) -> String {
    const HEAD: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
    const TAIL: &str = r#""}"#;
    let mut frame = String::with_capacity(HEAD.len() + pcm_le.len().div_ceil(3) * 4 + TAIL.len());
    frame.push_str(HEAD);
    base64_simd::STANDARD.encode_append(pcm_le, &mut frame);
    frame.push_str(TAIL);
    frame
}
