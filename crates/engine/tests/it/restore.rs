//! Sessions that outlive their process: parked or killed, and made again from what the journal says.

use std::time::Duration;

use engine::ids::{LinkNo, PeerNo};
use engine::journal::{Entry, Outcome};
use engine::link::LinkEvent;
use engine::session::{Input, MediaFact, Output, Past, Session, State, Timer};
use engine::time::Mono;

use crate::drive::*;
use crate::walk::world::World;

fn entries(outputs: &[Output]) -> Vec<Entry> {
    let entry = |output: &Output| match output {
        Output::Journal(entry) => Some(entry.clone()),
        _ => None,
    };
    outputs.iter().filter_map(entry).collect()
}

/// The process dies, and another one begins: what is left is the journal.
fn killed(drive: &Drive) -> Drive {
    let mut next = Drive::new(plan(), FULL);
    next.now = Mono::from_millis(5_000);
    let past = Past::read(&entries(&drive.all));
    next.session = Session::restore(next.now, plan(), FULL, past);
    next
}

/// Two questions into the interview, a minute of it spent.
fn in_the_middle() -> Drive {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .say("u1", "I sell bicycles.", 4_000)
        .respond_with(
            "a1",
            "How do you sell them?",
            2_000,
            &[("cover_topic", r#"{"topic":"role"}"#)],
        )
        .play("a1", 2_000)
        .wait_s(20);
    drive
}

#[test]
fn who_comes_back_after_the_server_died_goes_on_where_it_was() {
    let before = in_the_middle();
    let mut drive = killed(&before);
    assert_eq!(drive.session.state(), State::Paused);
    drive.offer(2);
    let (_, config) = opened(&drive.all).pop().unwrap();
    let heard: Vec<&str> = config
        .history
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    assert_eq!(
        heard,
        [
            "Hello, I am an AI. What about role?",
            "I sell bicycles.",
            "How do you sell them?"
        ]
    );
    assert!(
        config
            .instructions
            .contains("[role] (required, verbatim, covered)")
    );
    drive.ready().up();
    assert_eq!(drive.session.state(), State::Active);
    assert_eq!(
        said(&drive.all).last().unwrap(),
        "The connection was interrupted. Welcome the participant back in a few words, then repeat your last question in the same words."
    );
    drive
        .respond("b1", "How do you sell them?", 2_000)
        .play("b1", 2_000);
    let turn = drive.turns().pop().unwrap();
    let last = before.turns().pop().unwrap();
    assert_eq!(turn.turn, last.turn.next(), "numbers go on");
    assert!(turn.start_ms >= last.end_ms, "and so does the timeline");
}

#[test]
fn the_greeting_is_not_repeated_and_an_answer_is_gone_on_from() {
    let mut before = Drive::greeted(plan(), FULL);
    before.say("u1", "I sell bicycles.", 4_000);
    let mut drive = killed(&before);
    drive.offer(2).ready().up();
    assert_eq!(
        said(&drive.all),
        [
            "The connection was interrupted. Welcome the participant back in a few words, then go on from what was said."
        ]
    );
}

#[test]
fn a_link_that_is_slower_than_the_participant_is_waited_for() {
    let mut drive = killed(&in_the_middle());
    drive.offer(2).up();
    assert_eq!(drive.session.state(), State::Active);
    assert_eq!(said(&drive.all), [] as [String; 0]);
    drive.ready();
    assert_eq!(said(&drive.all).len(), 1);
}

#[test]
fn a_return_that_comes_to_nothing_leaves_the_session_as_it_was() {
    let mut drive = killed(&in_the_middle());
    drive.offer(2).ready();
    assert!(
        drive
            .wait(Duration::from_secs(121))
            .contains(&Timer::Recovery)
    );
    assert_eq!(drive.last.last(), Some(&Output::Park));
    assert_eq!(drive.session.state(), State::Paused);
    assert!(
        drive.last.contains(&Output::CloseLink { link: LinkNo(2) }),
        "it costs nothing"
    );
    assert_eq!(kinds(&drive.all), ["link_up"], "nothing is over");
    drive.input(Input::PeerOffered(PeerNo(3)));
    assert_eq!(drive.last, [], "it is another process's now");
}

#[test]
fn a_parked_interview_is_paused_first() {
    let mut drive = in_the_middle();
    drive.input(Input::Park);
    assert_eq!(kinds(&drive.last), ["peer_lost", "paused"]);
    assert_eq!(drive.last.last(), Some(&Output::Park));
    let mut next = killed(&drive);
    next.offer(2).ready().up();
    assert_eq!(next.session.state(), State::Active);
}

#[test]
fn time_that_was_spent_is_not_given_again() {
    let before = in_the_middle();
    let (spent, phase) = (
        before.session.snapshot().elapsed,
        before.session.snapshot().phase,
    );
    let mut drive = killed(&before);
    drive.wait_s(3_000).offer(2).ready().up();
    let after = drive.session.snapshot();
    assert_eq!(after.phase, phase);
    // The journal's last entry is where the timeline ends: what came after it is not known.
    assert!(after.elapsed <= spent && after.elapsed + Duration::from_secs(25) > spent);
    let (at, _) = drive.session.deadline().unwrap();
    assert!(at > drive.now);
    drive.session.handle(
        drive.now + Duration::from_secs(3_601),
        Input::Timeout,
        &mut drive.all,
    );
    assert_ne!(
        drive.session.state(),
        State::Active,
        "the hard limit counts both processes"
    );
}

#[test]
fn a_link_that_dies_while_nobody_is_there_is_opened_for_who_comes_back() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .media(MediaFact::Lost)
        .gone(engine::link::FaultCategory::Retryable)
        .wait_s(60);
    assert_eq!(drive.session.state(), State::Paused);
    assert_eq!(opened(&drive.all).len(), 1, "nothing is paid for meanwhile");
    drive.offer(2);
    assert_eq!(opened(&drive.all).len(), 2);
    drive.ready().up();
    assert_eq!(drive.session.state(), State::Active);
}

#[test]
fn the_closing_statement_has_a_link_even_if_the_first_one_died() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .media(MediaFact::Lost)
        .gone(engine::link::FaultCategory::Retryable)
        .wait_s(121);
    assert_eq!(drive.session.state(), State::Closing);
    drive.ready();
    assert_eq!(said(&drive.last).len(), 1);
    drive
        .respond("bye", "Thank you, goodbye.", 1_000)
        .play("bye", 1_000);
    assert_eq!(drive.outcome(), Some(Outcome::Partial));
}

/// Random interviews, killed at a random moment again and again: what the journal said is what the next one knows.
#[test]
fn nothing_that_was_written_is_lost_or_doubled_however_often_the_server_dies() {
    let mut kills = 0;
    for seed in 0..200 {
        let mut world = World::new(0xDEAD + seed);
        let (plan, capabilities) = world.begin();
        let mut session = Session::new(world.now, plan.clone(), capabilities);
        let mut journal: Vec<Entry> = Vec::new();
        for step in 1..2_000_u64 {
            let (now, input) = world.next(session.deadline());
            let mut outputs = Vec::new();
            session.handle(now, input, &mut outputs);
            world.observe(&outputs);
            journal.extend(entries(&outputs));
            if session.state() == State::Ended {
                break;
            }
            if (step * 2_654_435_761 + seed) % 97 == 0 {
                kills += 1;
                let past = Past::read(&journal);
                let before = session.snapshot();
                session = Session::restore(world.now, plan.clone(), capabilities, past);
                let after = session.snapshot();
                assert_eq!(
                    (after.cost, &after.covered, &after.phase),
                    (before.cost, &before.covered, &before.phase)
                );
                assert_eq!(after.phase.is_some(), after.state == State::Paused);
            }
        }
        let mut turns: Vec<u32> = Vec::new();
        for entry in &journal {
            if let Entry::Turn(turn) = entry {
                assert!(!turns.contains(&turn.turn.0), "turn {} twice", turn.turn);
                turns.push(turn.turn.0);
            }
        }
    }
    assert!(kills > 500, "{kills} kills prove little");
}

#[test]
fn an_interview_that_had_not_begun_begins_on_the_same_timeline() {
    let past = Past {
        timeline_ms: 7_000,
        ..Past::default()
    };
    let mut drive = Drive::new(plan(), FULL);
    drive.session = Session::restore(drive.now, plan(), FULL, past);
    assert_eq!(drive.session.state(), State::Invited);
    drive.offer(1).ready().up();
    drive.link(LinkEvent::SpeechStarted { item: "x".into() });
    let started = entries(&drive.all)
        .into_iter()
        .find_map(|entry| match entry {
            Entry::PhaseEntered { timeline_ms, .. } => Some(timeline_ms),
            _ => None,
        });
    assert_eq!(started, Some(7_000));
}

#[test]
fn a_gap_of_the_network_says_nothing_of_the_past_but_how_late_it_was() {
    let drive = in_the_middle();
    let mut written = entries(&drive.all);
    let without = Past::read(&written);
    let (from_ms, to_ms) = (1_000, 3_000);
    written.push(Entry::NetworkGap { from_ms, to_ms });
    assert_eq!(
        Past::read(&written),
        without,
        "what comes before the end changes nothing"
    );
    let to_ms = without.timeline_ms + 5_000;
    written.push(Entry::NetworkGap { from_ms, to_ms });
    let with = Past::read(&written);
    assert_eq!(with.timeline_ms, to_ms, "nothing is put before it");
    assert_eq!(
        (with.turns, with.peer, with.end),
        (without.turns, without.peer, without.end)
    );
}
