//! A provider that is slow, stalls, drops connections and goes away altogether under several interviews at once.

use std::time::Duration;

use engine::ids::SessionId;
use engine::journal::Outcome;
use engine::session::State;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::participant::{self, Ears, Manners, ParticipantConfig};
use sim::provider::{Fault, FaultKind, Latency, SimConfig, Sockets, Strike, When};
use store::{JournalRow, NewStudy};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::{Api, body};
use crate::harness::{House, PATIENCE, house_with};

const STUDY: &str = include_str!("../../../../studies/remote-work-tools.yaml");
const INTERVIEWS: usize = 8;
/// Connections that are refused while the provider is gone: the quick tries of each interview, and slow ones after them.
const REFUSED: usize = 5 * INTERVIEWS;
/// All of it, in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(300);

/// A provider at one address, whether it is there or not.
struct Provider {
    listener: std::net::TcpListener,
    sockets: Sockets,
    stop: CancellationToken,
}

impl Provider {
    /// Is there, and behaves like this.
    fn serve(listener: std::net::TcpListener, config: SimConfig) -> Provider {
        let (sockets, stop) = (Sockets::default(), CancellationToken::new());
        let ours = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
        drop(sim::provider::serve_with(
            ours,
            config,
            sockets.clone(),
            stop.clone(),
        ));
        Provider {
            listener,
            sockets,
            stop,
        }
    }

    /// Goes away until so many have asked for it in vain.
    async fn gone(self, until: usize) -> std::net::TcpListener {
        self.stop.cancel();
        let listener = TcpListener::from_std(self.listener).unwrap();
        for _ in 0..until {
            drop(listener.accept().await.unwrap());
        }
        listener.into_std().unwrap()
    }
}

/// It takes its time, and some connections come to no good from their beginning.
fn slow_and_faulty() -> SimConfig {
    let fault = |connection, kind| Fault {
        when: When::Connection(connection),
        kind,
    };
    SimConfig {
        latency: Latency {
            first_audio_ms: 900,
            transcript_ms: 1_200,
            http_ms: 0,
        },
        faults: vec![
            fault(2, FaultKind::CloseAtOnce),
            fault(3, FaultKind::Stall),
            fault(5, FaultKind::DropAfterEvents(30)),
            fault(7, FaultKind::DropAfterEvents(120)),
        ],
        ..SimConfig::instant()
    }
}

fn participants(
    links: Vec<String>,
    stop: &CancellationToken,
) -> JoinSet<Result<participant::ParticipantReport, String>> {
    let mut people = JoinSet::new();
    for (seed, link) in (1..).zip(links) {
        let config = ParticipantConfig {
            link,
            persona: "maya".to_owned(),
            start_after: Duration::ZERO,
            seed,
            ears: Ears::Captions,
            manners: Manners::Patient,
            deadline: LONG,
            local_ip: None,
            patience: PATIENCE,
        };
        let stop = stop.clone();
        people.spawn(async move {
            let went = participant::run(config, stop, |_| {}).await;
            went.map_err(|error| error.to_string())
        });
    }
    people
}

fn count(rows: &[JournalRow], kind: &str) -> usize {
    rows.iter().filter(|row| row.kind == kind).count()
}

/// Whether the participant said something after the last link came up.
fn has_answered(rows: &[JournalRow]) -> bool {
    let since = rows.rsplitn(2, |row| row.kind == "link_up").next();
    let linked = rows.iter().any(|row| row.kind == "link_up");
    let said = |row: &JournalRow| row.kind == "turn" && row.body["speaker"] == "participant";
    linked && since.is_some_and(|since| since.iter().any(said))
}

/// Waits until all journals are so.
async fn until(
    house: &House,
    all: &[SessionId],
    what: &str,
    holds: impl Fn(&[JournalRow]) -> bool,
) {
    let mut look = interval(Duration::from_millis(100));
    let found = async {
        for id in all {
            while !holds(&house.journal(id).await) {
                look.tick().await;
            }
        }
    };
    if timeout(LONG, found).await.is_err() {
        let journals = join_all(all.iter().map(|id| house.journal(id))).await;
        panic!("waited for {what}: {journals:#?}");
    }
}

/// Links of as many whole interviews, and their ids.
async fn invitations(house: &House) -> (Vec<SessionId>, Vec<String>) {
    let study = server::study::parse(STUDY).unwrap();
    let new = NewStudy {
        study_id: study.id.clone(),
        title: study.title.clone(),
        source: STUDY.to_owned(),
    };
    house.app().store.put_study(new).await.unwrap();
    let path = format!("/api/v1/studies/{}/sessions", study.id);
    let wanted = json!({ "length": "full", "count": INTERVIEWS });
    let made = body(Api::new(house).console_post(&path, &wanted).await).await;
    let made = made["sessions"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ids = made.iter().map(|one| SessionId::from(text(&one["id"])));
    let base = format!("http://{}/i#", house.running.http_addr());
    let link = |one: &Value| format!("{base}{}", text(&one["link"]).rsplit('#').next().unwrap());
    (ids.collect(), made.iter().map(link).collect())
}

/// How often each has lost its link so far.
async fn losses(house: &House, all: &[SessionId]) -> Vec<usize> {
    let journals = join_all(all.iter().map(|id| house.journal(id))).await;
    journals
        .iter()
        .map(|rows| count(rows, "link_gone"))
        .collect()
}

/// Two are cut off, two become silent, two hang; two are left alone. Waits until that was noticed by all whom it hit.
async fn strike(house: &House, all: &[SessionId], sockets: &Sockets) {
    let before = losses(house, all).await;
    let stall = Strike::Fault(FaultKind::Stall);
    let blows = [Strike::Cut, Strike::HalfOpen, stall].into_iter().cycle();
    let open = sockets.open();
    let struck = open.into_iter().zip(blows).take(INTERVIEWS - 2);
    let struck = struck.filter(|(socket, blow)| sockets.strike(*socket, *blow));
    let struck = struck.count();
    assert!(struck >= INTERVIEWS / 2, "{struck}");
    let mut look = interval(Duration::from_millis(100));
    let noticed = async {
        loop {
            let now = losses(house, all).await;
            let hit = now.iter().zip(&before).filter(|(now, then)| now > then);
            if hit.count() >= struck {
                return;
            }
            look.tick().await;
        }
    };
    timeout(LONG, noticed).await.expect("all blows are noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_slow_stalls_or_goes_away_under_many_loses_no_interview() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let provider = Provider::serve(listener, slow_and_faulty());
    let house = house_with(SimConfig::instant(), |config| {
        config.provider.openai_base_url = url;
    })
    .await;
    let (all, links) = invitations(&house).await;
    let stop = CancellationToken::new();
    let mut people = participants(links, &stop);
    until(&house, &all, "first answers", has_answered).await;
    assert!(losses(&house, &all).await.iter().sum::<usize>() >= 3);

    strike(&house, &all, &provider.sockets).await;
    until(&house, &all, "answers after the blows", has_answered).await;

    let before = losses(&house, &all).await;
    let listener = provider.gone(REFUSED).await;
    let back = Provider::serve(listener, slow_and_faulty());
    for (id, losses) in all.iter().zip(before) {
        let lost_and_answered =
            |rows: &[JournalRow]| count(rows, "link_gone") > losses && has_answered(rows);
        until(
            &house,
            std::slice::from_ref(id),
            "an answer after all",
            lost_and_answered,
        )
        .await;
    }

    for id in &all {
        assert_eq!(house.row(id).await.state, State::Active);
        house.app().registry.end(id).await.unwrap();
    }
    for id in &all {
        let outcome = house.ended(id).await;
        assert!(
            matches!(outcome, Outcome::Complete | Outcome::Partial),
            "{outcome:?}"
        );
    }
    while let Some(went) = people.join_next().await {
        went.unwrap().unwrap();
    }
    let metrics = house.app().metrics.text();
    for none in [
        "losses_total{cause=\"provider\"} 0\n",
        "losses_total{cause=\"fault\"} 0\n",
        "session_panics_total 0\n",
    ] {
        assert!(metrics.contains(none), "{none} {metrics}");
    }
    house.idle().await;
    back.stop.cancel();
    house.close().await;
}
