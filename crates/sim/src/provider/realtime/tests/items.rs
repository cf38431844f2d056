//! Items of the conversation, and events that make no sense.

use super::*;

fn message(id: &str, role: &str, kind: &str, text: &str) -> Value {
    json!({ "id": id, "type": "message", "role": role, "content": [{ "type": kind, "text": text }] })
}

fn create(bench: &mut Bench, item: Value, previous: Value) {
    bench.send(json!({ "type": "conversation.item.create", "event_id": "ic", "item": item, "previous_item_id": previous }));
}

#[test]
fn items_are_put_where_the_client_wants_them() {
    let mut bench = Bench::new(instant());
    create(
        &mut bench,
        message("u1", "user", "input_text", "one"),
        Value::Null,
    );
    create(
        &mut bench,
        message("u3", "user", "input_text", "three"),
        Value::Null,
    );
    create(
        &mut bench,
        message("u2", "assistant", "output_text", "two"),
        json!("u1"),
    );
    create(
        &mut bench,
        message("s0", "system", "input_text", "zero"),
        json!("root"),
    );
    let order: Vec<&str> = bench
        .realtime
        .items
        .iter()
        .map(|item| item.id.as_str())
        .collect();
    assert_eq!(order, ["s0", "u1", "u2", "u3"]);
    let previous: Vec<_> = bench
        .all("conversation.item.added")
        .iter()
        .map(|event| event["previous_item_id"].clone())
        .collect();
    assert_eq!(
        previous,
        [Value::Null, json!("u1"), json!("u1"), Value::Null]
    );
}

#[test]
fn items_that_cannot_be_are_refused() {
    let mut bench = Bench::new(instant());
    create(
        &mut bench,
        message("u1", "user", "input_text", "one"),
        Value::Null,
    );
    create(
        &mut bench,
        message("u1", "user", "input_text", "again"),
        Value::Null,
    );
    assert_eq!(bench.error_code(), "item_create_duplicate_item_id");
    create(
        &mut bench,
        message("u2", "user", "input_text", "x"),
        json!("nowhere"),
    );
    assert_eq!(bench.error_code(), "item_create_invalid_previous_item_id");
    create(
        &mut bench,
        message("a1", "assistant", "output_audio", "x"),
        Value::Null,
    );
    assert_eq!(
        bench.error_code(),
        "invalid_value",
        "a client cannot make the interviewer's audio"
    );
    create(
        &mut bench,
        json!({ "type": "function_call_output", "call_id": "call_x", "output": "{}" }),
        Value::Null,
    );
    assert_eq!(bench.error_code(), "invalid_tool_call_id");
    create(&mut bench, json!({ "type": "telegram" }), Value::Null);
    assert_eq!(bench.error_code(), "invalid_value");
    assert_eq!(bench.realtime.items.len(), 1);
}

#[test]
fn items_can_be_retrieved_and_deleted_once() {
    let mut bench = Bench::new(instant());
    create(
        &mut bench,
        message("u1", "user", "input_text", "one"),
        Value::Null,
    );
    bench.send(json!({ "type": "conversation.item.retrieve", "item_id": "u1" }));
    assert_eq!(
        bench.last("conversation.item.retrieved")["item"]["content"][0]["text"],
        "one"
    );
    bench.send(json!({ "type": "conversation.item.delete", "item_id": "u1" }));
    assert_eq!(bench.last("conversation.item.deleted")["item_id"], "u1");
    bench.send(json!({ "type": "conversation.item.delete", "item_id": "u1" }));
    assert_eq!(bench.error_code(), "item_delete_invalid_item_id");
    bench.send(json!({ "type": "conversation.item.retrieve", "item_id": "u1" }));
    assert_eq!(bench.error_code(), "item_retrieve_invalid_item_id");
}

#[test]
fn a_truncated_utterance_loses_its_transcript_and_what_was_not_heard_of_it() {
    let mut bench = Bench::configured(instant());
    bench.sentence_ms = 4000;
    bench.send(json!({ "type": "response.create" }));
    let item = bench.last("response.output_item.done")["item"]["id"].clone();
    let truncate = |ms: u64| json!({ "type": "conversation.item.truncate", "event_id": "t", "item_id": item, "content_index": 0, "audio_end_ms": ms });
    bench.send(truncate(4001));
    assert_eq!(bench.error_code(), Value::Null);
    assert_eq!(
        bench.events.last().unwrap()["error"]["message"],
        "Audio content of 4000ms is already shorter than 4001ms"
    );
    bench.send(truncate(1000));
    assert_eq!(
        bench.last("conversation.item.truncated")["audio_end_ms"],
        1000
    );
    bench.send(json!({ "type": "conversation.item.retrieve", "item_id": item }));
    assert_eq!(
        bench.last("conversation.item.retrieved")["item"]["content"][0]["transcript"],
        Value::Null
    );
    // Only "Walk me" was heard of the question, so it is put again.
    bench.answer(LONG_ANSWER);
    let said = bench.last("response.output_audio_transcript.done")["transcript"]
        .as_str()
        .unwrap();
    assert!(said.ends_with("Walk me through yesterday."), "{said}");
}

#[test]
fn an_utterance_that_was_deleted_was_never_said() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create" }));
    let item = bench.last("response.output_item.done")["item"]["id"].clone();
    bench.send(json!({ "type": "conversation.item.delete", "item_id": item }));
    bench.send(json!({ "type": "response.create" }));
    assert_eq!(
        bench.last("response.output_audio_transcript.done")["transcript"],
        "Walk me through yesterday."
    );
}

#[test]
fn only_the_interviewers_audio_can_be_truncated() {
    let mut bench = Bench::new(instant());
    create(
        &mut bench,
        message("u1", "user", "input_text", "one"),
        Value::Null,
    );
    let truncate = |item: &str| json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 0 });
    bench.send(truncate("u1"));
    assert_eq!(bench.error_code(), "invalid_value");
    bench.send(truncate("nobody"));
    assert_eq!(bench.error_code(), "item_truncate_invalid_item_id");
}

#[test]
fn replayed_history_is_remembered_and_the_interview_goes_on() {
    let mut bench = Bench::configured(instant());
    create(
        &mut bench,
        message(
            "a1",
            "assistant",
            "output_text",
            "Walk me through yesterday.",
        ),
        Value::Null,
    );
    create(
        &mut bench,
        message("u1", "user", "input_text", LONG_ANSWER),
        Value::Null,
    );
    bench.send(json!({ "type": "response.create" }));
    let said = bench.last("response.output_audio_transcript.done")["transcript"]
        .as_str()
        .unwrap();
    assert!(said.ends_with("Where do you usually work?"), "{said}");
}

#[test]
fn the_voice_cannot_change_after_it_was_heard() {
    let mut bench = Bench::configured(instant());
    bench.update(json!({ "audio": { "output": { "voice": "cedar" } } }));
    assert_eq!(
        bench.last("session.updated")["session"]["audio"]["output"]["voice"],
        "cedar"
    );
    bench.send(json!({ "type": "response.create" }));
    bench.update(json!({ "audio": { "output": { "voice": "marin" } } }));
    assert_eq!(bench.error_code(), "cannot_update_voice");
}

#[test]
fn nonsense_gets_an_error_and_the_session_goes_on() {
    let mut bench = Bench::new(instant());
    for (event, code) in [
        (json!({ "type": "session.explode" }), "invalid_value"),
        (json!({ "no": "type" }), "missing_required_parameter"),
        (json!([1, 2]), "missing_required_parameter"),
        (
            json!({ "type": "input_audio_buffer.append", "audio": "###" }),
            "invalid_value",
        ),
        (
            json!({ "type": "session.update" }),
            "missing_required_parameter",
        ),
    ] {
        bench.send(event);
        assert_eq!(bench.error_code(), code);
    }
    bench.realtime.frame(0, "{not json");
    bench.settle();
    assert_eq!(bench.error_code(), "invalid_json");
    bench.update(json!({}));
    assert_eq!(bench.types().last(), Some(&"session.updated"));
}

#[test]
fn audio_is_taken_and_refused_alike_in_whatever_order_its_event_is_written() {
    let orders = [
        r#"{"type":"input_audio_buffer.append","event_id":"one","audio":"AUDIO"}"#,
        r#"{"audio":"AUDIO","event_id":"one","type":"input_audio_buffer\u002eappend"}"#,
    ];
    for order in orders {
        let mut bench = Bench::new(instant());
        let good = order.replace("AUDIO", &base64(&[7; 960]));
        bench.realtime.frame(0, &good);
        bench.settle();
        assert_eq!(bench.realtime.input_ms(), 40);
        bench.realtime.frame(0, &order.replace("AUDIO", "###"));
        bench.settle();
        assert_eq!(bench.last("error")["error"]["param"], "audio");
        assert_eq!(bench.last("error")["error"]["event_id"], "one");
        bench.realtime.frame(0, &order.replace("\"AUDIO\"", "7"));
        bench.settle();
        assert_eq!(bench.last("error")["error"]["event_id"], "one");
        assert_eq!(bench.realtime.input_ms(), 40);
    }
}

#[test]
fn an_unknown_vendor_speaks_events_that_nobody_knows_between_its_own() {
    let mut realtime = Realtime::new(
        Arc::new(faulty(FaultKind::UnknownEvents)),
        &Connection {
            number: 3,
            model: "gpt-realtime-2.1".into(),
            unix_s: 0,
        },
        0,
    );
    let frames: Vec<Effect> = realtime.effects().collect();
    assert!(
        matches!(&frames[..], [Effect::Send(unknown), Effect::Send(created)] if unknown.contains("horoscope") && created.contains("session.created"))
    );
}
