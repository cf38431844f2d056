//! Links that are silent, deaf, old or forgetful.

use std::time::Duration;

use engine::cost::Component;
use engine::ids::{ItemId, LinkNo};
use engine::journal::Entry;
use engine::link::{Capabilities, FaultCategory, LinkEvent, Speaker};
use engine::plan::Plan;
use engine::session::{MediaFact, Output, Past, Session, State};

use crate::drive::*;

/// A vendor that ends connections after twenty minutes; ours are renewed five minutes before.
const AGEING: Capabilities = Capabilities {
    link_max: Some(Duration::from_secs(20 * 60)),
    ..FULL
};

/// An interview that stays in its first phase.
fn long() -> Plan {
    let mut plan = plan();
    plan.phases[0].target = Duration::from_secs(3_600);
    plan.phases[0].max = Duration::from_secs(3_600);
    plan
}

fn holds(outputs: &[Output]) -> Vec<ItemId> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::PlayHold { item } => Some(item.clone()),
            _ => None,
        })
        .collect()
}

fn closed(outputs: &[Output]) -> usize {
    outputs
        .iter()
        .filter(|output| matches!(output, Output::CloseLink { .. }))
        .count()
}

/// Our voice activity hears the participant, and the vendor does not.
fn speak_unnoticed(drive: &mut Drive, ms: u64) {
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at }).wait_ms(ms);
    let at = drive.now;
    drive.media(MediaFact::SpeechEnded { at });
}

/// A few words and an answer, and half a minute's rest at most.
fn small_talk(drive: &mut Drive, n: u32) {
    let (item, answer) = (format!("n{n}"), format!("b{n}"));
    drive.say(&item, "Hm.", 300);
    drive
        .respond(&answer, "Take your time.", 300)
        .play(&answer, 300);
    drive.wait_s(17);
}

#[test]
fn dead_air_is_explained_before_four_seconds_and_again_only_after_thirty() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.gone(FaultCategory::Retryable).wait_ms(3_199);
    assert_eq!(holds(&drive.all), []);
    drive.wait_ms(1);
    let item = holds(&drive.last).pop().unwrap();
    assert!(troubles(&drive.last).contains(&"provider_slow"));
    drive.play(item.as_str(), 2_000);
    for _ in 0..5 {
        drive.gone(FaultCategory::Retryable).wait_s(5);
    }
    assert_eq!(holds(&drive.all).len(), 1);
    drive.gone(FaultCategory::Retryable).wait_s(5);
    assert_eq!(holds(&drive.all).len(), 2);
}

#[test]
fn a_link_that_is_back_in_time_needs_no_explanation() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .gone(FaultCategory::Retryable)
        .wait_ms(500)
        .ready()
        .wait_ms(900)
        .respond("a1", "Where were we?", 900)
        .play("a1", 900);
    drive.wait_s(20);
    assert_eq!(holds(&drive.all), []);
}

#[test]
fn our_own_line_is_written_down_and_is_no_part_of_the_conversation() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 1_000);
    drive.gone(FaultCategory::Retryable).wait_ms(400);
    drive.wait_ms(100).gone(FaultCategory::Retryable).wait_s(3);
    let item = holds(&drive.all).pop().unwrap();
    drive.play(item.as_str(), 2_000);
    let turn = drive.turns().pop().unwrap();
    assert_eq!(
        (turn.speaker, turn.text.as_str()),
        (Speaker::Interviewer, "One moment, please.")
    );
    drive.gone(FaultCategory::Retryable).wait_s(2);
    let (_, config) = opened(&drive.all).pop().unwrap();
    assert!(
        config
            .history
            .iter()
            .all(|(_, text)| !text.contains("One moment"))
    );
    // Nor is it for the next process, which numbers its turns on all the same.
    let past = Past::read(&entries(&drive.all));
    assert_eq!(past.turn, Some(turn.turn));
    assert!(
        past.turns
            .iter()
            .all(|turn| !turn.text.contains("One moment"))
    );
    drop(Session::restore(drive.now, plan(), FULL, past));
}

#[test]
fn our_own_line_is_no_answer_and_no_first_voice() {
    let mut drive = Drive::begun(plan(), FULL);
    drive.wait_ms(3_200);
    let item = holds(&drive.last).pop().unwrap();
    drive.play(item.as_str(), 2_000);
    assert!(!kinds(&drive.all).contains(&"measured"));
    drive
        .respond("greeting", "Hello, I am an AI.", 2_000)
        .play("greeting", 2_000);
    assert!(kinds(&drive.all).contains(&"measured"));
}

#[test]
fn nobody_is_told_to_wait_who_is_speaking() {
    let mut drive = Drive::greeted(plan(), FULL);
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at });
    drive.gone(FaultCategory::Retryable).wait_s(20);
    assert_eq!(holds(&drive.all), []);
}

#[test]
fn our_own_line_is_not_played_any_more_once_the_participant_speaks() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 1_000).wait_ms(3_200);
    let item = holds(&drive.all).pop().unwrap();
    // Before media began with it: it may still be on its way there.
    drive.link(LinkEvent::SpeechStarted { item: "u2".into() });
    assert!(drive.last.contains(&Output::CutPlayout));
    assert!(drive.last.contains(&Output::DropUtterance { item }));
}

#[test]
fn a_turn_without_an_answer_is_asked_for_once_more() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 1_000);
    let before = says(&drive.all).len();
    drive.wait_ms(2_999);
    assert_eq!(says(&drive.all).len(), before);
    drive.wait_ms(1);
    assert_eq!(said(&drive.last), [""]);
    drive
        .respond("a1", "A nurse. And since when?", 1_000)
        .play("a1", 1_000);
    drive.wait_s(20);
    assert_eq!(opened(&drive.all).len(), 1);
    assert_eq!(says(&drive.all).len(), before + 1);
}

#[test]
fn an_answer_that_comes_late_by_itself_is_not_asked_for_again() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 1_000).wait_s(3);
    let asked = says(&drive.all).len();
    // The vendor's own answer, under no number of ours.
    drive.link(LinkEvent::ResponseStarted {
        response: "own".into(),
        tag: None,
    });
    drive.link(LinkEvent::UtteranceStarted {
        response: "own".into(),
        item: "a1".into(),
    });
    drive.link(LinkEvent::UtteranceDone {
        item: "a1".into(),
        text: "And since when?".to_owned(),
        audio_ms: 900,
    });
    drive.link(LinkEvent::ResponseDone {
        response: "own".into(),
        status: engine::link::ResponseStatus::Completed,
    });
    drive.play("a1", 900).wait_s(20);
    assert_eq!(says(&drive.all).len(), asked);
}

#[test]
fn speech_that_the_vendor_did_not_notice_is_asked_for_again() {
    let mut drive = Drive::greeted(plan(), FULL);
    speak_unnoticed(&mut drive, 4_000);
    drive.wait_ms(3_000);
    assert!(said(&drive.last)[0].contains("You did not hear"));
    drive
        .respond("a1", "I did not catch that.", 1_000)
        .play("a1", 1_000);
    assert_eq!(opened(&drive.all).len(), 1);
    // Once: what is not speech to the vendor would otherwise be asked about for ever.
    speak_unnoticed(&mut drive, 4_000);
    drive.wait_s(10);
    assert_eq!(says(&drive.all).len(), 2);
}

#[test]
fn who_was_not_heard_hears_something_within_four_seconds_even_if_nobody_asks_again() {
    let mut drive = Drive::greeted(plan(), FULL);
    speak_unnoticed(&mut drive, 4_000);
    drive.wait_ms(3_599);
    assert_eq!(holds(&drive.all), []);
    drive.wait_ms(1);
    assert_eq!(holds(&drive.last).len(), 1);
}

#[test]
fn speech_over_the_interviewer_that_goes_on_is_to_be_noticed_too() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I sell bicycles.", 1_000);
    drive
        .respond("a1", "How?", 2_000)
        .play_start("a1")
        .wait_ms(1_000);
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at }).wait_ms(1_000);
    drive.play_end("a1", 2_000, false).wait_ms(3_000);
    let at = drive.now;
    drive.media(MediaFact::SpeechEnded { at }).wait_ms(3_000);
    assert!(said(&drive.last)[0].contains("You did not hear"));
}

#[test]
fn an_echo_of_the_interviewer_is_not_asked_about() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I sell bicycles.", 1_000);
    drive.respond("a1", "How?", 2_000).play_start("a1");
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at }).wait_ms(2_000);
    drive.play_end("a1", 2_000, false).wait_ms(400);
    let at = drive.now;
    drive.media(MediaFact::SpeechEnded { at }).wait_ms(10_000);
    assert!(
        !said(&drive.all)
            .iter()
            .any(|said| said.contains("You did not hear"))
    );
}

#[test]
fn a_cough_is_not_asked_about() {
    let mut drive = Drive::greeted(plan(), FULL);
    speak_unnoticed(&mut drive, 1_000);
    drive.wait_s(20);
    assert_eq!(says(&drive.all).len(), 1);
}

#[test]
fn a_vendor_that_never_noticed_the_speech_and_says_nothing_is_found_within_eight_seconds() {
    let mut drive = Drive::greeted(plan(), FULL);
    speak_unnoticed(&mut drive, 4_000);
    let ended = drive.now;
    while closed(&drive.all) == 0 {
        drive.wait_ms(100);
        assert!(drive.now.since(ended) <= Duration::from_secs(8));
    }
    drive.wait_ms(500);
    assert_eq!(opened(&drive.last)[0].0, LinkNo(2));
}

#[test]
fn a_link_that_hears_nothing_of_a_long_speech_is_rebuilt_once() {
    let mut drive = Drive::greeted(plan(), FULL);
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at }).wait_ms(6_999);
    assert_eq!(closed(&drive.all), 0);
    drive.wait_ms(1);
    assert_eq!(closed(&drive.all), 1);
    drive
        .wait_ms(500)
        .ready()
        .respond("a1", "Where were we?", 300)
        .play("a1", 300);
    speak_unnoticed(&mut drive, 20_000);
    assert_eq!(
        opened(&drive.all).len(),
        2,
        "the next vendor finds it quiet too: it is noise"
    );
}

#[test]
fn a_link_is_renewed_before_its_vendor_ends_it_and_nobody_hears_it() {
    let mut drive = Drive::greeted(long(), AGEING);
    drive.say("u1", "I am a nurse.", 1_000);
    drive
        .respond("a1", "And since when?", 1_000)
        .play("a1", 1_000);
    let began = drive.now;
    for n in 0.. {
        if opened(&drive.all).len() > 1 {
            break;
        }
        small_talk(&mut drive, n);
    }
    let age = drive.now.since(began);
    assert!(age > Duration::from_secs(14 * 60) && age < Duration::from_secs(16 * 60));
    let renewed: Vec<_> = entries(&drive.all)
        .into_iter()
        .filter(|entry| {
            matches!(
                entry,
                Entry::LinkGone {
                    category: FaultCategory::Expired,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(renewed.len(), 1, "{renewed:?}");
    let (link, config) = opened(&drive.all).pop().unwrap();
    assert_eq!(link, LinkNo(2));
    assert!(
        config
            .history
            .contains(&(Speaker::Participant, "I am a nurse.".to_owned()))
    );
    let says_before = says(&drive.all).len();
    drive.ready();
    assert_eq!(
        says(&drive.all).len(),
        says_before,
        "it says nothing by itself"
    );
    assert_eq!(troubles(&drive.all), [""; 0]);
    assert_eq!(holds(&drive.all), []);
}

#[test]
fn a_renewal_waits_for_a_settled_moment_with_every_word_written_down() {
    let mut drive = Drive::greeted(long(), AGEING);
    let began = drive.now;
    for n in 0.. {
        if drive.now.since(began) > Duration::from_secs(870) {
            break;
        }
        small_talk(&mut drive, n);
    }
    assert_eq!(closed(&drive.all), 0);
    drive.speak("late", 40_000);
    assert_eq!(closed(&drive.all), 0, "somebody speaks");
    drive.respond("c", "I see.", 300).play("c", 300);
    assert_eq!(
        closed(&drive.all),
        0,
        "the words of the turn are still to come"
    );
    drive.link(LinkEvent::TranscriptDone {
        item: "late".into(),
        text: "That is all.".to_owned(),
    });
    assert_eq!(closed(&drive.all), 1);
    let (_, config) = opened(&drive.last).pop().unwrap();
    assert!(
        config
            .history
            .contains(&(Speaker::Participant, "That is all.".to_owned()))
    );
}

#[test]
fn a_link_that_forgot_the_conversation_is_opened_again_and_not_for_ever() {
    let mut drive = Drive::greeted(plan(), FULL);
    let long = "I have been a nurse for twenty years. ".repeat(120);
    drive.say("u1", &long, 60_000);
    drive
        .respond("a1", "And what do you like about it?", 1_000)
        .play("a1", 1_000);
    let mut forgetful = 0;
    for n in 0..5 {
        drive.gone(FaultCategory::Retryable).wait_ms(500).ready();
        let links = opened(&drive.all).len();
        drive.use_tokens(Component::TextIn, 400);
        let item = format!("b{n}");
        drive.respond(&item, "Go on.", 300).play(&item, 300);
        forgetful += opened(&drive.all).len() - links;
        if opened(&drive.all).len() > links {
            drive.ready();
        }
    }
    assert_eq!(forgetful, 2);
    assert!(kinds(&drive.all).contains(&"link_fault"));
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn a_link_that_remembers_is_not_doubted() {
    let mut drive = Drive::greeted(plan(), FULL);
    let long = "I have been a nurse for twenty years. ".repeat(120);
    drive.say("u1", &long, 60_000);
    drive
        .respond("a1", "And what do you like about it?", 1_000)
        .play("a1", 1_000);
    drive.gone(FaultCategory::Retryable).wait_ms(500).ready();
    // As measured: a little less than four characters per token, and the instructions.
    drive.use_tokens(
        Component::TextIn,
        u64::try_from(long.len() / 5).unwrap() + 500,
    );
    drive.respond("b", "Go on.", 300).play("b", 300);
    assert_eq!(opened(&drive.all).len(), 2);
    assert!(!kinds(&drive.all).contains(&"link_fault"));
}

#[test]
fn what_was_said_while_a_link_was_opened_keeps_its_time() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.gone(FaultCategory::Retryable).wait_ms(500);
    speak_unnoticed(&mut drive, 3_000);
    drive.wait_ms(4_000).ready();
    // The vendor is given the last seconds at once, and notices the speech in them.
    drive
        .wait_ms(300)
        .link(LinkEvent::SpeechStarted { item: "u1".into() });
    drive.link(LinkEvent::SpeechStopped { item: "u1".into() });
    drive.link(LinkEvent::SpeechCommitted { item: "u1".into() });
    drive.link(LinkEvent::TranscriptDone {
        item: "u1".into(),
        text: "I am a nurse.".to_owned(),
    });
    let turn = drive.turns().pop().unwrap();
    let greeted = drive.turns()[0].end_ms;
    assert_eq!(turn.text, "I am a nurse.");
    assert_eq!(
        (turn.start_ms, turn.end_ms),
        (greeted + 500, greeted + 3_500)
    );
}
