//! Turn assembly: speech order, what was heard, and what became of the rest.

use std::time::Duration;

use engine::journal::TurnEnding;
use engine::link::{LinkCommand, LinkEvent, ResponseStatus, Speaker};
use engine::session::{MediaFact, Output, State};

use crate::drive::*;

const LONG: &str = "one two three four five six seven eight nine ten";

/// The interviewer speaks `LONG` for 5 s; the words are all there.
fn speaking() -> Drive {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond("a1", LONG, 5_000).play_start("a1");
    drive
}

fn speech_started(drive: &mut Drive, item: &str) {
    drive.link(LinkEvent::SpeechStarted { item: item.into() });
}

#[test]
fn barge_in_cuts_at_once_and_tells_the_model_what_was_heard() {
    let mut drive = speaking();
    drive.wait_ms(2_000);
    speech_started(&mut drive, "u1");
    assert_eq!(drive.last[0], Output::CutPlayout);
    drive.play_end("a1", 1_980, true);
    assert_eq!(heard(&drive.last), [("a1".into(), 1_980)]);
    let turn = drive.turns().pop().unwrap();
    assert_eq!(
        (turn.text.as_str(), turn.unheard.as_str()),
        ("one two three four", "five six seven eight nine ten")
    );
    assert_eq!(
        (turn.ending, turn.end_ms - turn.start_ms),
        (TurnEnding::Interrupted, 2_000)
    );
}

#[test]
fn what_was_queued_and_never_played_is_removed_and_is_no_turn() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .utter("a1", "first", 2_000)
        .utter("a2", "second", 2_000);
    drive
        .finish_response(ResponseStatus::Completed)
        .play_start("a1")
        .wait_ms(500);
    speech_started(&mut drive, "u1");
    drive.play_end("a1", 500, true);
    assert_eq!(heard(&drive.last), [("a1".into(), 500)]);
    drive.play_end("a2", 0, true);
    assert_eq!(heard(&drive.last), [("a2".into(), 0)]);
    assert_eq!(drive.turns().len(), 2, "the greeting and the first");
}

#[test]
fn what_was_played_to_its_end_is_not_truncated() {
    let mut drive = speaking();
    drive.wait_ms(4_990);
    speech_started(&mut drive, "u1");
    drive.play_end("a1", 5_000, true);
    assert_eq!(heard(&drive.last), []);
    assert_eq!(drive.turns().pop().unwrap().ending, TurnEnding::Complete);
}

#[test]
fn words_that_still_arrive_after_an_interruption_are_dropped_by_their_response() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .begin_utterance("a1")
        .play_start("a1")
        .wait_ms(300);
    speech_started(&mut drive, "u1");
    assert_eq!(
        drive.last[..2],
        [
            Output::CutPlayout,
            Output::DropUtterance { item: "a1".into() }
        ]
    );
    assert_eq!(commands(&drive.last), [], "the vendor interrupts itself");
    drive.play_end("a1", 280, true);
    drive.begin_utterance("a2");
    assert_eq!(drive.last, [Output::DropUtterance { item: "a2".into() }]);
    drive.link(LinkEvent::UtteranceDone {
        item: "a1".into(),
        text: LONG.to_owned(),
        audio_ms: 1_000,
    });
    assert_eq!(drive.turns().pop().unwrap().text, "one two three");
    drive.finish_response(ResponseStatus::Interrupted);
    assert_eq!(drive.turns().len(), 2);
}

#[test]
fn a_vendor_without_turn_events_is_cancelled_by_our_voice_activity_and_told_nothing_of_truncation()
{
    let mut drive = Drive::greeted(plan(), BARE);
    drive
        .start_response()
        .begin_utterance("a1")
        .play_start("a1")
        .wait_ms(300);
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at });
    assert_eq!(drive.last[0], Output::CutPlayout);
    assert_eq!(commands(&drive.last), [LinkCommand::Cancel]);
    drive.play_end("a1", 280, true);
    assert_eq!(commands(&drive.last), []);
}

#[test]
fn with_turn_events_our_voice_activity_interrupts_nobody() {
    let mut drive = speaking();
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at });
    assert!(!drive.last.contains(&Output::CutPlayout));
}

#[test]
fn a_turn_begins_and_ends_where_our_voice_activity_heard_it() {
    let mut drive = Drive::greeted(plan(), FULL);
    let begun = drive.now;
    drive.say("u1", "Yes.", 1_000);
    let turn = drive.turns().pop().unwrap();
    assert_eq!(turn.speaker, Speaker::Participant);
    assert_eq!(turn.start_ms, begun.as_millis() - 1_000_000);
    assert_eq!(
        turn.end_ms - turn.start_ms,
        1_000,
        "not the 1,500 ms at which the vendor noticed"
    );
}

#[test]
fn an_old_stretch_of_voice_is_not_the_beginning_of_a_turn() {
    let mut drive = Drive::greeted(plan(), FULL);
    let at = drive.now;
    drive
        .media(MediaFact::SpeechStarted { at })
        .wait_ms(100)
        .media(MediaFact::SpeechEnded { at });
    drive.wait_ms(2_500);
    let heard_by_vendor = drive.now;
    speech_started(&mut drive, "u1");
    drive
        .wait_ms(800)
        .link(LinkEvent::SpeechStopped { item: "u1".into() });
    drive.link(LinkEvent::TranscriptDone {
        item: "u1".into(),
        text: "Hm.".to_owned(),
    });
    assert_eq!(
        drive.turns().pop().unwrap().start_ms,
        heard_by_vendor.as_millis() - 1_000_000
    );
}

#[test]
fn words_may_come_after_the_answer_to_them() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .speak("u1", 1_000)
        .respond("a1", "Thank you.", 500)
        .play("a1", 500);
    assert_eq!(drive.turns().len(), 2);
    drive.link(LinkEvent::TranscriptDone {
        item: "u1".into(),
        text: "Yes.".to_owned(),
    });
    let mut turns = drive.turns();
    turns.sort_by_key(|turn| turn.start_ms);
    let order: Vec<_> = turns
        .iter()
        .map(|turn| (turn.turn.0, turn.text.as_str()))
        .collect();
    assert_eq!(order[1..], [(2, "Yes."), (3, "Thank you.")]);
}

#[test]
fn words_that_never_come_leave_an_abandoned_turn() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .speak("u1", 1_000)
        .respond("a1", "I see.", 500)
        .play("a1", 500)
        .wait_ms(14_499);
    assert_eq!(drive.turns().len(), 2);
    drive.wait_ms(1);
    let turn = drive.turns().pop().unwrap();
    assert_eq!(
        (turn.text.as_str(), turn.ending),
        ("", TurnEnding::Abandoned)
    );
    drive.link(LinkEvent::TranscriptDone {
        item: "u1".into(),
        text: "Too late.".to_owned(),
    });
    assert_eq!(
        drive.turns().len(),
        3,
        "no second turn of the same utterance"
    );
}

#[test]
fn words_that_could_not_be_understood_are_known_at_once() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.speak("u1", 1_000);
    drive.link(LinkEvent::TranscriptFailed {
        item: "u1".into(),
        reason: "audio_unintelligible".to_owned(),
    });
    assert_eq!(drive.turns().pop().unwrap().ending, TurnEnding::Abandoned);
}

#[test]
fn what_is_open_at_the_end_is_written_down() {
    let mut drive = speaking();
    drive.wait_ms(1_000);
    drive.link(LinkEvent::SpeechStarted { item: "u1".into() });
    drive.play_end("a1", 1_000, true);
    drive
        .input(engine::session::Input::OperatorEnd)
        .respond("bye", "Thank you, goodbye.", 2_000)
        .play_start("bye");
    drive.wait_s(30);
    assert_eq!(drive.session.state(), State::Ended);
    let turns = drive.turns();
    let endings: Vec<_> = turns
        .iter()
        .map(|turn| (turn.turn.0, turn.ending))
        .collect();
    assert!(
        endings.contains(&(3, TurnEnding::Abandoned)),
        "the participant's: {endings:?}"
    );
    let mut numbers: Vec<_> = turns.iter().map(|turn| turn.turn.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn an_utterance_that_media_never_plays_does_not_hold_the_session() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond("a1", "Lost.", 1_000);
    assert_eq!(
        drive.wait(Duration::from_secs(5)).last(),
        Some(&engine::session::Timer::Playout)
    );
    assert!(
        drive
            .last
            .contains(&Output::DropUtterance { item: "a1".into() })
    );
    drive.wait_s(30);
    assert!(kinds(&drive.last).contains(&"silence_prompted"));
}

#[test]
fn sound_that_is_faster_than_its_first_word_is_a_turn_all_the_same() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .play_start("a1")
        .utter("a1", "Quick.", 400)
        .finish_response(ResponseStatus::Completed);
    drive.wait_ms(400).play_end("a1", 400, false);
    assert_eq!(drive.turns().pop().unwrap().text, "Quick.");
}

#[test]
fn a_dropped_utterance_that_media_plays_after_all_is_no_turn() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.respond("a1", "Lost.", 1_000).wait_s(5);
    assert!(
        drive
            .last
            .contains(&Output::DropUtterance { item: "a1".into() })
    );
    drive.play("a1", 1_000);
    assert_eq!(drive.turns().len(), 1);
}
