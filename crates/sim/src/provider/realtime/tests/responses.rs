//! Responses: requests, tools, limits, cost, and what may not happen.

use super::*;

#[test]
fn a_response_asked_for_echoes_its_metadata() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create", "response": { "metadata": { "tag": "7" } } }));
    assert_eq!(
        bench.last("response.created")["response"]["metadata"]["tag"],
        "7"
    );
    assert_eq!(
        bench.last("response.done")["response"]["metadata"]["tag"],
        "7"
    );
}

#[test]
fn only_one_response_may_write_to_the_conversation() {
    let mut bench = Bench::configured(unhurried());
    bench.send(json!({ "type": "response.create" }));
    bench.send(json!({ "type": "response.create", "event_id": "second" }));
    assert_eq!(
        bench.error_code(),
        "conversation_already_has_active_response"
    );
    assert_eq!(bench.events.last().unwrap()["error"]["event_id"], "second");
    bench.advance(10_000);
    assert_eq!(bench.all("response.done").len(), 1);
}

#[test]
fn a_running_response_can_be_cancelled_and_no_other() {
    let mut bench = Bench::configured(unhurried());
    bench.send(json!({ "type": "response.cancel", "event_id": "x" }));
    assert_eq!(bench.error_code(), "response_cancel_not_active");
    assert!(
        bench.events.last().unwrap()["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Cancellation failed")
    );
    bench.send(json!({ "type": "response.create" }));
    bench.send(json!({ "type": "response.cancel", "response_id": "resp_other" }));
    assert_eq!(bench.error_code(), "response_cancel_not_active");
    bench.advance(350);
    bench.send(json!({ "type": "response.cancel" }));
    let done = &bench.last("response.done")["response"];
    assert_eq!(
        (&done["status"], &done["status_details"]["reason"]),
        (&json!("cancelled"), &json!("client_cancelled"))
    );
    bench.send(json!({ "type": "response.create" }));
    bench.advance(10_000);
    assert_eq!(
        bench.last("response.done")["response"]["status"],
        "completed"
    );
}

#[test]
fn a_response_cancelled_before_its_first_word_has_no_output() {
    let mut bench = Bench::configured(unhurried());
    bench.send(json!({ "type": "response.create" }));
    bench.send(json!({ "type": "response.cancel" }));
    assert_eq!(bench.last("response.done")["response"]["output"], json!([]));
    assert_eq!(bench.all("response.output_item.added").len(), 0);
}

#[test]
fn tools_are_called_after_the_words_and_answers_do_not_make_it_speak() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create" }));
    bench.events.clear();
    bench.answer(LONG_ANSWER);
    let output = bench.last("response.done")["response"]["output"].clone();
    let kinds: Vec<_> = output
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["message", "function_call"]);
    assert_eq!(
        (&output[1]["name"], &output[1]["arguments"]),
        (&json!("cover_topic"), &json!(r#"{"topic":"day"}"#))
    );
    let call = output[1]["call_id"].as_str().unwrap().to_owned();
    assert!(call.len() <= 32);
    bench.events.clear();
    let item =
        json!({ "type": "function_call_output", "call_id": call, "output": r#"{"ok":true}"# });
    bench.send(json!({ "type": "conversation.item.create", "item": item }));
    assert_eq!(
        bench.types(),
        ["conversation.item.added", "conversation.item.done"]
    );
}

#[test]
fn tools_are_called_before_the_words_if_so_configured() {
    let mut bench = Bench::configured(SimConfig {
        tool_order: crate::provider::ToolOrder::BeforeSpeech,
        ..instant()
    });
    bench.send(json!({ "type": "response.create" }));
    bench.answer(LONG_ANSWER);
    let output = &bench.last("response.done")["response"]["output"];
    assert_eq!(
        (&output[0]["type"], &output[1]["type"]),
        (&json!("function_call"), &json!("message"))
    );
    let text =
        bench.last("response.done")["response"]["usage"]["output_token_details"]["text_tokens"]
            .as_u64()
            .unwrap();
    assert!(
        text > tokens(&output[1]["content"][0]["transcript"]),
        "the call is billed too"
    );
}

fn tokens(text: &Value) -> u64 {
    crate::provider::tokens::of_text(text.as_str().unwrap())
}

#[test]
fn a_forbidden_tool_is_not_called_and_a_required_one_is() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create" }));
    let text = json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": LONG_ANSWER }] });
    bench.send(json!({ "type": "conversation.item.create", "item": text }));
    bench.send(json!({ "type": "response.create", "response": { "tool_choice": "none" } }));
    assert_eq!(bench.all("response.function_call_arguments.done").len(), 0);
    let choice = json!({ "type": "function", "name": "advance_phase" });
    bench.send(json!({ "type": "response.create", "response": { "tool_choice": choice } }));
    assert_eq!(
        bench.last("response.function_call_arguments.done")["arguments"],
        r#"{"to":"end"}"#
    );
}

#[test]
fn an_out_of_band_response_leaves_the_conversation_alone() {
    let mut bench = Bench::configured(unhurried());
    bench.send(json!({ "type": "response.create" }));
    let response = json!({ "conversation": "none", "output_modalities": ["text"], "metadata": { "purpose": "probe" }, "tool_choice": "none" });
    bench.send(json!({ "type": "response.create", "response": response }));
    bench.advance(10_000);
    assert_eq!(
        bench.all("response.done").len(),
        2,
        "it may run beside another"
    );
    assert_eq!(bench.all("conversation.item.added").len(), 1);
    let probe = bench
        .all("response.done")
        .into_iter()
        .find(|event| event["response"]["metadata"]["purpose"] == "probe")
        .unwrap();
    assert_eq!(
        (
            &probe["response"]["conversation_id"],
            &probe["response"]["output"][0]["content"][0]["type"]
        ),
        (&Value::Null, &json!("output_text"))
    );
    assert!(!bench.all("response.output_text.done").is_empty());
}

#[test]
fn instructions_of_a_response_replace_those_of_the_session_for_it_only() {
    let mut bench = Bench::configured(instant());
    let own = format!(
        "{INSTRUCTIONS}\nSay exactly: \"Hello.\" Then ask the first question of the topic guide."
    );
    bench.send(json!({ "type": "response.create", "response": { "instructions": own } }));
    assert_eq!(
        bench.last("response.output_audio_transcript.done")["transcript"],
        "Hello. Walk me through yesterday."
    );
    assert_eq!(bench.realtime.session.instructions(), INSTRUCTIONS);
}

#[test]
fn output_tokens_are_limited() {
    let mut bench = Bench::configured(instant());
    bench.sentence_ms = 10_000;
    bench.send(json!({ "type": "response.create", "response": { "max_output_tokens": 60 } }));
    let done = &bench.last("response.done")["response"];
    assert_eq!(
        (&done["status"], &done["status_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let spent = done["usage"]["output_tokens"].as_u64().unwrap();
    assert!((60..=63).contains(&spent), "{spent}");
}

#[test]
fn the_whole_context_is_sent_again_and_its_unchanged_part_is_cached() {
    let mut bench = Bench::configured(instant());
    bench.update(json!({ "instructions": format!("{INSTRUCTIONS}{}", "Be kind. ".repeat(200)) }));
    bench.send(json!({ "type": "response.create" }));
    for _ in 0..3 {
        bench.answer(LONG_ANSWER);
    }
    let usage: Vec<&Value> = bench
        .all("response.done")
        .iter()
        .map(|event| &event["response"]["usage"])
        .collect();
    let input = |at: usize| usage[at]["input_tokens"].as_u64().unwrap();
    let cached = |at: usize| {
        usage[at]["input_token_details"]["cached_tokens"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(cached(0), 0);
    assert!(input(1) > input(0) && input(2) > input(1) && input(3) > input(2));
    assert!(
        cached(2) >= cached(1) && cached(3) > cached(1) && cached(3) < input(3),
        "{usage:#?}"
    );
    assert_eq!(cached(3) % 64, 0);
    let details = &usage[3]["input_token_details"]["cached_tokens_details"];
    assert_eq!(
        details["text_tokens"].as_u64().unwrap() + details["audio_tokens"].as_u64().unwrap(),
        cached(3)
    );
    let speech_tokens = (speech().len() as u64 / 24 + 800).div_ceil(100);
    let audio = |at: usize| {
        usage[at]["input_token_details"]["audio_tokens"]
            .as_u64()
            .unwrap()
    };
    assert!(
        audio(1) <= 20 + speech_tokens,
        "a second of the interviewer is 20 tokens, a second of the participant 10: {}",
        audio(1)
    );
}

#[test]
fn new_instructions_invalidate_the_cache() {
    let mut bench = Bench::configured(instant());
    bench.update(json!({ "instructions": "First. ".repeat(200) }));
    bench.send(json!({ "type": "response.create" }));
    bench.update(json!({ "instructions": "Other. ".repeat(200) }));
    bench.send(json!({ "type": "response.create" }));
    assert_eq!(
        bench.last("response.done")["response"]["usage"]["input_token_details"]["cached_tokens"],
        0
    );
}

#[test]
fn a_rate_limited_response_fails_and_the_session_stays() {
    let mut bench = Bench::configured(faulty(FaultKind::RateLimitedResponses(1)));
    bench.send(json!({ "type": "response.create" }));
    let done = &bench.last("response.done")["response"];
    assert_eq!(
        (&done["status"], &done["status_details"]["error"]["code"]),
        (&json!("failed"), &json!("inference_rate_limit_exceeded"))
    );
    bench.send(json!({ "type": "response.create" }));
    assert_eq!(
        bench.last("response.done")["response"]["status"],
        "completed"
    );
}

#[test]
fn a_stalled_vendor_answers_nothing_and_says_nothing() {
    let mut bench = Bench::configured(faulty(FaultKind::Stall));
    bench.send(json!({ "type": "response.create" }));
    bench.advance(60_000);
    assert_eq!(bench.types(), Vec::<&str>::new());
}

#[test]
fn audio_is_sent_as_many_times_faster_than_it_is_heard_as_configured() {
    let mut bench = Bench::configured(unhurried());
    bench.sentence_ms = 4000;
    bench.send(json!({ "type": "response.create" }));
    bench.advance(299);
    assert_eq!(
        bench.all("response.output_audio.delta").len(),
        0,
        "the model takes its time"
    );
    bench.advance(1);
    assert_eq!(bench.all("response.output_audio.delta").len(), 1);
    bench.advance(500);
    let sent = bench.all("response.output_audio.delta").len();
    assert!(
        (20..=21).contains(&sent),
        "2 s of speech in half a second: {sent} deltas"
    );
    bench.advance(500);
    assert_eq!(bench.all("response.done").len(), 1);
}

#[test]
fn unknown_fields_of_a_response_are_refused() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create", "response": { "modalities": ["audio"] } }));
    assert_eq!(bench.error_code(), "unknown_parameter");
    assert_eq!(
        bench.events.last().unwrap()["error"]["param"],
        "response.modalities"
    );
}
