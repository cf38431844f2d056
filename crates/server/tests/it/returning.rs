//! Who comes back goes on: after a deploy, after the process died, after the window, and not for ever.

use engine::ids::{ItemId, PeerNo, PhaseId, SessionId, TurnNo};
use engine::journal::{Entry, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::Speaker;
use engine::session::State;
use server::session::OfferRefusal;
use sim::provider::SimConfig;
use store::Store;

use crate::harness::{Caller, House, house, house_with};

async fn kinds(house: &House, id: &SessionId) -> Vec<String> {
    let rows = house.journal(id).await;
    rows.into_iter().map(|row| row.kind).collect()
}

async fn greetings(house: &House, id: &SessionId) -> usize {
    let turns = house.app().store.turns(id).await.unwrap();
    let hello = |turn: &&store::TurnRow| turn.text.contains("Hello.");
    turns.iter().filter(hello).count()
}

/// The interviewer was heard to the end of its first turn.
async fn first_turn(house: &House, id: &SessionId) -> Caller {
    let mut caller = Caller::join(house, id).await.unwrap();
    caller
        .until("the first whole turn", |text| {
            text["type"] == "caption" && text["final"] == true
        })
        .await;
    caller
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interview_survives_a_deploy() {
    let house = house_with(SimConfig::instant(), |config| {
        config.shutdown.deadline_ms = 2_000
    })
    .await;
    let (id, _) = house.invite().await;
    let mut caller = first_turn(&house, &id).await;
    let house = {
        let (house, told) = tokio::join!(house.deploy(), caller.until_type("trouble"));
        assert_eq!(told["code"], "server_restarts", "the page is told");
        house
    };
    let row = house.row(&id).await;
    assert_eq!((row.state, row.outcome), (State::Paused, None), "{row:?}");
    let mut again = Caller::join(&house, &id).await.unwrap();
    again
        .until("the interview to go on", |text| {
            text["type"] == "state" && text["state"] == "active"
        })
        .await;
    again.hears_more(25).await;
    again.say(r#"{"type":"end"}"#).await;
    again.until_type("ended").await;
    house.ended(&id).await;
    assert_eq!(
        greetings(&house, &id).await,
        1,
        "the greeting is not repeated"
    );
    let turns = house.app().store.turns(&id).await.unwrap();
    assert!(turns.len() >= 3, "{turns:#?}");
    assert!(
        turns
            .windows(2)
            .all(|pair| pair[0].end_ms <= pair[1].start_ms + 50),
        "one timeline: {turns:#?}"
    );
    let kinds = kinds(&house, &id).await;
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!(
        (count("paused"), count("resumed"), count("ended")),
        (1, 1, 1)
    );
    let chunks = house.app().store.chunks(&id).await.unwrap();
    let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.no).collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
    house.until_report(&id).await;
    let recording = house.until_recording(&id).await;
    let last_ms = turns.iter().map(|turn| turn.end_ms).max().unwrap();
    assert!(
        recording.duration_ms + 50 >= last_ms,
        "{} of {last_ms} ms",
        recording.duration_ms
    );
    house.idle().await;
    house.close().await;
}

/// A journal as a process leaves it that dies in the middle of an interview.
pub(crate) async fn die_in_the_middle(store: &Store, id: &SessionId) {
    let epoch = store.claim_session(id, "node").await.unwrap();
    let phase = PhaseId::from("warmup");
    let entered = Entry::PhaseEntered {
        phase: phase.clone(),
        cause: MoveCause::Start,
        timeline_ms: 0,
    };
    let turn = Turn {
        turn: TurnNo(1),
        speaker: Speaker::Interviewer,
        item: ItemId::from("item"),
        phase,
        start_ms: 0,
        end_ms: 900,
        text: "Hello.".to_owned(),
        unheard: String::new(),
        ending: TurnEnding::Complete,
    };
    let up = Entry::PeerUp { peer: PeerNo(1) };
    store
        .append(id, epoch, vec![up, entered, Entry::Turn(turn)])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_running_waits_for_its_participant() {
    let house = house(SimConfig::instant()).await;
    let ((said, _), (silent, _)) = (house.invite().await, house.invite().await);
    let store = &house.app().store;
    die_in_the_middle(store, &said).await;
    let epoch = store.claim_session(&silent, "node").await.unwrap();
    store
        .append(&silent, epoch, vec![Entry::PeerUp { peer: PeerNo(1) }])
        .await
        .unwrap();
    let house = house.deploy().await;
    assert_eq!(house.row(&said).await.state, State::Paused);
    assert_eq!(house.row(&silent).await.outcome, None);
    let mut caller = Caller::join(&house, &said).await.unwrap();
    caller.hears_more(25).await;
    caller.say(r#"{"type":"end"}"#).await;
    caller.until_type("ended").await;
    house.ended(&said).await;
    assert_eq!(greetings(&house, &said).await, 1);
    let mut fresh = Caller::join(&house, &silent).await.unwrap();
    fresh.hears_more(25).await;
    house.app().registry.end(&silent).await.unwrap();
    house.ended(&silent).await;
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_half_written_is_written_to_its_end() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let store = &house.app().store;
    die_in_the_middle(store, &id).await;
    let epoch = house.row(&id).await.epoch;
    let closing = Entry::Closing {
        outcome: Outcome::Complete,
        timeline_ms: 950,
    };
    store.append(&id, epoch, vec![closing]).await.unwrap();
    let house = house.deploy().await;
    let row = house.row(&id).await;
    assert_eq!((row.outcome, row.owner), (Some(Outcome::Complete), None));
    let refused = Caller::join(&house, &id).await;
    assert!(matches!(refused, Err(OfferRefusal::Ended)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_the_window_but_within_the_study_s_goes_on_and_the_report_is_made_anew() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut start = house.start_of(&id).await;
    start.plan.limits.recovery = std::time::Duration::from_millis(300);
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    caller
        .until("the first whole turn", |text| {
            text["type"] == "caption" && text["final"] == true
        })
        .await;
    caller.leave().await;
    assert_eq!(house.ended(&id).await, Outcome::Partial);
    house.until_report(&id).await;
    let before = house.app().store.turns(&id).await.unwrap();
    assert!(
        before.len() >= 2,
        "the closing statement is on record: {before:#?}"
    );
    house.idle().await;
    let mut again = Caller::join(&house, &id).await.unwrap();
    again.hears_more(25).await;
    assert_eq!(house.row(&id).await.outcome, None);
    again.say(r#"{"type":"end"}"#).await;
    again.until_type("ended").await;
    house.ended(&id).await;
    house.until_report(&id).await;
    let after = house.app().store.turns(&id).await.unwrap();
    assert!(
        after.len() > before.len() && after[..before.len()] == before[..],
        "{after:#?}"
    );
    let refused = Caller::join(&house, &id).await;
    assert!(
        matches!(refused, Err(OfferRefusal::Ended)),
        "who ended it ended it"
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_over_ends_the_interview_as_partial() {
    let house = house(SimConfig::instant()).await;
    let source = include_str!("../../../../studies/remote-work-tools.yaml")
        .replace("resume_hours: 24", "resume_hours: 0");
    let (id, _) = house.invite_to(&source).await;
    die_in_the_middle(&house.app().store, &id).await;
    let house = house.deploy().await;
    assert_eq!(house.ended(&id).await, Outcome::Partial);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_pages_the_newer_wins_and_the_older_is_told() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut older = first_turn(&house, &id).await;
    let mut newer = Caller::join(&house, &id).await.unwrap();
    older.until_type("replaced").await;
    newer.hears_more(25).await;
    newer.ends(&house, &id).await;
    house.close().await;
}
