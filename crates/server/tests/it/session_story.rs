//! Whole sessions: one with a synthetic participant from link to report, others with a caller who mostly listens.

use std::time::Duration;

use engine::ids::PeerNo;
use engine::journal::Outcome;
use engine::link::Speaker;
use engine::session::State;
use sim::participant::{self, Ears, Manners, ParticipantConfig};
use sim::provider::SimConfig;
use tokio_util::sync::CancellationToken;

use crate::harness::{Caller, house};

/// A rehearsal of it has five questions, whose answers are in the corpus of rendered speech.
const STUDY: &str = include_str!("../../../../studies/remote-work-tools.yaml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_is_interviewed_from_link_to_report() {
    let house = house(SimConfig::default()).await;
    let (id, secret) = house.invite_to(STUDY).await;
    let config = ParticipantConfig {
        link: format!("http://{}/i#{secret}", house.running.http_addr()),
        persona: "maya".to_owned(),
        start_after: Duration::ZERO,
        seed: 7,
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline: Duration::from_secs(400),
        local_ip: None,
        patience: Duration::ZERO,
    };
    let went = participant::run(config, CancellationToken::new(), |_| {})
        .await
        .unwrap();
    assert_eq!(went.outcome, "complete", "{went:#?}");
    assert_eq!(house.ended(&id).await, Outcome::Complete);
    let store = &house.app().store;
    let turns = store.turns(&id).await.unwrap();
    let said: Vec<&str> = turns
        .iter()
        .filter(|turn| turn.speaker == Speaker::Participant)
        .map(|turn| turn.text.as_str())
        .collect();
    assert!(
        said.len() >= went.phases.len() && said.iter().all(|text| !text.is_empty()),
        "{turns:#?}"
    );
    assert!(turns.is_sorted_by_key(|turn| turn.start_ms), "{turns:#?}");
    let covered = store.covered(&id).await.unwrap();
    assert_eq!(
        covered.len(),
        went.phases.len(),
        "a rehearsal asks one question per phase: {covered:?}"
    );
    let row = house.row(&id).await;
    assert!(
        row.cost_micro_usd > 0 && row.first_voice_ms.is_some(),
        "{row:?}"
    );
    house.until_report(&id).await;
    let recording = house.until_recording(&id).await;
    let length_ms = row.duration_ms.unwrap();
    assert!(
        recording.duration_ms.abs_diff(length_ms) < 3_000,
        "{} against {length_ms}",
        recording.duration_ms
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_greeted_recorded_and_let_go() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    let caption = caller.until_type("caption").await;
    assert_eq!(caption["speaker"], "interviewer");
    caller.hears_more(100).await;
    caller.say(r#"{"type":"end"}"#).await;
    let ended = caller.until_type("ended").await;
    assert!(ended["completion"]["message"].is_string(), "{ended}");
    house.ended(&id).await;
    let app = house.app();
    let kinds: Vec<String> = house
        .journal(&id)
        .await
        .into_iter()
        .map(|row| row.kind)
        .collect();
    for kind in ["peer_up", "link_up", "phase_entered", "turn", "ended"] {
        assert!(
            kinds.iter().any(|known| known == kind),
            "{kind} is not in {kinds:?}"
        );
    }
    let row = house.row(&id).await;
    assert!(row.first_voice_ms.is_some(), "{row:?}");
    let chunks = app.store.chunks(&id).await.unwrap();
    let recorded_ms = chunks.iter().map(|chunk| chunk.end_ms).max().unwrap();
    assert!(
        recorded_ms >= 2_000,
        "two seconds were heard, {recorded_ms} ms are recorded"
    );
    let jobs = app
        .store
        .jobs(store::JobFilter {
            session_id: Some(id.clone()),
            ..store::JobFilter::default()
        })
        .await
        .unwrap();
    assert!(
        jobs.iter()
            .any(|job| job.kind == server::session::FINISH_RECORDING),
        "{jobs:?}"
    );
    let metrics = app.metrics.text();
    assert!(
        metrics.contains("colloquy_first_voice_seconds_count 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("colloquy_sessions_live 1")
            || metrics.contains("colloquy_sessions_live 0"),
        "{metrics}"
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_without_udp_is_no_obstacle() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join_over_tcp(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    caller.hears_more(25).await;
    caller.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_who_comes_back_hears_the_interviewer_again() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.hears_more(25).await;
    house
        .app()
        .registry
        .close_peer(&id, PeerNo(1))
        .await
        .unwrap();
    house.until_state(&id, State::Paused).await;
    drop(caller);
    let mut again = Caller::join(&house, &id).await.unwrap();
    again.say(r#"{"type":"repeat"}"#).await;
    again.hears_more(25).await;
    again.say(r#"{"type":"end"}"#).await;
    again.until_type("ended").await;
    house.ended(&id).await;
    let peers: Vec<_> = house
        .journal(&id)
        .await
        .into_iter()
        .filter(|row| row.kind == "peer_up")
        .collect();
    assert_eq!(peers.len(), 2, "{peers:?}");
    house.idle().await;
    house.close().await;
}
