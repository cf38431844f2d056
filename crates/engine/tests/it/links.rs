//! Links that fail, and the one way back.

use std::time::Duration;

use engine::cost::{Component, MicroUsd, Usage};
use engine::ids::LinkNo;
use engine::journal::{Entry, Outcome};
use engine::link::{Capabilities, FaultCategory, LinkEvent, ResponseStatus, Speaker};
use engine::session::{Input, Output, State};

use crate::drive::*;

#[test]
fn a_link_lost_before_the_beginning_is_tried_three_times_with_growing_pauses() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1);
    for (pause_ms, link) in [(500, 2), (1_000, 3), (2_000, 4)] {
        drive.gone(FaultCategory::Retryable).wait_ms(pause_ms - 1);
        assert_eq!(opened(&drive.last), []);
        drive.wait_ms(1);
        assert_eq!(opened(&drive.last)[0].0, LinkNo(link));
    }
    assert_eq!(troubles(&drive.all), [""; 0]);
    drive.gone(FaultCategory::Retryable);
    assert_eq!(troubles(&drive.last), ["provider_trouble"]);
    assert_eq!(
        (drive.session.state(), drive.outcome()),
        (State::Ended, Some(Outcome::Technical))
    );
}

#[test]
fn a_refused_key_is_not_tried_again() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1).gone(FaultCategory::Misconfigured);
    assert_eq!(drive.outcome(), Some(Outcome::Technical));
    assert_eq!(troubles(&drive.last), ["provider_trouble"]);
    assert_eq!(opened(&drive.all).len(), 1);
}

#[test]
fn a_link_that_never_gets_ready_is_given_up() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1).up().wait_s(50);
    assert_eq!(drive.outcome(), Some(Outcome::Technical));
    assert_eq!(opened(&drive.all).len(), 4);
}

#[test]
fn a_lost_link_is_rebuilt_with_the_conversation_and_goes_on() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .say("u1", "I am a nurse.", 1_000)
        .respond("a1", "And what do you like about it?", 2_000)
        .play_start("a1");
    drive
        .wait_ms(1_000)
        .link(LinkEvent::SpeechStarted { item: "u2".into() })
        .play_end("a1", 1_000, true);
    drive.gone(FaultCategory::Expired);
    assert_eq!(troubles(&drive.last), ["provider_trouble"]);
    drive.wait_ms(500);
    let (link, config) = opened(&drive.last).pop().unwrap();
    assert_eq!(link, LinkNo(2));
    assert!(config.instructions.contains("## Phase: warmup"));
    let heard = [
        (
            Speaker::Interviewer,
            "Hello, I am an AI. What about role?".to_owned(),
        ),
        (Speaker::Participant, "I am a nurse.".to_owned()),
        (Speaker::Interviewer, "And what do you".to_owned()),
    ];
    assert_eq!(config.history, heard, "heard parts only");
    drive.ready();
    assert_eq!(
        said(&drive.last),
        ["The connection was interrupted. Repeat your last question in the same words."]
    );
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn the_greeting_is_said_again_only_if_nobody_heard_it() {
    let mut drive = Drive::begun(plan(), FULL);
    drive
        .start_response()
        .gone(FaultCategory::Retryable)
        .wait_ms(500)
        .ready();
    assert!(said(&drive.last)[0].contains("Hello, I am an AI."));
}

#[test]
fn a_link_that_stops_answering_is_rebuilt() {
    let mut drive = Drive::begun(plan(), FULL);
    drive.wait_ms(5_999);
    assert_eq!(opened(&drive.all).len(), 1);
    drive.wait_ms(1);
    assert!(drive.last.contains(&Output::CloseLink { link: LinkNo(1) }));
    drive.wait_ms(500);
    assert_eq!(opened(&drive.last)[0].0, LinkNo(2));
    drive.input(Input::Link(
        LinkNo(1),
        LinkEvent::Gone {
            category: FaultCategory::Benign,
            detail: String::new(),
        },
    ));
    assert_eq!(
        drive.session.snapshot().stale_facts,
        1,
        "the old link's end is no news"
    );
}

#[test]
fn a_provider_that_is_away_for_a_minute_loses_no_interview() {
    let mut drive = Drive::greeted(plan(), FULL);
    let until = drive.now + Duration::from_secs(60);
    while drive.now < until {
        drive.gone(FaultCategory::Retryable).wait_s(5);
        assert_eq!(drive.session.state(), State::Active);
    }
    drive.ready();
    assert_eq!(
        said(&drive.all).len(),
        2,
        "the greeting, and what comes next"
    );
    drive.respond("a1", "Where were we?", 500).play("a1", 500);
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn a_provider_that_stays_away_leaves_the_interview_for_another_time() {
    let mut drive = Drive::greeted(plan(), FULL);
    let began = drive.now;
    for _ in 0..25 {
        drive.gone(FaultCategory::Retryable).wait_s(5);
    }
    drive.gone(FaultCategory::Retryable);
    assert_eq!(drive.last.last(), Some(&Output::Park));
    assert_eq!(
        (drive.session.state(), drive.outcome()),
        (State::Paused, None)
    );
    assert!(troubles(&drive.last).contains(&"provider_away"));
    assert!(drive.now.since(began) >= Duration::from_secs(120));
}

#[test]
fn a_vendor_that_heard_a_turn_and_says_nothing_at_all_is_stalled() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.speak("u1", 1_000);
    let heard = drive.now;
    drive.wait_s(8);
    assert!(drive.all.contains(&Output::CloseLink { link: LinkNo(1) }));
    assert_eq!(opened(&drive.all).len(), 2, "within eight seconds");
    assert!(drive.now.since(heard) <= Duration::from_secs(8));
    // One that goes on with the words of the turn is slow, not stalled.
    let mut drive = Drive::greeted(plan(), FULL);
    drive.speak("u1", 1_000);
    for _ in 0..8 {
        drive.wait_s(2).link(LinkEvent::TranscriptDelta {
            item: "u1".into(),
            text: "so ".to_owned(),
        });
    }
    assert_eq!(opened(&drive.all).len(), 1);
}

#[test]
fn a_whole_response_gives_the_link_its_tries_back() {
    let mut drive = Drive::greeted(plan(), FULL);
    for n in 0..6 {
        drive.gone(FaultCategory::Retryable).wait_ms(500).ready();
        drive
            .respond(&format!("a{n}"), "Again.", 300)
            .play(&format!("a{n}"), 300);
    }
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn a_refused_request_is_made_again_after_a_pause_and_not_for_ever() {
    let mut drive = Drive::begun(plan(), FULL);
    let fault = LinkEvent::Fault {
        category: FaultCategory::RateLimited,
        detail: "slow down".to_owned(),
    };
    for pause_ms in [500, 1_000, 2_000] {
        drive.link(fault.clone());
        assert_eq!(kinds(&drive.last), ["link_fault"]);
        drive.wait_ms(pause_ms - 1);
        assert_eq!(says(&drive.last), []);
        drive.wait_ms(1);
        assert_eq!(said(&drive.last).len(), 1);
    }
    drive.link(fault);
    assert_eq!(drive.outcome(), Some(Outcome::Technical));
}

#[test]
fn a_failed_response_is_asked_for_again() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "Yes.", 1_000).start_response();
    let (category, detail) = (FaultCategory::Retryable, "server_error".to_owned());
    drive
        .finish_response(ResponseStatus::Failed { category, detail })
        .wait_ms(500);
    assert_eq!(said(&drive.last), [""]);
}

#[test]
fn tool_results_die_with_their_link() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .call("c1", "cover_topic", r#"{"topic":"role"}"#)
        .gone(FaultCategory::Retryable);
    drive.wait_ms(500).ready();
    assert_eq!(results(&drive.all), [""; 0]);
    assert_eq!(
        drive.session.snapshot().covered,
        ["role".into()],
        "what was covered stays covered"
    );
}

#[test]
fn a_move_is_made_without_a_link_and_the_next_link_has_the_new_instructions() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .call("c1", "cover_topic", r#"{"topic":"role"}"#);
    drive
        .call("c2", "advance_phase", r#"{"to":"main"}"#)
        .gone(FaultCategory::Retryable);
    assert_eq!(drive.session.snapshot().phase.unwrap().as_str(), "main");
    drive.wait_ms(500);
    assert!(
        opened(&drive.last)[0]
            .1
            .instructions
            .contains("## Phase: main")
    );
    drive.ready();
    assert!(said(&drive.last)[0].starts_with("Go on with the new phase"));
}

#[test]
fn every_use_is_charged_even_from_an_older_link() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.gone(FaultCategory::Retryable).wait_ms(500);
    let used = Usage::none().with(Component::AudioIn, 1_000);
    drive.input(Input::Link(LinkNo(1), LinkEvent::Used(used)));
    assert_eq!(drive.cost(), MicroUsd(32_000));
    assert!(matches!(entries(&drive.last)[0], Entry::Charged { .. }));
}

#[test]
fn a_vendor_that_reports_no_tokens_is_charged_by_time() {
    let mut plan = plan();
    plan.prices = engine::cost::Prices::new(vec![(Component::ConnectionMs, 833_333)]);
    let mut drive = Drive::begun(
        plan,
        Capabilities {
            token_usage: false,
            link_max: None,
            ..FULL
        },
    );
    drive
        .respond("greeting", "Hello.", 1_000)
        .play("greeting", 1_000)
        .wait_s(20);
    drive.gone(FaultCategory::Retryable);
    let billed: u64 = entries(&drive.all)
        .iter()
        .filter_map(|entry| match entry {
            Entry::Charged { charges } => {
                Some(charges.iter().map(|charge| charge.quantity).sum::<u64>())
            }
            _ => None,
        })
        .sum();
    assert_eq!(billed, 21_000);
    assert_eq!(
        drive.cost(),
        MicroUsd(17_501),
        "$0.05 a minute, rounded row by row"
    );
}

#[test]
fn a_vendor_gone_mad_does_not_fill_the_journal() {
    let mut drive = Drive::greeted(plan(), FULL);
    for _ in 0..500 {
        drive.link(LinkEvent::Fault {
            category: FaultCategory::Malformed,
            detail: "?".to_owned(),
        });
    }
    assert_eq!(
        kinds(&drive.all)
            .iter()
            .filter(|kind| **kind == "link_fault")
            .count(),
        100
    );
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn retries_do_not_hold_a_closing_session() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .gone(FaultCategory::Retryable)
        .input(Input::OperatorEnd);
    assert_eq!(
        drive.session.state(),
        State::Closing,
        "the link may yet come back to say goodbye"
    );
    drive.wait_ms(500).gone(FaultCategory::Retryable);
    assert_eq!(drive.session.state(), State::Ended);
    assert_eq!(drive.wait(Duration::from_secs(600)), []);
}

#[test]
fn a_frame_that_cannot_be_read_refuses_nothing() {
    let mut drive = Drive::begun(plan(), FULL);
    drive.link(LinkEvent::Fault {
        category: FaultCategory::Malformed,
        detail: "not JSON".to_owned(),
    });
    drive
        .respond("a1", "Hello, I am an AI.", 900)
        .play("a1", 900)
        .wait_s(5);
    assert_eq!(said(&drive.all).len(), 1, "the greeting is asked for once");
}

#[test]
fn a_question_that_is_heard_to_its_end_is_not_asked_again_by_the_next_link() {
    let mut drive = Drive::begun(plan(), FULL);
    drive
        .respond("greeting", "Hello, I am an AI. Are you ready?", 4_000)
        .play_start("greeting")
        .wait_ms(1_000);
    drive.gone(FaultCategory::Retryable).wait_ms(600).ready();
    drive.wait_ms(2_400).play_end("greeting", 4_000, false);
    assert_eq!(said(&drive.all).len(), 1, "only the greeting");
    let (_, config) = opened(&drive.all).pop().unwrap();
    assert_eq!(config.history.len(), 1, "the next link knows of it");
}

#[test]
fn what_is_heard_to_its_end_and_asks_nothing_is_gone_on_from() {
    let mut drive = Drive::begun(plan(), FULL);
    drive
        .respond("greeting", "Hello, I am an AI.", 4_000)
        .play_start("greeting")
        .wait_ms(1_000);
    drive.gone(FaultCategory::Retryable).wait_ms(600).ready();
    drive.wait_ms(2_400).play_end("greeting", 4_000, false);
    assert_eq!(said(&drive.all).len(), 2);
}
