//! The vendor's schemas, and that they have teeth.

use engine::ids::CallId;
use engine::link::{LinkCommand, Speaker};
use serde_json::{Value, json};

use crate::support::{
    Link, audio_delta, client_problem, config, item_added, item_done, response_created,
    server_problem, session,
};

fn lines(text: &str) -> impl Iterator<Item = Value> + '_ {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
}

#[test]
fn the_vendors_documented_events_fit_the_schemas() {
    for event in lines(include_str!("fixtures/openai_client.jsonl")) {
        assert_eq!(client_problem(&event), None, "{event}");
    }
    for event in lines(include_str!("fixtures/openai_server.jsonl")) {
        assert_eq!(server_problem(&event), None, "{event}");
    }
}

#[test]
fn schemas_refuse_what_older_versions_and_sloppy_clients_send() {
    let sloppy = [
        json!({ "type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 12.5 }),
        json!({ "type": "session.update", "session": { "type": "realtime", "voice": "marin" } }),
        json!({ "type": "response.create", "response": { "modalities": ["audio"] } }),
        json!({ "type": "session.update", "session": { "type": "realtime", "audio": { "input": {
            "turn_detection": { "type": "server_vad", "silence_duration": 700 } } } } }),
    ];
    for event in sloppy {
        assert!(client_problem(&event).is_some(), "{event}");
    }
    let beta = json!({ "type": "response.audio.delta", "event_id": "e", "response_id": "r", "item_id": "i",
        "output_index": 0, "content_index": 0, "delta": "" });
    assert!(server_problem(&beta).is_some());
}

/// `Link` checks each frame; this test makes sure that there is one of every kind and every shape of it.
#[test]
fn every_event_that_can_be_sent_fits_the_schema() {
    let mut link = Link::closed();
    let mut full = config();
    full.voice = Some("cedar".to_owned());
    full.history = vec![
        (Speaker::Interviewer, "Hello?".to_owned()),
        (Speaker::Participant, "Hello.".to_owned()),
    ];
    link.open(&full);
    link.server(session("session.created"));
    link.server(session("session.updated"));
    link.audio(&[7; 960]);
    link.say(1, Some("Greet."));
    link.server(response_created("resp_1", Some("say_1.1")));
    for item in ["item_1", "item_2"] {
        link.server(item_added("resp_1", item));
        link.server(audio_delta("resp_1", item, 100));
        link.server(item_done("resp_1", item, "completed", "Hello"));
    }
    link.heard("item_1", 40);
    link.heard("item_2", 0);
    link.command(LinkCommand::Cancel);
    link.server(crate::support::response_done(
        "resp_1",
        "cancelled",
        Some("client_cancelled"),
    ));
    link.command(LinkCommand::Cancel);
    link.say(2, None);
    link.command(LinkCommand::Instruct {
        instructions: "Now ask about tools.".to_owned(),
    });
    link.command(LinkCommand::ToolResult {
        call: CallId::from("call_1"),
        output: r#"{"ok":true}"#.to_owned(),
    });
    link.take();
    let mut kinds = link.sent_types.clone();
    kinds.sort();
    kinds.dedup();
    let all = [
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.truncate",
        "input_audio_buffer.append",
        "response.cancel",
        "response.create",
        "session.update",
    ];
    assert_eq!(kinds, all);
}
