//! The realtime endpoint over a real socket: whole conversations, and what goes wrong on the wire.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::{Value, json};
use sim::corpus::Corpus;
use sim::provider::{Delivery, Fault, FaultKind, Keys, SimConfig, When, WrongKey};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Client, provider};

fn clip(id: &str) -> &'static sim::corpus::Clip {
    Corpus::embedded().get(id).unwrap()
}

/// A guide of the corpus' own questions.
fn instructions(phase: &str, next: &str, clips: &[(&str, &str)]) -> String {
    let topics: Vec<String> = clips
        .iter()
        .enumerate()
        .map(|(no, (topic, id))| {
            format!(
                "{}. [{topic}] (required, verbatim) {}",
                no + 1,
                clip(id).text
            )
        })
        .collect();
    format!(
        "Speak en.\n## Phase: {phase}\n### Topic guide\n{}\nAt most 1 follow-ups per topic.\n### Moving on\n\
         When the guide is done, call advance_phase with one of: {next}\n",
        topics.join("\n")
    )
}

fn session(instructions: &str) -> Value {
    let tool = |name: &str, parameter: &str| {
        let parameters = json!({ "type": "object", "properties": { parameter: { "type": "string" } }, "required": [parameter] });
        json!({ "type": "function", "name": name, "description": "Call when it fits.", "parameters": parameters })
    };
    json!({
        "instructions": instructions,
        "tools": [tool("cover_topic", "topic"), tool("advance_phase", "to")],
        "audio": { "input": {
            "transcription": { "model": "gpt-transcribe" },
            // Longer than the thinking pauses that were cut into some answers.
            "turn_detection": { "type": "server_vad", "silence_duration_ms": 1600 },
        } },
    })
}

fn say(instructions: &str, also: &str) -> Value {
    json!({ "type": "response.create", "response": { "instructions": format!("{instructions}\n{also}") } })
}

/// What one response said, and which tools it called.
struct Said {
    text: String,
    calls: Vec<(String, String, String)>,
}

async fn listen(client: &mut Client) -> Said {
    let done = client.until("response.done").await;
    assert_eq!(done["response"]["status"], "completed", "{done}");
    let mut said = Said {
        text: String::new(),
        calls: Vec::new(),
    };
    for item in done["response"]["output"].as_array().unwrap() {
        match item["type"].as_str().unwrap() {
            "message" => {
                said.text = item["content"][0]["transcript"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            }
            _ => {
                let text = |name: &str| item[name].as_str().unwrap().to_owned();
                said.calls
                    .push((text("call_id"), text("name"), text("arguments")));
            }
        }
    }
    said
}

/// Answers what was asked, as a persona does, and is quiet long enough to be answered.
async fn answer(client: &mut Client, asked: &str, persona: &str) -> String {
    let questions = Corpus::embedded().clips().iter();
    let question = questions
        .rev()
        .find(|clip| clip.id.starts_with("q-") && asked.contains(&clip.text))
        .unwrap();
    let answer = Corpus::embedded().answers(persona, question, &[])[0];
    client.say(&[answer.pcm(), &[0; 24 * 1800]].concat()).await;
    answer.text.clone()
}

/// Grants what the interviewer asks for; gives the phase that it wants to move to.
async fn grant(client: &mut Client, calls: Vec<(String, String, String)>) -> Option<String> {
    let mut to = None;
    for (call, name, arguments) in calls {
        let item =
            json!({ "type": "function_call_output", "call_id": call, "output": r#"{"ok":true}"# });
        client
            .send(json!({ "type": "conversation.item.create", "item": item }))
            .await;
        if name == "advance_phase" {
            let arguments: Value = serde_json::from_str(&arguments).unwrap();
            to = arguments["to"].as_str().map(str::to_owned);
        }
    }
    to
}

#[tokio::test]
async fn an_interview_is_led_from_greeting_to_goodbye_and_transcribed_word_for_word() {
    let provider = provider(SimConfig::instant()).await;
    let mut client = Client::connect(&provider, "sk-test").await.unwrap();
    assert_eq!(client.event().await["type"], "session.created");
    let warmup = instructions(
        "warmup",
        "wrapup",
        &[("role", "q-warmup-role-1"), ("setup", "q-warmup-setup-1")],
    );
    let wrapup = instructions("wrapup", "end", &[("advice", "q-wrapup-advice-1")]);
    client.update(session(&warmup)).await;
    client.until("session.updated").await;
    let greeting = &clip("s-greeting-1").text;
    client
        .send(say(
            &warmup,
            &format!("Say exactly: \"{greeting}\" Then ask the first question of the topic guide."),
        ))
        .await;
    let mut said = listen(&mut client).await;
    assert_eq!(
        said.text,
        format!("{greeting} {}", clip("q-warmup-role-1").text)
    );
    let (mut moves, mut answers) = (Vec::new(), Vec::new());
    while moves.last().is_none_or(|to| to != "end") {
        answers.push(answer(&mut client, &said.text, "maya").await);
        assert!(answers.len() < 10, "it never ends");
        said = listen(&mut client).await;
        let Some(to) = grant(&mut client, std::mem::take(&mut said.calls)).await else {
            continue;
        };
        if to == "wrapup" {
            client.update(json!({ "instructions": wrapup })).await;
            let also =
                "Go on with the new phase: say one short transition, then ask its first question.";
            client.send(say(&wrapup, also)).await;
            said = listen(&mut client).await;
            assert_eq!(
                said.text,
                format!(
                    "{} {}",
                    clip("s-transition-wrapup-1").text,
                    clip("q-wrapup-advice-1").text
                )
            );
        }
        moves.push(to);
    }
    assert_eq!(moves, ["wrapup", "end"]);
    let goodbye = &clip("s-close-complete-1").text;
    client
        .send(say(
            &wrapup,
            &format!("Say exactly: \"{goodbye}\" Do not ask anything more."),
        ))
        .await;
    assert_eq!(listen(&mut client).await.text, *goodbye);
    let completed =
        |event: &&Value| event["type"] == "conversation.item.input_audio_transcription.completed";
    let transcripts: Vec<&str> = client
        .events
        .iter()
        .filter(completed)
        .map(|event| event["transcript"].as_str().unwrap())
        .collect();
    assert_eq!(transcripts, answers);
}

#[tokio::test]
async fn speech_of_a_stranger_is_marked_and_answered_all_the_same() {
    let provider = provider(SimConfig::instant()).await;
    let mut client = Client::connect(&provider, "sk-test").await.unwrap();
    client
        .update(session(&instructions(
            "warmup",
            "end",
            &[("role", "q-warmup-role-1"), ("setup", "q-warmup-setup-1")],
        )))
        .await;
    client.send(json!({ "type": "response.create" })).await;
    listen(&mut client).await;
    // Played backwards, an answer is still speech, and nobody knows it.
    let mut backwards = clip("a-victor-warmup-role-1").pcm().to_vec();
    backwards.reverse();
    client.say(&[backwards, vec![0; 24 * 1800]].concat()).await;
    let said = listen(&mut client).await;
    assert!(!said.text.is_empty());
    let known =
        |event: &&Value| event["type"] == "conversation.item.input_audio_transcription.completed";
    assert!(
        client.events.iter().find(known).unwrap()["transcript"]
            .as_str()
            .unwrap()
            .contains("[unrecognised speech]")
    );
}

#[tokio::test]
async fn an_interrupted_greeting_is_cut_and_billed_for_what_was_generated() {
    let provider = provider(SimConfig {
        delivery: Delivery::TimesRealTime(1),
        ..SimConfig::instant()
    })
    .await;
    let mut client = Client::connect(&provider, "sk-test").await.unwrap();
    let guide = instructions("warmup", "end", &[("role", "q-warmup-role-1")]);
    client.update(session(&guide)).await;
    client
        .send(say(
            &guide,
            &format!("Say exactly: \"{}\"", clip("s-greeting-1").text),
        ))
        .await;
    let item = client.until("response.output_audio.delta").await["item_id"].clone();
    client.say(clip("a-maya-warmup-role-1").pcm()).await;
    client.until("input_audio_buffer.speech_started").await;
    let done = client.until("response.done").await;
    assert_eq!(
        done["response"]["status_details"],
        json!({ "type": "cancelled", "reason": "turn_detected" })
    );
    assert!(
        done["response"]["usage"]["output_token_details"]["audio_tokens"]
            .as_u64()
            .unwrap()
            < 17_825 / 50
    );
    client.send(json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 40 })).await;
    assert_eq!(
        client.until("conversation.item.truncated").await["audio_end_ms"],
        40
    );
}

fn faulty(kind: FaultKind) -> SimConfig {
    SimConfig {
        faults: vec![Fault {
            when: When::Connection(1),
            kind,
        }],
        ..SimConfig::instant()
    }
}

fn refused_with(result: Result<Client, Error>) -> u16 {
    match result {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

async fn close_of(client: &mut Client) -> (u16, String) {
    loop {
        match client.frame().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_either_way_that_the_vendor_was_seen_to() {
    let keys = Keys::OneOf(vec!["sk-right".into()]);
    let strict = provider(SimConfig {
        keys: keys.clone(),
        ..SimConfig::instant()
    })
    .await;
    assert_eq!(
        refused_with(Client::connect(&strict, "sk-wrong").await),
        401
    );
    assert_eq!(refused_with(Client::connect(&strict, "").await), 401);
    assert!(Client::connect(&strict, "sk-right").await.is_ok());
    let late = provider(SimConfig {
        keys,
        wrong_key: WrongKey::Close3000,
        ..SimConfig::instant()
    })
    .await;
    let mut client = Client::connect(&late, "sk-wrong").await.unwrap();
    assert_eq!(
        close_of(&mut client).await,
        (3000, "invalid_request_error.invalid_api_key".into())
    );
}

#[tokio::test]
async fn faults_of_the_first_connection_do_not_touch_the_second() {
    let refusing = provider(faulty(FaultKind::RefuseKey)).await;
    assert_eq!(refused_with(Client::connect(&refusing, "k").await), 401);
    assert_eq!(
        Client::connect(&refusing, "k").await.unwrap().event().await["type"],
        "session.created"
    );
    for (kind, code) in [
        (FaultKind::CloseInvalidKey, 3000),
        (FaultKind::CloseAtOnce, 1011),
    ] {
        let closing = provider(faulty(kind)).await;
        assert_eq!(
            close_of(&mut Client::connect(&closing, "k").await.unwrap())
                .await
                .0,
            code
        );
        assert_eq!(
            Client::connect(&closing, "k").await.unwrap().event().await["type"],
            "session.created"
        );
    }
}

#[tokio::test]
async fn garbage_is_garbage_and_the_connection_stays() {
    let provider = provider(faulty(FaultKind::Garbage)).await;
    let mut client = Client::connect(&provider, "k").await.unwrap();
    for _ in 0..6 {
        client.update(json!({})).await;
        let event = match client.frame().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(&text).ok(),
            Some(Ok(Message::Binary(_))) => None,
            other => panic!("{other:?}"),
        };
        assert!(event.is_none_or(|event| event["type"].is_null()));
    }
}

#[tokio::test]
async fn a_broken_connection_ends_without_a_close_frame() {
    let provider = provider(faulty(FaultKind::DropAfterEvents(1))).await;
    let mut client = Client::connect(&provider, "k").await.unwrap();
    assert_eq!(client.event().await["type"], "session.created");
    client.update(json!({})).await;
    let end = client.frame().await;
    assert!(matches!(end, None | Some(Err(_))), "{end:?}");
}

#[tokio::test]
async fn an_expired_session_is_closed_with_1001() {
    let provider = provider(SimConfig {
        session_max: Duration::from_millis(50),
        ..SimConfig::instant()
    })
    .await;
    let mut client = Client::connect(&provider, "k").await.unwrap();
    assert_eq!(
        client.until("error").await["error"]["code"],
        "session_expired"
    );
    assert_eq!(
        close_of(&mut client).await,
        (
            1001,
            "Your session hit the maximum duration of 60 minutes.".into()
        )
    );
}
