//! The participant's turns: voice activity, commits, interruptions, transcripts, silence.

use super::*;

#[test]
fn session_created_comes_unprompted_and_knows_when_it_expires() {
    let bench = Bench::new(instant());
    assert_eq!(bench.types(), ["session.created"]);
    let session = &bench.events[0]["session"];
    assert_eq!(
        (&session["model"], &session["expires_at"]),
        (&json!("gpt-realtime-2.1"), &json!(1_795_341_535 + 3600))
    );
    assert_eq!(
        session["audio"]["input"]["turn_detection"]["type"],
        "server_vad"
    );
}

#[test]
fn a_turn_is_answered_in_the_vendors_order() {
    let mut bench = Bench::configured(instant());
    bench.answer(LONG_ANSWER);
    let expected = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ];
    assert_eq!(bench.outline(), expected);
    let id = &bench.last("input_audio_buffer.speech_started")["item_id"];
    assert_eq!(
        &bench.last("input_audio_buffer.speech_stopped")["item_id"],
        id
    );
    assert_eq!(&bench.last("input_audio_buffer.committed")["item_id"], id);
    assert_eq!(
        &bench.last("conversation.item.input_audio_transcription.completed")["item_id"],
        id
    );
}

#[test]
fn what_is_said_in_text_is_what_is_said_in_audio_and_words_come_a_little_before_it() {
    let mut bench = Bench::configured(instant());
    bench.answer(LONG_ANSWER);
    let text: String = bench
        .all("response.output_audio_transcript.delta")
        .iter()
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    assert_eq!(
        bench.last("response.output_audio_transcript.done")["transcript"],
        text
    );
    assert!(text.ends_with("Walk me through yesterday."), "{text}");
    let first = bench
        .events
        .iter()
        .find(|event| {
            event["type"].as_str().unwrap().ends_with(".delta") && event["response_id"].is_string()
        })
        .unwrap();
    assert_eq!(first["type"], "response.output_audio_transcript.delta");
    let audio = bench
        .all("response.output_audio.delta")
        .iter()
        .map(|event| event["delta"].as_str().unwrap().len() * 3 / 4 / 48)
        .sum::<usize>();
    assert!(
        (2100..2140).contains(&audio),
        "two sentences of a second and a gap: {audio} ms"
    );
}

#[test]
fn moments_of_speech_are_counted_in_received_audio_not_on_the_clock() {
    let mut bench = Bench::configured(instant());
    bench.advance(60_000);
    bench.say(&silence(2000));
    bench.answer(LONG_ANSWER);
    let started = bench.last("input_audio_buffer.speech_started")["audio_start_ms"]
        .as_u64()
        .unwrap();
    assert!(
        (1600..2100).contains(&started),
        "2,000 ms of silence less the padding: {started}"
    );
    let stopped = bench.last("input_audio_buffer.speech_stopped")["audio_end_ms"]
        .as_u64()
        .unwrap();
    let end = 2000 + speech().len() as u64 / 24 + 500;
    assert!(
        (end - 300..=end + 100).contains(&stopped),
        "{stopped} against {end}"
    );
}

#[test]
fn speech_interrupts_a_response_that_is_being_generated() {
    let mut bench = Bench::configured(unhurried());
    bench.sentence_ms = 20_000;
    bench.send(json!({ "type": "response.create", "response": { "instructions": format!("{INSTRUCTIONS}\nSay exactly: \"A long story.\"") } }));
    bench.advance(1000);
    bench.events.clear();
    bench.say(&speech()[..24_000]);
    let kinds = bench.outline();
    assert_eq!(kinds[0], "input_audio_buffer.speech_started", "{kinds:?}");
    let done = &bench.last("response.done")["response"];
    assert_eq!(
        (&done["status"], &done["status_details"]["reason"]),
        (&json!("cancelled"), &json!("turn_detected"))
    );
    assert_eq!(done["output"][0]["status"], "incomplete");
    let audio_tokens = done["usage"]["output_token_details"]["audio_tokens"]
        .as_u64()
        .unwrap();
    assert!(
        (40..200).contains(&audio_tokens),
        "only what was generated is billed: {audio_tokens}"
    );
}

#[test]
fn speech_after_generation_has_ended_cancels_nothing() {
    let mut bench = Bench::configured(instant());
    bench.send(json!({ "type": "response.create" }));
    bench.events.clear();
    bench.say(&speech()[..24_000]);
    assert_eq!(bench.types(), ["input_audio_buffer.speech_started"]);
}

#[test]
fn speech_interrupts_nothing_if_the_client_does_not_want_it() {
    let mut bench = Bench::configured(unhurried());
    let detection =
        json!({ "type": "server_vad", "silence_duration_ms": 500, "interrupt_response": false });
    bench.update(json!({ "audio": { "input": { "turn_detection": detection } } }));
    bench.sentence_ms = 30_000;
    bench.send(json!({ "type": "response.create" }));
    bench.answer(LONG_ANSWER);
    assert_eq!(bench.all("response.done").len(), 0);
    bench.sentence_ms = 1000;
    bench.advance(30_000);
    let done: Vec<_> = bench
        .all("response.done")
        .iter()
        .map(|event| event["response"]["status"].clone())
        .collect();
    assert_eq!(
        done,
        ["completed", "completed"],
        "the turn is answered when the first response has ended"
    );
}

#[test]
fn without_create_response_a_turn_is_committed_and_not_answered() {
    let mut bench = Bench::configured(instant());
    let detection =
        json!({ "type": "server_vad", "silence_duration_ms": 500, "create_response": false });
    bench.update(json!({ "audio": { "input": { "turn_detection": detection } } }));
    bench.answer(LONG_ANSWER);
    assert_eq!(
        (
            bench.all("input_audio_buffer.committed").len(),
            bench.all("response.created").len()
        ),
        (1, 0)
    );
}

#[test]
fn without_turn_detection_the_client_commits_by_itself() {
    let mut bench = Bench::configured(instant());
    bench.update(json!({ "audio": { "input": { "turn_detection": null } } }));
    bench.events.clear();
    bench.say(&[speech(), silence(2000)].concat());
    assert_eq!(bench.types(), Vec::<&str>::new());
    bench.send(json!({ "type": "input_audio_buffer.commit" }));
    assert_eq!(bench.types()[0], "input_audio_buffer.committed");
    assert_eq!(bench.all("response.created").len(), 0);
    bench.send(json!({ "type": "input_audio_buffer.commit", "event_id": "c2" }));
    assert_eq!(bench.error_code(), "input_audio_buffer_commit_empty");
    assert_eq!(bench.events.last().unwrap()["error"]["event_id"], "c2");
}

#[test]
fn a_cleared_buffer_is_empty_and_its_turn_never_was() {
    let mut bench = Bench::configured(instant());
    bench.say(&speech()[..24_000]);
    bench.send(json!({ "type": "input_audio_buffer.clear" }));
    assert_eq!(bench.types().last(), Some(&"input_audio_buffer.cleared"));
    bench.say(&silence(2000));
    assert_eq!(bench.all("input_audio_buffer.committed").len(), 0);
}

#[test]
fn transcripts_float_and_may_come_after_the_response() {
    let mut bench = Bench::configured(SimConfig {
        latency: Latency {
            transcript_ms: 9000,
            ..Latency::ZERO
        },
        ..instant()
    });
    bench.answer(LONG_ANSWER);
    assert_eq!(bench.all("response.done").len(), 1);
    assert_eq!(
        bench
            .all("conversation.item.input_audio_transcription.completed")
            .len(),
        0
    );
    bench.advance(9000);
    let deltas: String = bench
        .all("conversation.item.input_audio_transcription.delta")
        .iter()
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    let completed = bench.last("conversation.item.input_audio_transcription.completed");
    assert_eq!(
        (completed["transcript"].as_str().unwrap(), deltas.as_str()),
        (LONG_ANSWER, LONG_ANSWER)
    );
    assert_eq!(completed["usage"]["type"], "duration");
}

#[test]
fn the_models_of_2024_bill_transcripts_by_the_token() {
    let usage = transcription_usage("gpt-4o-transcribe", 1900, "I mostly use it at work.");
    assert_eq!(
        (
            &usage["type"],
            &usage["input_tokens"],
            &usage["output_tokens"]
        ),
        (&json!("tokens"), &json!(19), &json!(6))
    );
}

#[test]
fn without_transcription_the_model_still_hears_but_nothing_is_transcribed() {
    let mut bench = Bench::configured(instant());
    bench.update(json!({ "audio": { "input": { "transcription": null } } }));
    bench.send(json!({ "type": "response.create" }));
    bench.answer(LONG_ANSWER);
    assert_eq!(
        bench
            .all("conversation.item.input_audio_transcription.completed")
            .len(),
        0
    );
    assert_eq!(
        bench.last("response.function_call_arguments.done")["arguments"],
        r#"{"topic":"day"}"#
    );
}

#[test]
fn failed_transcription_says_so() {
    let mut bench = Bench::configured(faulty(FaultKind::TranscriptionFails));
    bench.answer(LONG_ANSWER);
    assert_eq!(
        bench.last("conversation.item.input_audio_transcription.failed")["error"]["code"],
        "audio_unintelligible"
    );
}

#[test]
fn after_the_idle_timeout_the_interviewer_speaks_up() {
    let mut bench = Bench::configured(instant());
    let detection =
        json!({ "type": "server_vad", "silence_duration_ms": 500, "idle_timeout_ms": 6000 });
    bench.update(json!({ "audio": { "input": { "turn_detection": detection } } }));
    bench.say(&silence(10_000));
    assert_eq!(
        bench.all("input_audio_buffer.timeout_triggered").len(),
        0,
        "the clock starts when the interviewer has spoken"
    );
    bench.send(json!({ "type": "response.create" }));
    bench.words.push_back(String::new());
    bench.say(&silence(6900));
    assert_eq!(
        bench.all("input_audio_buffer.timeout_triggered").len(),
        0,
        "a second of speech is played first"
    );
    bench.say(&silence(200));
    let event = bench.last("input_audio_buffer.timeout_triggered");
    assert_eq!(
        event["audio_end_ms"].as_u64().unwrap() - event["audio_start_ms"].as_u64().unwrap(),
        6000
    );
    assert_eq!(bench.all("response.created").len(), 2);
}

#[test]
fn a_session_expires_with_an_error_and_close_code_1001() {
    let mut bench = Bench::new(SimConfig {
        session_max: std::time::Duration::from_secs(600),
        ..instant()
    });
    bench.advance(599_999);
    assert_eq!(bench.closed, None);
    bench.advance(1);
    assert_eq!(bench.error_code(), "session_expired");
    assert_eq!(
        bench.closed,
        Some((1001, "Your session hit the maximum duration of 60 minutes."))
    );
}

#[test]
fn the_same_seed_gives_the_same_session_byte_for_byte() {
    let run = || {
        let mut bench = Bench::configured(unhurried());
        bench.answer(LONG_ANSWER);
        bench.advance(5000);
        bench.events
    };
    assert_eq!(run(), run());
}

#[test]
fn audio_is_kept_only_as_long_as_it_can_be_needed() {
    let mut bench = Bench::configured(instant());
    bench.say(&silence(60_000));
    assert!(
        bench.realtime.input_ms() < 3000,
        "{} ms",
        bench.realtime.input_ms()
    );
}
