//! What is billed.

use engine::cost::{Component, Usage};
use engine::link::LinkEvent;
use providers::PriceBook;
use serde_json::{Value, json};

use crate::support::{Link, response_created, response_done};

const DAY: &str = "2026-11-23";

fn used(link: &mut Link) -> Vec<Usage> {
    let used = |event| {
        if let LinkEvent::Used(usage) = event {
            Some(usage)
        } else {
            None
        }
    };
    link.events().into_iter().filter_map(used).collect()
}

/// The usage of a response whose bill is this JSON.
fn billed(usage: &Value) -> Vec<Usage> {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    let mut done = response_done("resp_1", "completed", None);
    done["response"]["usage"] = usage.clone();
    link.odd(&done.to_string());
    let usage = used(&mut link);
    assert_eq!(link.counters().malformed_frames, 0);
    link.say(1, None);
    assert_eq!(
        link.sent().len(),
        1,
        "the response is over, whatever its bill looks like"
    );
    usage
}

/// The sample of the vendor's documentation; the sum is also what genai-prices 0.2.3 makes of it.
#[test]
fn the_sample_response_costs_20_324_micro_dollars() {
    let sample = include_str!("fixtures/openai_server.jsonl")
        .lines()
        .find(|line| line.contains("event_21"))
        .unwrap();
    let mut link = Link::ready();
    link.odd(sample);
    let usage = used(&mut link);
    assert_eq!(usage.len(), 1);
    let prices = PriceBook::built_in()
        .prices("gpt-realtime-2.1", DAY)
        .unwrap();
    let cost: i64 = prices
        .charge(&usage[0])
        .iter()
        .map(|charge| charge.cost.0)
        .sum();
    assert_eq!(cost, 20_324);
    let parts = [
        (Component::TextIn, 141),
        (Component::TextCached, 512),
        (Component::AudioIn, 272),
        (Component::AudioCached, 128),
        (Component::TextOut, 50),
        (Component::AudioOut, 150),
    ];
    assert_eq!(usage[0].iter().collect::<Vec<_>>(), parts);
}

#[test]
fn cached_tokens_without_their_split_are_taken_from_text_first() {
    let usage = billed(
        &json!({ "total_tokens": 1253, "input_tokens": 1053, "output_tokens": 200,
        "input_token_details": { "text_tokens": 653, "audio_tokens": 400, "cached_tokens": 700 },
        "output_token_details": { "text_tokens": 50, "audio_tokens": 150 } }),
    );
    let get = |component| usage[0].get(component);
    assert_eq!(
        (get(Component::TextIn), get(Component::TextCached)),
        (0, 653)
    );
    assert_eq!(
        (get(Component::AudioIn), get(Component::AudioCached)),
        (353, 47)
    );
}

#[test]
fn tokens_without_details_are_billed_as_audio_rather_than_lost() {
    let usage = billed(&json!({ "total_tokens": 30, "input_tokens": 20, "output_tokens": 10 }));
    let parts = [(Component::AudioIn, 20), (Component::AudioOut, 10)];
    assert_eq!(usage[0].iter().collect::<Vec<_>>(), parts);
}

#[test]
fn a_bill_that_makes_no_sense_neither_wraps_nor_stops_the_interview() {
    let usage = billed(
        &json!({ "input_tokens": 10, "input_token_details": { "text_tokens": 4, "audio_tokens": 6,
        "cached_tokens": 999, "cached_tokens_details": { "text_tokens": 500, "audio_tokens": 499 } } }),
    );
    assert_eq!(
        usage[0].iter().collect::<Vec<_>>(),
        [(Component::TextCached, 4), (Component::AudioCached, 6)]
    );
    for nonsense in [
        json!(null),
        json!("free"),
        json!({ "input_tokens": -5 }),
        json!({ "input_tokens": 1.5 }),
        json!({}),
    ] {
        assert_eq!(billed(&nonsense), [], "{nonsense}");
    }
}

#[test]
fn an_interrupted_response_and_one_we_never_saw_begin_are_billed_too() {
    let usage = json!({ "total_tokens": 5, "input_tokens": 3, "output_tokens": 2,
        "input_token_details": { "text_tokens": 3, "audio_tokens": 0 },
        "output_token_details": { "text_tokens": 0, "audio_tokens": 2 } });
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    for (response, status) in [("resp_1", "cancelled"), ("resp_other", "completed")] {
        let mut done = response_done(response, status, None);
        done["response"]["usage"] = usage.clone();
        link.server(done);
    }
    assert_eq!(used(&mut link).len(), 2);
}

fn transcribed(usage: &Value) -> Vec<Usage> {
    let mut link = Link::ready();
    link.odd(
        &json!({ "type": "conversation.item.input_audio_transcription.completed", "event_id": "e",
            "item_id": "item_u1", "content_index": 0, "transcript": "Hi.", "usage": usage })
        .to_string(),
    );
    used(&mut link)
}

#[test]
fn transcription_is_billed_by_duration_or_by_tokens() {
    let usage = transcribed(&json!({ "type": "duration", "seconds": 1.9 }));
    assert_eq!(
        usage[0].iter().collect::<Vec<_>>(),
        [(Component::TranscriptionMs, 1_900)]
    );
    let usage = transcribed(
        &json!({ "type": "tokens", "total_tokens": 28, "input_tokens": 19, "output_tokens": 9,
        "input_token_details": { "text_tokens": 0, "audio_tokens": 19 } }),
    );
    let parts = [
        (Component::TranscriptionIn, 19),
        (Component::TranscriptionOut, 9),
    ];
    assert_eq!(usage[0].iter().collect::<Vec<_>>(), parts);
    assert_eq!(transcribed(&Value::Null), []);
    assert_eq!(
        transcribed(&json!({ "type": "duration", "seconds": -1.0 })),
        []
    );
}

#[test]
fn a_minute_of_transcription_costs_4_500_micro_dollars() {
    let prices = PriceBook::built_in().prices("gpt-transcribe", DAY).unwrap();
    let charges = prices.charge(&Usage::none().with(Component::TranscriptionMs, 60_000));
    assert_eq!(charges[0].cost.0, 4_500);
}
