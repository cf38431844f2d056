//! The ways to end.

use engine::cost::{Component, MicroUsd};
use engine::journal::Outcome;
use engine::link::{FaultCategory, LinkCommand, LinkEvent, ResponseStatus};
use engine::session::{Input, MediaFact, Notice, Output, Request, State, Timer};

use crate::drive::*;

#[test]
fn a_spent_budget_closes_the_session() {
    let mut plan = plan();
    plan.budget = Some(MicroUsd(64_000));
    let mut drive = Drive::greeted(plan, FULL);
    drive.use_tokens(Component::AudioIn, 1_999);
    assert_eq!(drive.session.state(), State::Active);
    drive.use_tokens(Component::AudioIn, 1);
    assert_eq!(drive.outcome(), Some(Outcome::Budget));
    assert!(
        said(&drive.last)[0].contains("Thank you, goodbye."),
        "it still says goodbye"
    );
}

#[test]
fn a_participant_who_wants_to_go_is_not_talked_over() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .begin_utterance("a1")
        .play_start("a1")
        .wait_ms(500)
        .request(Request::End);
    assert_eq!(drive.last[0], Output::CutPlayout);
    assert_eq!(commands(&drive.last), [LinkCommand::Cancel]);
    drive
        .play_end("a1", 500, true)
        .finish_response(ResponseStatus::Interrupted);
    assert!(said(&drive.last)[0].contains("Thank you, goodbye."));
    assert_eq!(drive.outcome(), Some(Outcome::Partial));
}

#[test]
fn an_end_with_everything_covered_is_complete() {
    let mut drive = Drive::greeted(plan(), FULL);
    let main = ("advance_phase", r#"{"to":"main"}"#);
    drive.respond_with("", "", 0, &[("cover_topic", r#"{"topic":"role"}"#), main]);
    drive
        .respond_with(
            "a1",
            "Tools?",
            500,
            &[("cover_topic", r#"{"topic":"tools"}"#)],
        )
        .play("a1", 500);
    drive.request(Request::End);
    assert_eq!(drive.outcome(), Some(Outcome::Complete));
}

#[test]
fn the_closing_statement_is_not_interrupted_and_nothing_else_is_said() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .input(Input::OperatorEnd)
        .start_response()
        .utter("bye", "Thank you, goodbye.", 2_000);
    drive
        .play_start("bye")
        .link(LinkEvent::SpeechStarted { item: "u1".into() });
    assert!(!drive.last.contains(&Output::CutPlayout));
    drive.finish_response(ResponseStatus::Interrupted);
    drive.link(LinkEvent::ResponseStarted {
        response: "own".into(),
        tag: None,
    });
    assert_eq!(commands(&drive.last), [LinkCommand::Cancel]);
    drive.link(LinkEvent::ResponseDone {
        response: "own".into(),
        status: ResponseStatus::Interrupted,
    });
    assert_eq!(drive.session.state(), State::Closing);
    drive.wait_ms(2_000).play_end("bye", 2_000, false);
    assert_eq!(drive.session.state(), State::Ended);
}

#[test]
fn a_closing_statement_that_never_comes_does_not_hold_the_end() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.input(Input::OperatorEnd);
    let fired = drive.wait(std::time::Duration::from_secs(30));
    assert!(
        matches!(fired.last(), Some(Timer::Close | Timer::LinkStall)),
        "{fired:?}"
    );
    assert_eq!(drive.session.state(), State::Ended);
}

#[test]
fn the_end_is_journaled_then_told_then_closed_and_finish_is_last() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .input(Input::OperatorEnd)
        .respond("bye", "Goodbye.", 500)
        .play("bye", 500);
    let outcome = Outcome::Partial;
    let tail = &drive.last[drive.last.len() - 4..];
    assert!(matches!(
        tail,
        [
            Output::Tell(Notice::Ended { .. }),
            Output::CloseLink { .. },
            Output::ClosePeer { .. },
            Output::Finish {
                outcome: Outcome::Partial
            }
        ]
    ));
    assert_eq!(kinds(&drive.last).last(), Some(&"ended"));
    assert_eq!(drive.outcome(), Some(outcome));
}

#[test]
fn an_ended_session_swallows_everything() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .input(Input::OperatorEnd)
        .gone(FaultCategory::Retryable);
    assert_eq!(drive.session.state(), State::Ended);
    drive
        .offer(9)
        .up()
        .ready()
        .request(Request::Repeat)
        .wait_s(4_000);
    assert_eq!(drive.last, []);
    drive.input(Input::Timeout);
    assert_eq!(drive.last, []);
}

#[test]
fn before_the_interview_there_is_nothing_to_close() {
    let mut invited = Drive::new(plan(), FULL);
    invited.input(Input::OperatorEnd);
    assert_eq!(kinds(&invited.last), ["closing", "ended"]);
    assert_eq!(invited.outcome(), Some(Outcome::NoShow));
}

#[test]
fn a_recording_with_a_gap_is_told_once() {
    let mut drive = Drive::greeted(plan(), FULL);
    let gap = MediaFact::RecordingGap {
        reason: "disk full".to_owned(),
    };
    drive.media(gap.clone()).media(gap);
    assert_eq!(troubles(&drive.all), ["recording_trouble"]);
    assert_eq!(
        drive.session.state(),
        State::Active,
        "the conversation goes on"
    );
}
