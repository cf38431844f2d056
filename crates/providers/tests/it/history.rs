//! Opening a link, and opening it again in the middle of a conversation.

use engine::link::Speaker;
use expect_test::expect;
use providers::{Profiles, Secret, codec};

use crate::support::{KEY, Link, config, session};

#[test]
fn the_first_frame_configures_everything() {
    let mut link = Link::closed();
    link.open(&config());
    expect![[r#"
        send {"event_id":"configure_1","session":{"audio":{"input":{"format":{"rate":24000,"type":"audio/pcm"},"transcription":{"language":"en","model":"gpt-transcribe"},"turn_detection":{"create_response":true,"interrupt_response":true,"prefix_padding_ms":300,"silence_duration_ms":700,"threshold":0.5,"type":"server_vad"}},"output":{"format":{"rate":24000,"type":"audio/pcm"},"voice":"marin"}},"instructions":"Ask about meetings.","output_modalities":["audio"],"tool_choice":"auto","tools":[{"description":"Call when the guide is done.","name":"advance_phase","parameters":{"additionalProperties":false,"properties":{"to":{"description":"The next phase.","enum":["main","end"],"type":"string"}},"required":["to"],"type":"object"},"type":"function"}],"type":"realtime"},"type":"session.update"}
    "#]].assert_eq(&link.trace());
    link.server(session("session.created"));
    link.server(session("session.updated"));
    link.server(session("session.updated"));
    expect![[r#"
        event Ready { vendor_id: "sess_1" }
    "#]]
    .assert_eq(&link.trace());
}

#[test]
fn a_rebuilt_link_is_given_the_conversation_as_text_in_order() {
    let mut link = Link::closed();
    let mut rebuilt = config();
    rebuilt.history = vec![
        (Speaker::Interviewer, "How do you meet?".to_owned()),
        (Speaker::Participant, "By \"video\".\nMostly.".to_owned()),
        (Speaker::Participant, "  ".to_owned()),
    ];
    link.open(&rebuilt);
    let sent = link.sent();
    assert_eq!(sent.len(), 3, "what has no words is left out");
    let item = |at: usize| &sent[at]["item"];
    assert_eq!(
        (&item(1)["role"], &item(1)["content"][0]["type"]),
        (&"assistant".into(), &"output_text".into())
    );
    assert_eq!(
        (&item(2)["role"], &item(2)["content"][0]["type"]),
        (&"user".into(), &"input_text".into())
    );
    assert_eq!(item(2)["content"][0]["text"], "By \"video\".\nMostly.");
}

#[test]
fn languages_are_told_in_two_letters_or_not_at_all() {
    for (language, told) in [
        ("en", Some("en")),
        ("pt-BR", Some("pt")),
        ("DE", Some("de")),
        ("yue", None),
        ("", None),
    ] {
        let mut link = Link::closed();
        let mut config = config();
        config.language = language.to_owned();
        link.open(&config);
        let sent = link.sent();
        let transcription = &sent[0]["session"]["audio"]["input"]["transcription"];
        assert_eq!(transcription["model"], "gpt-transcribe");
        assert_eq!(
            transcription
                .get("language")
                .and_then(|value| value.as_str()),
            told,
            "{language:?}"
        );
    }
}

#[test]
fn a_profile_without_transcription_asks_for_none() {
    let file = "[profile.simulator]\ntranscription_model = \"\"\nmax_output_tokens = 512\n";
    let profiles = Profiles::with(Some(file)).unwrap();
    let mut codec = codec(
        profiles.get("simulator").unwrap(),
        None,
        "http://127.0.0.1:1/v1",
    );
    let mut out = Vec::new();
    codec.open(&config(), &mut out);
    let [providers::CodecOutput::Send(text)] = &out[..] else {
        panic!("{out:?}")
    };
    let sent: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(crate::support::client_problem(&sent), None);
    assert_eq!(sent["session"]["audio"]["input"].get("transcription"), None);
    assert_eq!(sent["session"]["max_output_tokens"], 512);
}

#[test]
fn the_endpoint_is_the_vendors_for_any_spelling_of_its_address_and_hides_the_key() {
    let profiles = Profiles::built_in();
    let profile = profiles.get("gpt-realtime-2.1").unwrap();
    let key = Secret::new(KEY);
    for (base, url) in [
        (
            "https://api.openai.com/v1",
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
        ),
        (
            "https://api.openai.com/v1/",
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
        ),
        (
            "http://127.0.0.1:4000/v1",
            "ws://127.0.0.1:4000/v1/realtime?model=gpt-realtime-2.1",
        ),
        (
            "ws://127.0.0.1:4000/v1",
            "ws://127.0.0.1:4000/v1/realtime?model=gpt-realtime-2.1",
        ),
    ] {
        let endpoint = codec(profile, Some(&key), base).endpoint();
        assert_eq!(endpoint.url, url);
        assert_eq!(
            endpoint.headers,
            [("authorization".to_owned(), format!("Bearer {KEY}"))]
        );
        assert!(!format!("{endpoint:?}").contains(KEY));
    }
    assert_eq!(
        codec(profile, None, "http://127.0.0.1:4000/v1")
            .endpoint()
            .headers,
        []
    );
}

#[test]
fn a_model_id_with_odd_characters_is_escaped_in_the_address() {
    let profiles =
        Profiles::with(Some("[profile.simulator]\nmodel = \"org/model v1&x\"\n")).unwrap();
    let url = codec(
        profiles.get("simulator").unwrap(),
        None,
        "http://localhost/v1",
    )
    .endpoint()
    .url;
    assert_eq!(url, "ws://localhost/v1/realtime?model=org%2Fmodel%20v1%26x");
}
