//! Who moves the interview: the model asks, the protocol decides, time has the last word.

use std::time::Duration;

use engine::journal::{Entry, MoveCause, Outcome};
use engine::link::{LinkCommand, LinkEvent, ResponseStatus};
use engine::plan::Plan;
use engine::session::{State, Timer};

use crate::drive::*;

const TO_MAIN: (&str, &str) = ("advance_phase", r#"{"to":"main"}"#);
const ROLE: (&str, &str) = ("cover_topic", r#"{"topic":"role"}"#);

fn asked(arguments: &str, plan: Plan) -> Drive {
    let mut drive = Drive::greeted(plan, FULL);
    drive.respond_with("", "", 0, &[("advance_phase", arguments)]);
    drive
}

fn refused(arguments: &str, plan: Plan, reason: &str) {
    let drive = asked(arguments, plan);
    let [result] = &results(&drive.last)[..] else {
        panic!("one result")
    };
    assert!(
        result.starts_with("{\"ok\":false,\"reason\":\"") && result.contains(reason),
        "{result}"
    );
    assert!(kinds(&drive.all).contains(&"move_refused"));
    assert_eq!(said(&drive.last), [""], "the model must say something else");
}

fn entered(drive: &Drive) -> Vec<(String, MoveCause)> {
    entries(&drive.all)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::PhaseEntered { phase, cause, .. } => Some((phase.as_str().to_owned(), cause)),
            _ => None,
        })
        .collect()
}

#[test]
fn an_unknown_target_is_refused_with_the_legal_ones() {
    refused(r#"{"to":"moon"}"#, plan(), "Legal: main.");
    refused(r#"{"to":"wrapup"}"#, plan(), "Legal: main.");
    refused(r#"{"to":"end"}"#, plan(), "Legal: main.");
}

#[test]
fn malformed_arguments_are_refused() {
    refused("", plan(), "not a JSON object");
    refused(r#"{"to":3}"#, plan(), "not a JSON object");
    refused(r#"{"phase":"main"}"#, plan(), r#"no \"to\""#);
}

#[test]
fn required_topics_hold_a_phase_and_are_named() {
    refused(
        r#"{"to":"main"}"#,
        plan(),
        "Required topics are not covered yet: role.",
    );
}

#[test]
fn a_phase_is_not_shorter_than_its_minimum() {
    let mut plan = plan();
    plan.phases[0].min = Duration::from_secs(150);
    refused(
        r#"{"to":"main"}"#,
        plan.clone(),
        "at least 2 min 30 s; 2 s have passed",
    );
    let mut drive = Drive::greeted(plan, FULL);
    drive.wait_s(20).say("u1", "Well.", 128_500);
    drive.respond_with("", "", 0, &[ROLE, TO_MAIN]);
    assert_eq!(results(&drive.last)[1], r#"{"ok":true,"phase":"main"}"#);
}

#[test]
fn a_second_move_is_refused_while_one_is_under_way() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond_with("a1", "Good.", 900, &[ROLE, TO_MAIN, TO_MAIN]);
    assert!(results(&drive.last)[2].contains("already moving"));
    drive.play("a1", 900);
    assert_eq!(entered(&drive).len(), 2);
}

#[test]
fn an_unknown_tool_and_an_unknown_topic_are_refused_with_the_known_ones() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond_with(
        "",
        "",
        0,
        &[("dance", "{}"), ("cover_topic", r#"{"topic":"dogs"}"#)],
    );
    let results = results(&drive.last);
    assert!(
        results[0].contains("Tools: advance_phase, cover_topic."),
        "{}",
        results[0]
    );
    assert!(results[1].contains("Its topics: role."), "{}", results[1]);
}

#[test]
fn results_are_sent_only_when_the_response_that_called_is_done() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.start_response().call("c1", ROLE.0, ROLE.1);
    assert_eq!(results(&drive.last), [""; 0]);
    assert_eq!(kinds(&drive.last), ["topic_covered"]);
    drive.finish_response(ResponseStatus::Completed);
    assert_eq!(results(&drive.last).len(), 1);
}

#[test]
fn covering_a_topic_needs_no_more_words_if_some_were_said_and_one_request_if_none_were() {
    let mut spoken = Drive::greeted(plan(), FULL);
    spoken.respond_with("a1", "I see. And then?", 900, &[ROLE]);
    assert_eq!(says(&spoken.last), []);
    let mut silent = Drive::greeted(plan(), FULL);
    silent.respond_with("", "", 0, &[ROLE, ROLE]);
    assert_eq!(says(&silent.last).len(), 1);
    assert_eq!(
        kinds(&silent.all)
            .iter()
            .filter(|kind| **kind == "topic_covered")
            .count(),
        1
    );
    assert_eq!(results(&silent.last).len(), 2, "covered again is covered");
}

#[test]
fn a_request_to_speak_gives_way_to_a_participant_who_speaks() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.start_response().call("c1", ROLE.0, ROLE.1);
    drive.link(LinkEvent::SpeechStarted { item: "u1".into() });
    drive.finish_response(ResponseStatus::Interrupted);
    assert_eq!(
        results(&drive.last).len(),
        1,
        "the call is answered all the same"
    );
    assert_eq!(says(&drive.last), []);
    drive.link(LinkEvent::SpeechStopped { item: "u1".into() });
    drive.link(LinkEvent::SpeechCommitted { item: "u1".into() });
    drive.wait_ms(100).respond("a1", "Thank you.", 500);
    assert_eq!(says(&drive.last), [], "the vendor's own answer was enough");
}

#[test]
fn a_model_that_only_calls_tools_is_not_asked_for_ever() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond_with("", "", 0, &[("dance", "{}")]);
    let mut requests = 0;
    while !says(&drive.last).is_empty() {
        requests += 1;
        assert!(requests < 20, "asked for ever");
        drive.respond_with("", "", 0, &[("dance", "{}")]);
    }
    assert_eq!(requests, 5);
}

#[test]
fn a_move_waits_for_a_settled_moment_but_not_for_long() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .respond_with(
            "a1",
            "A long farewell to this part.",
            9_000,
            &[ROLE, TO_MAIN],
        )
        .play_start("a1");
    drive.wait_ms(3_999);
    assert_eq!(entered(&drive).len(), 1);
    assert_eq!(drive.wait(Duration::from_millis(1)), [Timer::Settle]);
    assert_eq!(entered(&drive)[1], ("main".to_owned(), MoveCause::Model));
    assert_eq!(said(&drive.last).len(), 1);
}

#[test]
fn a_move_under_a_speaking_participant_changes_the_instructions_and_leaves_the_answer_to_the_vendor()
 {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond_with("", "", 0, &[ROLE]);
    drive.respond("a1", "And?", 500).play("a1", 500);
    let at = drive.now;
    drive.media(engine::session::MediaFact::SpeechStarted { at });
    drive.link(LinkEvent::SpeechStarted { item: "u1".into() });
    drive.wait_s(298);
    assert_eq!(
        entered(&drive).len(),
        1,
        "the time is up, the participant speaks"
    );
    drive.wait_s(4);
    assert_eq!(entered(&drive)[1], ("main".to_owned(), MoveCause::Overrun));
    assert!(
        commands(&drive.last)
            .iter()
            .any(|command| matches!(command, LinkCommand::Instruct { .. }))
    );
    drive.link(LinkEvent::SpeechStopped { item: "u1".into() });
    drive.link(LinkEvent::SpeechCommitted { item: "u1".into() });
    let before = drive.all.len();
    drive.respond("a2", "I see.", 500).play("a2", 500);
    assert_eq!(says(&drive.all[before..]), []);
}

/// Talks about nothing until `until` seconds have passed since the beginning.
fn chat(drive: &mut Drive, until: u64) {
    for n in 0.. {
        if drive.session.snapshot().elapsed + Duration::from_secs(9) >= Duration::from_secs(until) {
            return;
        }
        drive.say(&format!("chat-u{n}-{until}"), "So.", 1_000);
        drive
            .respond(&format!("chat-a{n}-{until}"), "Go on.", 1_000)
            .play(&format!("chat-a{n}-{until}"), 1_000);
        drive.wait_s(5);
        if !says(&drive.last).is_empty() {
            // What time asked for is said before the chat goes on.
            drive
                .respond(&format!("chat-s{n}-{until}"), "Well.", 500)
                .play(&format!("chat-s{n}-{until}"), 500);
        }
    }
}

#[test]
fn overrun_nudges_at_the_target_and_forces_at_the_maximum_whatever_is_open() {
    let mut drive = Drive::greeted(plan(), FULL);
    chat(&mut drive, 179);
    assert!(!kinds(&drive.all).contains(&"nudged"));
    chat(&mut drive, 192);
    assert_eq!(
        kinds(&drive.all)
            .iter()
            .filter(|kind| **kind == "nudged")
            .count(),
        1
    );
    let nudged = commands(&drive.all).into_iter().any(|command| {
        matches!(command, LinkCommand::Instruct { instructions }
            if instructions.contains("Time is short: finish this phase and call advance_phase."))
    });
    assert!(nudged);
    chat(&mut drive, 299);
    assert_eq!(entered(&drive).len(), 1);
    chat(&mut drive, 312);
    assert_eq!(entered(&drive)[1], ("main".to_owned(), MoveCause::Overrun));
}

#[test]
fn an_overrun_of_the_last_phase_closes_the_interview() {
    let mut plan = plan();
    plan.phases.remove(1);
    plan.phases[0].next = vec![engine::plan::Next::End];
    let mut drive = Drive::greeted(plan, FULL);
    chat(&mut drive, 290);
    assert_eq!(drive.session.state(), State::Active);
    // A model that says nothing then is stalled after six seconds, and the session ends without its goodbye.
    let overrun = (0..20).any(|_| drive.wait_s(1).session.state() == State::Closing);
    assert!(overrun);
    assert_eq!(drive.outcome(), Some(Outcome::Complete));
}

#[test]
fn wrap_up_moves_to_the_last_phase_three_minutes_before_the_limit() {
    let mut plan = plan();
    plan.limits.session = Duration::from_secs(400);
    let mut drive = Drive::greeted(plan, FULL);
    chat(&mut drive, 219);
    assert_eq!(entered(&drive).len(), 1);
    chat(&mut drive, 232);
    assert_eq!(entered(&drive)[1], ("wrapup".to_owned(), MoveCause::Wrapup));
    chat(&mut drive, 394);
    drive.wait_s(8);
    assert_eq!(
        drive.outcome(),
        Some(Outcome::Partial),
        "required topics are open"
    );
}
