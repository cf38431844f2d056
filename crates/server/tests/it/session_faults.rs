//! What goes wrong in one session stays in it, and is told.

use engine::journal::Outcome;
use engine::session::Request;
use server::boot;
use server::session::OfferRefusal;
use sim::provider::{Fault, FaultKind, SimConfig, When};
use tokio::net::UdpSocket;

use crate::bugs::{PANICS_ON_A_FRAME, PANICS_WHEN_MADE};
use crate::harness::{Caller, config, house, house_with};

fn faulty(kind: FaultKind) -> SimConfig {
    SimConfig {
        faults: vec![Fault {
            when: When::Always,
            kind,
        }],
        ..SimConfig::instant()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_panics_ends_alone() {
    let house = house(SimConfig::instant()).await;
    let ((sick, _), (well, _)) = (house.invite().await, house.invite().await);
    let mut well_caller = Caller::join(&house, &well).await.unwrap();
    well_caller.until_type("caption").await;
    let mut start = house.start_of(&sick).await;
    start.profile.id = PANICS_WHEN_MADE.to_owned();
    let mut sick_caller = Caller::join_as(&house, start).await.unwrap();
    let told = sick_caller.until_type("ended").await;
    assert_eq!(told["outcome"], "technical");
    assert_eq!(house.ended(&sick).await, Outcome::Technical);
    let metrics = house.app().metrics.text();
    assert!(
        metrics.contains("colloquy_session_panics_total 1"),
        "{metrics}"
    );
    // The other one neither ended nor fell silent.
    well_caller.say(r#"{"type":"repeat"}"#).await;
    well_caller.hears_more(25).await;
    house.app().registry.end(&well).await.unwrap();
    well_caller.until_type("ended").await;
    house.ended(&well).await;
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_panics_is_a_link_that_is_gone() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut start = house.start_of(&id).await;
    start.profile.id = PANICS_ON_A_FRAME.to_owned();
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    let ended = caller.until_type("ended").await;
    assert_eq!(ended["outcome"], "technical");
    assert_eq!(house.ended(&id).await, Outcome::Technical);
    let journal = house.journal(&id).await;
    assert!(
        journal.iter().any(|row| row.kind == "link_gone"),
        "{journal:?}"
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_told_and_ends_the_session_as_technical() {
    for kind in [FaultKind::RefuseKey, FaultKind::CloseInvalidKey] {
        let house = house(faulty(kind)).await;
        let (id, _) = house.invite().await;
        let mut caller = Caller::join(&house, &id).await.unwrap();
        let trouble = caller.until_type("trouble").await;
        assert_eq!(trouble["code"], "provider_trouble");
        let ended = caller.until_type("ended").await;
        assert_eq!(ended["outcome"], "technical");
        assert_eq!(house.ended(&id).await, Outcome::Technical);
        let journal = house.journal(&id).await;
        assert!(
            journal.iter().any(|row| row.kind == "link_gone"),
            "{journal:?}"
        );
        let metrics = house.app().metrics.text();
        assert!(
            !metrics.contains(
                "colloquy_provider_errors_total{provider=\"openai\",kind=\"misconfigured\"} 0"
            ),
            "{metrics}"
        );
        house.idle().await;
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_disturbs_nobody() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let media = house.running.media_addr();
    let mut random = 1_u32;
    for length in 0..2_000_usize {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let garbage: Vec<u8> = (0..length % 1_400)
            .map(|at| {
                random
                    .rotate_left(u32::try_from(at % 32).unwrap())
                    .to_le_bytes()[0]
            })
            .collect();
        stranger.send_to(&garbage, media).await.unwrap();
    }
    for strange in ["", "{}", "\u{0}", "[1,2]", r#"{"type":"format"}"#] {
        caller.say(strange).await;
    }
    caller.say(r#"{"type":"repeat"}"#).await;
    caller.hears_more(25).await;
    let refused = house
        .app()
        .registry
        .offer(house.start_of(&id).await, "v=nonsense".to_owned())
        .await;
    assert!(matches!(refused, Err(OfferRefusal::Bad(_))), "{refused:?}");
    caller.hears_more(25).await;
    house
        .app()
        .registry
        .request(&id, Request::End)
        .await
        .unwrap();
    caller.until_type("ended").await;
    house.ended(&id).await;
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_offer_leaves_no_trace() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let refused = house
        .app()
        .registry
        .offer(house.start_of(&id).await, "nonsense".to_owned())
        .await;
    assert!(matches!(refused, Err(OfferRefusal::Bad(_))), "{refused:?}");
    assert_eq!(house.row(&id).await.epoch.0, 0);
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newcomers_at_a_full_server_wait_in_line_and_who_returns_never_does() {
    let house = house_with(SimConfig::instant(), |config| {
        config.capacity.sessions_max = 1
    })
    .await;
    let ((first, _), (second, _)) = (house.invite().await, house.invite().await);
    let (third, _) = house.invite().await;
    let mut caller = Caller::join(&house, &first).await.unwrap();
    caller.until_type("caption").await;
    let refused = async |id| match Caller::join(&house, id).await {
        Err(OfferRefusal::Full { position, waiting }) => Some((position, waiting)),
        Err(_) | Ok(_) => None,
    };
    assert_eq!(refused(&second).await, Some((1, 1)));
    assert_eq!(refused(&third).await, Some((2, 2)));
    assert_eq!(refused(&second).await, Some((1, 2)), "the place is kept");
    assert_eq!(house.app().metrics.sessions_waiting.get(), 2);
    caller.leave().await;
    let mut again = Caller::join(&house, &first).await.unwrap();
    again.until_type("caption").await;
    house.app().registry.end(&first).await.unwrap();
    house.ended(&first).await;
    house.idle().await;
    assert_eq!(refused(&third).await, Some((2, 2)), "not out of turn");
    let mut next = Caller::join(&house, &second).await.unwrap();
    next.until_type("caption").await;
    house.app().registry.end(&second).await.unwrap();
    house.ended(&second).await;
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&folder);
    config.media.udp_addr = taken.local_addr().unwrap();
    let error = boot::start(config).await.err().unwrap().to_string();
    assert!(
        error.contains("UDP") && error.contains("media.udp_addr"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_recording_stops_nothing_and_what_was_kept_is_written_later() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    // A file where the folder should be refuses every write, as a full disk does.
    let recordings = house.folder.path().join("recordings");
    std::fs::remove_dir_all(&recordings).unwrap();
    std::fs::write(&recordings, "").unwrap();
    let mut caller = Caller::join(&house, &id).await.unwrap();
    let trouble = caller.until_type("trouble").await;
    assert_eq!(trouble["code"], "recording_trouble");
    caller.say(r#"{"type":"repeat"}"#).await;
    caller.hears_more(25).await;
    assert_eq!(house.app().store.chunks(&id).await.unwrap(), []);
    std::fs::remove_file(&recordings).unwrap();
    std::fs::create_dir(&recordings).unwrap();
    house.app().registry.end(&id).await.unwrap();
    caller.until_type("ended").await;
    house.ended(&id).await;
    let chunks = house.app().store.chunks(&id).await.unwrap();
    // From the first moment on, without a hole.
    assert_eq!(
        chunks.first().map(|chunk| chunk.start_ms),
        Some(0),
        "{chunks:?}"
    );
    for pair in chunks.windows(2) {
        assert_eq!(pair[0].no + 1, pair[1].no, "{chunks:?}");
    }
    assert!(
        !house
            .app()
            .metrics
            .text()
            .contains("colloquy_write_failures_total{kind=\"recording\"} 0")
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_provider_is_explained_aloud_and_replaced() {
    let stall = SimConfig {
        faults: vec![Fault {
            when: When::Connection(1),
            kind: FaultKind::Stall,
        }],
        ..SimConfig::instant()
    };
    let house = house(stall).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    loop {
        let caption = caller.until_type("caption").await;
        if caption["text"].as_str().unwrap().starts_with("One moment") {
            break;
        }
    }
    caller.hears_more(25).await;
    // The greeting, from the second link.
    loop {
        let caption = caller.until_type("caption").await;
        if !caption["text"].as_str().unwrap().starts_with("One moment") {
            break;
        }
    }
    house.app().registry.end(&id).await.unwrap();
    caller.until_type("ended").await;
    house.ended(&id).await;
    let journal = house.journal(&id).await;
    let links = journal.iter().filter(|row| row.kind == "link_up").count();
    assert_eq!(links, 2, "{journal:?}");
    house.idle().await;
    house.close().await;
}
