//! A whole session with a caller who only listens: link, greeting, silence, the end on request, what is kept.

use engine::ids::PeerNo;
use engine::session::State;
use sim::provider::SimConfig;

use crate::harness::{Caller, house};

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
    caller.say(r#"{"type":"end"}"#).await;
    caller.until_type("ended").await;
    house.ended(&id).await;
    house.idle().await;
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
