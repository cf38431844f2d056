//! Errors and events that a link survives.

use engine::link::{FaultCategory, LinkEvent, ResponseStatus};
use serde_json::json;

use crate::support::{Link, error, response_created};

#[test]
fn harmless_races_are_counted_and_otherwise_ignored() {
    let races = [
        (
            Some("response_cancel_not_active"),
            "Cancellation failed: no active response found",
        ),
        (None, "Cancellation failed: no active response found"),
        (Some("input_audio_buffer_commit_empty"), "Buffer too small."),
        (Some("item_create_duplicate_item_id"), "Already there."),
        (Some("item_retrieve_invalid_item_id"), "No such item."),
        (Some("item_truncate_invalid_item_id"), "No such item."),
        (
            None,
            "Audio content of 9250ms is already shorter than 57340ms",
        ),
        (Some("conversation_already_has_active_response"), "Busy."),
    ];
    let mut link = Link::ready();
    for (code, message) in races {
        link.server(error(
            "invalid_request_error",
            code,
            message,
            Some("heard_9"),
        ));
    }
    assert_eq!(link.trace(), "");
    assert_eq!(link.counters().benign_errors, 8);
}

#[test]
fn other_errors_are_faults_and_the_link_goes_on() {
    for (kind, code, category) in [
        ("server_error", None, FaultCategory::Retryable),
        (
            "invalid_request_error",
            Some("server_error"),
            FaultCategory::Retryable,
        ),
        (
            "requests",
            Some("rate_limit_exceeded"),
            FaultCategory::RateLimited,
        ),
        (
            "invalid_request_error",
            Some("something_new"),
            FaultCategory::Retryable,
        ),
    ] {
        let mut link = Link::ready();
        link.server(error(kind, code, "Something happened.", None));
        let events = link.events();
        assert_eq!(events.len(), 1);
        assert!(
            matches!(&events[0], LinkEvent::Fault { category: found, .. } if *found == category),
            "{kind} {code:?}: {events:?}"
        );
        link.say(1, None);
        assert_eq!(link.sent().len(), 1, "still there");
    }
}

#[test]
fn a_failed_response_says_why_in_our_categories() {
    for (code, category) in [
        ("inference_rate_limit_exceeded", FaultCategory::RateLimited),
        ("insufficient_quota", FaultCategory::Misconfigured),
        ("server_error", FaultCategory::Retryable),
        ("something_new", FaultCategory::Retryable),
    ] {
        let mut link = Link::ready();
        link.server(response_created("resp_1", None));
        link.take();
        link.server(json!({ "type": "response.done", "event_id": "e", "response": { "object": "realtime.response",
            "id": "resp_1", "status": "failed", "output": [], "status_details": { "type": "failed",
                "error": { "type": "invalid_request_error", "code": code } } } }));
        let events = link.events();
        let [
            LinkEvent::ResponseDone {
                status:
                    ResponseStatus::Failed {
                        category: found, ..
                    },
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(*found, category, "{code}");
    }
}

#[test]
fn unknown_events_are_skipped_and_counted_whatever_their_shape() {
    let mut link = Link::ready();
    link.odd(
        r#"{"type":"response.telepathy.delta","delta":{"deep":[1,2,3]},"item":"not an object"}"#,
    );
    link.odd(r#"{"type":"session.dreamt"}"#);
    assert_eq!(link.trace(), "");
    assert_eq!(link.counters().unknown_events, 2);
    assert_eq!(link.counters().malformed_frames, 0);
}

#[test]
fn known_events_that_do_not_concern_us_may_change_their_shape() {
    let mut link = Link::ready();
    link.odd(r#"{"type":"rate_limits.updated","usage":"lots","session":5,"item":[]}"#);
    assert_eq!(link.trace(), "");
    assert_eq!(link.counters(), providers::Counters::default());
}

#[test]
fn local_servers_may_number_their_errors() {
    let mut link = Link::ready();
    link.odd(r#"{"type":"error","error":{"code":500,"message":"Out of memory."}}"#);
    assert!(link.trace().contains("500: Out of memory."));
}
