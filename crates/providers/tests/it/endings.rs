//! Every way in which a link can end becomes one `Gone`.

use engine::link::{FaultCategory, LinkCommand, LinkEvent};
use providers::Closed;
use serde_json::json;

use crate::support::{KEY, Link, config, error, response_created, session};

fn gone(link: &mut Link) -> Vec<(FaultCategory, String)> {
    let gone = |event| {
        if let LinkEvent::Gone { category, detail } = event {
            Some((category, detail))
        } else {
            None
        }
    };
    link.events().into_iter().filter_map(gone).collect()
}

fn category(closed: Closed<'_>) -> FaultCategory {
    let mut link = Link::ready();
    link.close(closed);
    let all = gone(&mut link);
    assert_eq!(all.len(), 1, "{closed:?}");
    all[0].0
}

#[test]
fn close_codes_and_their_reasons_say_what_can_be_done() {
    let frame = |code, reason| category(Closed::Frame { code, reason });
    let expired = "Your session hit the maximum duration of 60 minutes.";
    assert_eq!(frame(1001, expired), FaultCategory::Expired);
    assert_eq!(frame(1001, ""), FaultCategory::Expired);
    assert_eq!(
        frame(3000, "invalid_request_error.invalid_api_key"),
        FaultCategory::Misconfigured
    );
    assert_eq!(frame(3000, ""), FaultCategory::Misconfigured);
    assert_eq!(
        frame(1008, "invalid_request_error.insufficient_quota"),
        FaultCategory::Misconfigured
    );
    assert_eq!(frame(1011, "server_error"), FaultCategory::Retryable);
    assert_eq!(frame(1013, ""), FaultCategory::RateLimited);
    for code in [1000, 1005, 1006, 1011, 1012, 4999] {
        assert_eq!(frame(code, ""), FaultCategory::Retryable, "{code}");
    }
}

#[test]
fn a_refused_upgrade_says_what_can_be_done() {
    let refused = |http_status, body| category(Closed::Refused { http_status, body });
    assert_eq!(refused(401, ""), FaultCategory::Misconfigured);
    assert_eq!(
        refused(403, "<html>Forbidden</html>"),
        FaultCategory::Misconfigured
    );
    assert_eq!(refused(404, ""), FaultCategory::Misconfigured);
    assert_eq!(refused(429, ""), FaultCategory::RateLimited);
    let quota = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    assert_eq!(
        refused(429, quota),
        FaultCategory::Misconfigured,
        "waiting does not fill an account"
    );
    assert_eq!(refused(502, "Bad Gateway"), FaultCategory::Retryable);
}

#[test]
fn a_lost_network_can_be_retried_and_our_own_close_is_no_fault() {
    assert_eq!(
        category(Closed::Io {
            detail: "connection reset"
        }),
        FaultCategory::Retryable
    );
    assert_eq!(category(Closed::ByUs), FaultCategory::Benign);
}

#[test]
fn a_session_that_expires_is_gone_once_though_the_vendor_says_it_twice() {
    let mut link = Link::ready();
    let words = "Your session hit the maximum duration of 60 minutes.";
    link.server(error(
        "invalid_request_error",
        Some("session_expired"),
        words,
        None,
    ));
    link.close(Closed::Frame {
        code: 1001,
        reason: words,
    });
    let all = gone(&mut link);
    assert_eq!(
        all,
        [(FaultCategory::Expired, format!("session_expired: {words}"))]
    );
}

#[test]
fn after_its_end_a_link_says_and_sends_nothing() {
    let mut link = Link::ready();
    link.close(Closed::Io { detail: "reset" });
    link.trace();
    link.server(response_created("resp_1", None));
    link.odd("garbage");
    link.say(1, None);
    link.command(LinkCommand::Cancel);
    link.audio(&[1; 4_000]);
    link.flush();
    link.open(&config());
    link.close(Closed::ByUs);
    assert_eq!(link.trace(), "");
}

#[test]
fn a_refused_account_ends_the_link_at_once() {
    for (kind, code) in [
        ("invalid_request_error", Some("invalid_api_key")),
        ("insufficient_quota", None),
        ("invalid_request_error", Some("billing_hard_limit_reached")),
        ("invalid_request_error", Some("credit_balance_exhausted")),
        ("invalid_request_error", Some("account_deactivated")),
    ] {
        let mut link = Link::ready();
        link.server(error(kind, code, "No.", None));
        assert_eq!(
            gone(&mut link)[0].0,
            FaultCategory::Misconfigured,
            "{kind} {code:?}"
        );
    }
}

#[test]
fn a_refused_configuration_ends_the_link_instead_of_leaving_it_unready_for_ever() {
    let mut link = Link::closed();
    link.open(&config());
    link.server(session("session.created"));
    link.server(error(
        "invalid_request_error",
        Some("invalid_value"),
        "Unknown voice.",
        Some("configure_1"),
    ));
    let all = gone(&mut link);
    assert_eq!(all[0].0, FaultCategory::Misconfigured);
    assert!(all[0].1.contains("Unknown voice."), "{}", all[0].1);
}

#[test]
fn garbage_is_survived_until_there_is_too_much_of_it() {
    let garbage = [
        "",
        "hello",
        "{",
        "[1,2]",
        "7",
        r#"{"no":"type"}"#,
        r#"{"type":7}"#,
    ];
    let mut link = Link::ready();
    for text in garbage {
        link.odd(text);
        let events = link.events();
        let malformed = |event: &LinkEvent| {
            matches!(
                event,
                LinkEvent::Fault {
                    category: FaultCategory::Malformed,
                    ..
                }
            )
        };
        assert!(
            events.len() == 1 && events.iter().all(malformed),
            "{text:?}: {events:?}"
        );
    }
    assert_eq!(link.counters().malformed_frames, 7);
    link.binary(&[0xFF, 0x00, 0xC0]);
    link.close(Closed::ByUs);
    let all = gone(&mut link);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, FaultCategory::Malformed);
}

#[test]
fn a_known_event_that_lacks_what_it_must_have_is_malformed() {
    for event in [
        json!({ "type": "response.created" }),
        json!({ "type": "response.done", "response": {} }),
        json!({ "type": "error" }),
        json!({ "type": "input_audio_buffer.committed", "item_id": null }),
        json!({ "type": "response.created", "response": "resp_1" }),
    ] {
        let mut link = Link::ready();
        link.odd(&event.to_string());
        assert_eq!(link.counters().malformed_frames, 1, "{event}");
    }
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    link.odd(
        &json!({ "type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "i", "delta": "!!!" })
            .to_string(),
    );
    assert_eq!(link.counters().malformed_frames, 1, "base64 that is none");
}

#[test]
fn a_fault_never_quotes_a_frame_or_a_key() {
    let mut link = Link::ready();
    link.odd(r#"{"type":"response.created","response":"my name is Ada"}"#);
    link.odd("my name is Ada");
    let words = format!("Incorrect API key provided: {KEY}. You can find yours elsewhere.");
    link.server(error(
        "invalid_request_error",
        Some("invalid_api_key"),
        &words,
        None,
    ));
    let trace = link.trace();
    assert!(!trace.contains("Ada") && !trace.contains(KEY), "{trace}");
    assert!(trace.contains("[key]"), "{trace}");
}

#[test]
fn json_in_binary_frames_is_understood() {
    let mut link = Link::closed();
    link.open(&config());
    link.take();
    link.binary(session("session.updated").to_string().as_bytes());
    assert!(link.trace().contains("Ready"));
}
