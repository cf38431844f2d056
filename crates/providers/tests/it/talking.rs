//! Asking the model to speak, to stop, and to behave differently.

use engine::link::{FaultCategory, LinkCommand, LinkEvent};
use expect_test::expect;

use crate::support::{
    Link, audio_delta, config, error, item_added, item_done, response_created, response_done,
    session, words_delta,
};

const ACTIVE: &str = "conversation_already_has_active_response";

fn busy(about: Option<&str>) -> serde_json::Value {
    error(
        "invalid_request_error",
        Some(ACTIVE),
        "Conversation already has an active response",
        about,
    )
}

#[test]
fn instructions_of_one_response_come_after_those_of_the_session() {
    let mut link = Link::ready();
    link.command(LinkCommand::Instruct {
        instructions: "Ask about tools.".to_owned(),
    });
    link.say(7, Some("Greet first."));
    expect![[r#"
        send {"event_id":"instruct_2","session":{"instructions":"Ask about tools.","type":"realtime"},"type":"session.update"}
        send {"event_id":"say_7.1","response":{"instructions":"Ask about tools.\nGreet first.","metadata":{"client_event_id":"say_7.1"}},"type":"response.create"}
    "#]].assert_eq(&link.trace());
    link.server(response_created("resp_1", Some("say_7.1")));
    link.server(response_done("resp_1", "completed", None));
    link.trace();
    link.say(8, None);
    expect![[r#"
        send {"event_id":"say_8.1","response":{"metadata":{"client_event_id":"say_8.1"}},"type":"response.create"}
    "#]].assert_eq(&link.trace());
}

#[test]
fn a_response_that_we_asked_for_carries_its_tag_and_others_do_not() {
    let mut link = Link::ready();
    link.say(7, None);
    link.trace();
    link.server(response_created("resp_0", None));
    link.server(response_done("resp_0", "completed", None));
    link.server(response_created("resp_1", Some("say_7.1")));
    expect![[r#"
        event ResponseStarted { response: ResponseId(resp_0), tag: None }
        event ResponseDone { response: ResponseId(resp_0), status: Completed }
        event ResponseStarted { response: ResponseId(resp_1), tag: Some(7) }
    "#]]
    .assert_eq(&link.trace());
}

#[test]
fn two_responses_are_never_in_flight() {
    let mut link = Link::ready();
    link.say(1, None);
    link.say(2, None);
    assert_eq!(
        link.sent().len(),
        1,
        "the second waits for the first to begin and end"
    );
    link.server(response_created("resp_1", Some("say_1.1")));
    assert_eq!(link.sent().len(), 0);
    link.server(response_done("resp_1", "completed", None));
    let sent = link.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["event_id"], "say_2.1");
}

#[test]
fn a_wish_before_the_link_is_ready_is_sent_when_it_is() {
    let mut link = Link::closed();
    link.say(1, Some("Greet."));
    assert_eq!(link.sent().len(), 0);
    link.open(&config());
    link.say(2, None);
    let sent = link.sent();
    assert_eq!(sent.len(), 1, "only the configuration");
    link.server(session("session.created"));
    assert_eq!(
        link.events(),
        [],
        "the vendor's greeting is not yet our configuration"
    );
    link.server(session("session.updated"));
    expect![[r#"
        event Ready { vendor_id: "sess_1" }
        send {"event_id":"say_1.1","response":{"instructions":"Ask about meetings.\nGreet.","metadata":{"client_event_id":"say_1.1"}},"type":"response.create"}
    "#]].assert_eq(&link.trace());
}

#[test]
fn more_wishes_than_can_wait_are_a_fault_each() {
    let mut link = Link::ready();
    (1..=7).for_each(|tag| link.say(tag, None));
    let events = link.events();
    assert_eq!(events.len(), 2, "one in flight, four wait: {events:?}");
    for (event, tag) in events.iter().zip([6, 7]) {
        let LinkEvent::Fault { category, detail } = event else {
            panic!("{event:?}")
        };
        assert_eq!(*category, FaultCategory::Retryable);
        assert!(detail.starts_with(&format!("say {tag}: ")), "{detail}");
    }
}

#[test]
fn a_wish_that_lost_the_race_is_made_again_after_the_response_that_won() {
    let mut link = Link::ready();
    link.say(1, None);
    link.server(response_created("resp_auto", None));
    link.server(busy(Some("say_1.1")));
    link.trace();
    link.server(response_done("resp_auto", "completed", None));
    let sent = link.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0]["event_id"], "say_1.2",
        "a new id, so that the old error cannot be taken for its own"
    );
    link.server(response_created("resp_1", Some("say_1.2")));
    assert!(link.trace().contains("tag: Some(1)"));
}

#[test]
fn a_wish_refused_for_a_response_that_we_have_not_seen_waits_for_its_end() {
    let mut link = Link::ready();
    link.say(1, None);
    link.trace();
    link.server(busy(None));
    assert_eq!(link.trace(), "", "asking at once would be refused at once");
    link.server(response_created("resp_auto", None));
    link.server(response_done("resp_auto", "completed", None));
    assert_eq!(link.sent().len(), 1);
}

#[test]
fn a_wish_that_keeps_losing_is_given_up_with_a_fault() {
    let mut link = Link::ready();
    link.say(1, None);
    for attempt in 1..=3 {
        link.server(response_created("resp_auto", None));
        link.server(busy(Some(&format!("say_1.{attempt}"))));
        link.server(response_done("resp_auto", "completed", None));
    }
    let faults: Vec<_> = link
        .events()
        .into_iter()
        .filter(|event| matches!(event, LinkEvent::Fault { .. }))
        .collect();
    expect![[r#"
        [
            Fault {
                category: Retryable,
                detail: "say 1: conversation_already_has_active_response: Conversation already has an active response",
            },
        ]
    "#]].assert_debug_eq(&faults);
    assert_eq!(link.sent().len(), 0);
}

#[test]
fn a_wish_that_is_refused_is_a_fault_and_the_next_is_sent() {
    let mut link = Link::ready();
    link.say(1, None);
    link.say(2, None);
    link.trace();
    link.server(error(
        "invalid_request_error",
        Some("invalid_value"),
        "Too long.",
        Some("say_1.1"),
    ));
    expect![[r#"
        event Fault { category: Retryable, detail: "say 1: invalid_value: Too long." }
        send {"event_id":"say_2.1","response":{"metadata":{"client_event_id":"say_2.1"}},"type":"response.create"}
    "#]].assert_eq(&link.trace());
}

#[test]
fn a_throttled_wish_is_a_fault_of_that_kind() {
    let mut link = Link::ready();
    link.say(1, None);
    link.trace();
    link.server(error(
        "requests",
        Some("rate_limit_exceeded"),
        "Slow down.",
        Some("say_1.1"),
    ));
    expect![[r#"
        event Fault { category: RateLimited, detail: "say 1: rate_limit_exceeded: Slow down." }
    "#]]
    .assert_eq(&link.trace());
}

#[test]
fn cancel_stops_the_running_response_and_drops_the_rest_of_it() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    link.server(item_added("resp_1", "item_a1"));
    link.server(words_delta("resp_1", "item_a1", "Well"));
    link.server(audio_delta("resp_1", "item_a1", 100));
    link.trace();
    link.command(LinkCommand::Cancel);
    link.server(audio_delta("resp_1", "item_a1", 100));
    link.server(words_delta("resp_1", "item_a1", ", then"));
    link.server(item_done("resp_1", "item_a1", "incomplete", "Well, then"));
    link.server(response_done(
        "resp_1",
        "cancelled",
        Some("client_cancelled"),
    ));
    expect![[r#"
        send {"event_id":"cancel_2","response_id":"resp_1","type":"response.cancel"}
        audio done item_a1
        event UtteranceDone { item: ItemId(item_a1), text: "Well", audio_ms: 100 }
        event ResponseDone { response: ResponseId(resp_1), status: Interrupted }
    "#]]
    .assert_eq(&link.trace());
    link.heard("item_a1", 100);
    assert_eq!(
        link.sent()[0]["audio_end_ms"],
        100,
        "the vendor has more than we played, though we played all we had"
    );
}

#[test]
fn cancel_overtakes_wishes_that_wait_but_not_those_that_follow() {
    let mut link = Link::ready();
    link.say(1, None);
    link.say(2, None);
    link.command(LinkCommand::Cancel);
    link.say(3, None);
    link.trace();
    link.server(response_created("resp_1", Some("say_1.1")));
    link.server(response_done(
        "resp_1",
        "cancelled",
        Some("client_cancelled"),
    ));
    let sent = link.sent();
    let ids: Vec<_> = sent
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        ["cancel_3", "say_3.1"],
        "what was asked for before is cancelled by name once it has one"
    );
}

#[test]
fn a_cancel_that_finds_nothing_to_stop_is_harmless() {
    let mut link = Link::ready();
    link.command(LinkCommand::Cancel);
    assert_eq!(link.sent().len(), 1);
    let code = Some("response_cancel_not_active");
    link.server(error(
        "invalid_request_error",
        code,
        "Cancellation failed: no active response found",
        Some("cancel_2"),
    ));
    assert_eq!(link.trace(), "");
    assert_eq!(link.counters().benign_errors, 1);
}

#[test]
fn what_was_not_heard_at_all_is_removed_and_what_was_heard_in_full_is_left_alone() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    for item in ["item_a1", "item_a2", "item_a3"] {
        link.server(item_added("resp_1", item));
        link.server(audio_delta("resp_1", item, 100));
        link.server(item_done("resp_1", item, "completed", "Words"));
    }
    link.trace();
    link.heard("item_a1", 0);
    link.heard("item_a2", 100);
    link.heard("item_a3", 4_000);
    link.heard("item_unknown", 50);
    expect![[r#"
        send {"event_id":"heard_2","item_id":"item_a1","type":"conversation.item.delete"}
    "#]]
    .assert_eq(&link.trace());
}

#[test]
fn truncation_never_goes_beyond_what_was_received() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    link.server(audio_delta("resp_1", "item_a1", 100));
    link.trace();
    link.heard("item_a1", 250);
    assert_eq!(link.sent()[0]["audio_end_ms"], 100);
}
