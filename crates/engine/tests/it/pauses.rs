//! A participant who drops out, and one who comes back.

use std::time::Duration;

use engine::ids::PeerNo;
use engine::journal::{Entry, Outcome};
use engine::link::{LinkCommand, ResponseStatus};
use engine::session::{Input, MediaFact, Output, Request, State, Timer};

use crate::drive::*;

fn paused() -> Drive {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.media(MediaFact::Lost);
    assert_eq!(drive.session.state(), State::Paused);
    drive
}

#[test]
fn a_drop_cuts_the_playout_and_keeps_the_link() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .start_response()
        .begin_utterance("a1")
        .play_start("a1")
        .wait_ms(500)
        .media(MediaFact::Lost);
    assert_eq!(drive.last[0], Output::CutPlayout);
    assert_eq!(
        commands(&drive.last),
        [LinkCommand::Cancel],
        "what nobody hears is not generated"
    );
    assert!(
        !drive
            .last
            .iter()
            .any(|output| matches!(output, Output::CloseLink { .. }))
    );
    assert_eq!(kinds(&drive.last), ["peer_lost", "paused"]);
}

#[test]
fn who_comes_back_goes_on_and_is_not_greeted_again() {
    let mut drive = paused();
    drive.wait_s(60).offer(2).up();
    assert_eq!(drive.session.state(), State::Active);
    assert!(kinds(&drive.all).ends_with(&["peer_up", "resumed"]));
    assert_eq!(
        said(&drive.all).last().unwrap(),
        "The connection was interrupted. Welcome the participant back in a few words, then repeat your last question in the same words."
    );
    assert_eq!(opened(&drive.all).len(), 1, "on the same link");
}

#[test]
fn the_last_moment_of_the_window_still_counts_and_the_next_does_not() {
    for (late_us, state) in [(0, State::Active), (1, State::Closing)] {
        let mut drive = paused();
        let deadline = drive.now + Duration::from_secs(120);
        drive.wait_s(119).offer(2);
        drive.now = deadline + Duration::from_micros(late_us);
        drive.media(MediaFact::Up);
        assert_eq!(drive.session.state(), state, "{late_us} us late");
    }
}

#[test]
fn a_second_drop_gets_its_own_window() {
    let mut drive = paused();
    drive
        .wait_s(20)
        .offer(2)
        .up()
        .respond("a1", "Again.", 500)
        .play("a1", 500);
    drive.wait_s(25).media(MediaFact::Lost).wait_s(119);
    assert_eq!(
        drive.session.state(),
        State::Paused,
        "the first window would have ended long ago"
    );
    drive.wait_s(2);
    assert_eq!(drive.session.state(), State::Closing);
}

#[test]
fn the_closing_statement_is_spoken_into_the_empty_room() {
    let mut drive = paused();
    assert!(
        drive
            .wait(Duration::from_secs(121))
            .contains(&Timer::Recovery)
    );
    assert_eq!(
        said(&drive.last),
        ["Say exactly: \"Thank you, goodbye.\" Do not ask anything more."]
    );
    drive
        .respond("bye", "Thank you, goodbye.", 1_000)
        .play("bye", 1_000);
    assert_eq!(drive.outcome(), Some(Outcome::Partial));
    assert_eq!(drive.session.state(), State::Ended);
    assert_eq!(drive.turns().pop().unwrap().text, "Thank you, goodbye.");
}

#[test]
fn the_clock_of_the_phase_stands_still() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .wait_s(20)
        .media(MediaFact::Lost)
        .wait_s(100)
        .offer(2)
        .up();
    drive.respond("a1", "Again.", 500).play("a1", 500);
    for n in 0..5 {
        drive
            .say(&format!("u{n}"), "So.", 25_000)
            .respond(&format!("b{n}"), "Hm.", 500)
            .play(&format!("b{n}"), 500);
    }
    let active = drive.session.snapshot().elapsed - Duration::from_secs(100);
    assert!(
        active > Duration::from_secs(150) && active < Duration::from_secs(180),
        "{active:?}"
    );
    assert!(!kinds(&drive.all).contains(&"nudged"));
    drive.wait(Duration::from_secs(180) - active);
    assert!(kinds(&drive.all).contains(&"nudged"));
}

#[test]
fn a_page_that_is_loaded_again_replaces_its_peer() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.offer(2);
    assert_eq!(drive.session.state(), State::Paused);
    drive.up();
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn facts_of_an_older_peer_are_dropped_and_counted() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.offer(2).up();
    drive.input(Input::Media(PeerNo(1), MediaFact::Lost));
    assert_eq!(
        drive.session.state(),
        State::Active,
        "the retry's own predecessor does not end it"
    );
    assert_eq!(drive.session.snapshot().stale_facts, 1);
    drive.input(Input::PeerOffered(PeerNo(2)));
    assert_eq!(drive.session.snapshot().stale_facts, 2);
}

#[test]
fn a_response_that_begins_while_nobody_listens_is_cancelled() {
    let mut drive = paused();
    drive.start_response();
    assert_eq!(commands(&drive.last), [LinkCommand::Cancel]);
    drive.begin_utterance("a1");
    assert_eq!(drive.last, [Output::DropUtterance { item: "a1".into() }]);
    drive.finish_response(ResponseStatus::Interrupted);
    assert_eq!(says(&drive.last), []);
}

#[test]
fn nobody_who_comes_is_a_no_show_and_costs_no_closing_statement() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1).wait_s(3).ready().wait_ms(59_999);
    assert_eq!(
        drive.session.state(),
        State::Waiting,
        "the time counts from the link being ready"
    );
    drive.wait_ms(1);
    assert_eq!(drive.outcome(), Some(Outcome::NoShow));
    assert_eq!(says(&drive.all), []);
    assert_eq!(kinds(&drive.last), ["closing", "ended"]);
    let tail: Vec<_> = drive.last.iter().rev().take(3).collect();
    assert!(matches!(
        tail[..],
        [
            Output::Finish { .. },
            Output::ClosePeer { .. },
            Output::CloseLink { .. }
        ]
    ));
}

#[test]
fn a_participant_who_drops_before_the_beginning_may_come_again() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1).up().media(MediaFact::Lost).ready();
    assert_eq!(drive.session.state(), State::Waiting);
    drive.wait_s(50).offer(2).up();
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn a_greeting_that_was_asked_for_before_the_drop_is_not_said_twice() {
    let mut drive = Drive::begun(plan(), FULL);
    drive.offer(2).up();
    drive
        .respond("a1", "Hello, I am an AI.", 900)
        .play("a1", 900);
    drive.wait_s(5);
    assert_eq!(said(&drive.all).len(), 1);
}

/// Between these moments nothing of the participant arrived.
fn gap(drive: &Drive, from_s: u64, to_s: u64) -> MediaFact {
    let ago = |s| drive.now - Duration::from_secs(s);
    MediaFact::NetworkGap {
        from: ago(from_s),
        to: ago(to_s),
    }
}

fn gaps(outputs: &[Output]) -> Vec<(u64, u64)> {
    let gap = |output: &Output| match output {
        Output::Journal(Entry::NetworkGap { from_ms, to_ms }) => Some((*from_ms, *to_ms)),
        _ => None,
    };
    outputs.iter().filter_map(gap).collect()
}

#[test]
fn a_gap_of_the_network_is_marked_on_the_timeline_and_changes_nothing() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.wait_s(20).input(Input::Timeout);
    let before = (drive.session.snapshot(), drive.session.deadline());
    let fact = gap(&drive, 9, 2);
    drive.media(fact);
    let [(from_ms, to_ms)] = gaps(&drive.last)[..] else {
        panic!("one mark: {:?}", drive.last)
    };
    assert_eq!(drive.last.len(), 1, "and nothing else: {:?}", drive.last);
    assert_eq!((drive.session.snapshot(), drive.session.deadline()), before);
    assert_eq!(to_ms - from_ms, 7_000);
    // What else is on the timeline of the recording: a mark of this very moment.
    drive.input(Input::Participant(Request::Mute));
    let timeline_ms = to_ms + 2_000;
    let muted = Entry::Muted {
        muted: true,
        timeline_ms,
    };
    assert_eq!(drive.last[0], Output::Journal(muted));
}

#[test]
fn a_gap_of_an_older_connection_or_before_any_audio_is_not_marked() {
    let mut drive = Drive::greeted(plan(), FULL);
    let fact = gap(&drive, 3, 1);
    drive.offer(2).input(Input::Media(PeerNo(1), fact.clone()));
    assert_eq!(drive.session.snapshot().stale_facts, 1);
    drive.media(fact);
    assert_eq!(gaps(&drive.all), []);
}

#[test]
fn a_network_that_stutters_does_not_fill_the_journal() {
    let mut drive = Drive::greeted(plan(), FULL);
    for _ in 0..300 {
        let fact = gap(&drive, 2, 1);
        drive.media(fact);
    }
    assert_eq!(gaps(&drive.all).len(), 200);
}
