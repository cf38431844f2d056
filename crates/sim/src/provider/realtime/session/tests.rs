//! The merge rules.

use super::*;

fn session() -> Session {
    Session::new("sess_1", "gpt-realtime-2.1", 1_795_345_135)
}

fn refusal(update: Value) -> (Option<&'static str>, Option<String>) {
    let mut session = session();
    let before = session.clone();
    let refusal = session
        .update(&update, VoiceHeard::Yes)
        .expect_err("a refusal");
    assert_eq!(session, before, "nothing of a refused update applies");
    (refusal.code, refusal.param)
}

#[test]
fn an_update_is_merged() {
    let mut session = session();
    let update = json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700}}}});
    session
        .update(&update, VoiceHeard::No)
        .expect("a legal update");
    let detection = session.turn_detection().expect("turn detection");
    assert_eq!(
        (
            detection.vad.silence_duration_ms,
            detection.vad.prefix_padding_ms,
            detection.interrupt_response
        ),
        (700, 300, true)
    );
    assert_eq!(session.output_audio()["voice"], "marin");
}

#[test]
fn turn_detection_of_another_type_replaces_the_old_one() {
    let mut session = session();
    let update = json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}});
    session
        .update(&update, VoiceHeard::No)
        .expect("a legal update");
    let detection = &session.json()["audio"]["input"]["turn_detection"];
    assert_eq!(
        *detection,
        json!({"type": "semantic_vad", "eagerness": "low", "create_response": true, "interrupt_response": true})
    );
}

#[test]
fn null_clears_and_empty_text_clears() {
    let mut session = session();
    session.update(&json!({"type": "realtime", "instructions": "Ask.", "tools": [{"type": "function", "name": "t"}]}), VoiceHeard::No).expect("legal");
    let update = json!({"type": "realtime", "instructions": "", "tools": [], "audio": {"input": {"turn_detection": null}}});
    session.update(&update, VoiceHeard::No).expect("legal");
    assert_eq!(
        (
            session.instructions(),
            session.tools(),
            session.turn_detection()
        ),
        ("", &json!([]), None)
    );
}

#[test]
fn fields_of_the_beta_protocol_are_refused() {
    for field in [
        "voice",
        "modalities",
        "input_audio_format",
        "turn_detection",
        "temperature",
    ] {
        let expected = (Some("unknown_parameter"), Some(format!("session.{field}")));
        assert_eq!(
            refusal(json!({"type": "realtime", field: "x", "instructions": "new"})),
            expected
        );
    }
    let nested = json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}});
    assert_eq!(
        refusal(nested).1.as_deref(),
        Some("session.audio.input.turn_detection.threshold")
    );
}

#[test]
fn type_is_required_and_the_model_stays() {
    assert_eq!(
        refusal(json!({"instructions": "x"})).0,
        Some("missing_required_parameter")
    );
    assert_eq!(
        refusal(json!({"type": "realtime", "model": "gpt-realtime"}))
            .1
            .as_deref(),
        Some("session.model")
    );
    session()
        .update(
            &json!({"type": "realtime", "model": "gpt-realtime-2.1"}),
            VoiceHeard::No,
        )
        .expect("an echoed model is fine");
}

#[test]
fn the_voice_stays_once_it_was_heard() {
    let update = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
    assert_eq!(refusal(update.clone()).0, Some("cannot_update_voice"));
    session()
        .update(&update, VoiceHeard::No)
        .expect("not heard yet");
    let same = json!({"type": "realtime", "audio": {"output": {"voice": "marin"}}});
    session()
        .update(&same, VoiceHeard::Yes)
        .expect("the same voice is no change");
}

#[test]
fn values_out_of_range_are_refused() {
    let input = |field: &str, value: Value| json!({"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", field: value}}}});
    for (field, value) in [
        ("threshold", json!(1.5)),
        ("silence_duration_ms", json!(-1)),
        ("idle_timeout_ms", json!(100)),
    ] {
        assert_eq!(
            refusal(input(field, value)).0,
            Some("invalid_value"),
            "{field}"
        );
    }
    assert_eq!(
        refusal(
            json!({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}})
        )
        .0,
        Some("invalid_value")
    );
    assert_eq!(
        refusal(json!({"type": "realtime", "max_output_tokens": 0})).0,
        Some("invalid_value")
    );
}
