//! All participants of a real server are gone in one moment, without a word: whoever made the load was killed.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sim::provider::SimConfig;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::killed::{PATIENCE, STUDY, Server, TOKEN, of_kind};

const SESSIONS: usize = 4;

/// Lines of `/metrics` about what is alive, and how often an interview was lost because of us.
async fn standing(server: &Server) -> BTreeSet<String> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/metrics", server.base);
    let text = http.get(url).send().await.unwrap().text().await.unwrap();
    let about = [
        "colloquy_alive{",
        "colloquy_sessions_live ",
        "colloquy_session_panics_total ",
        "colloquy_losses_total{cause=\"fault\"}",
        "colloquy_losses_total{cause=\"provider\"}",
        "colloquy_dead_letters ",
    ];
    let standing: BTreeSet<String> = text
        .lines()
        .filter(|line| about.iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
        .collect();
    assert!(standing.len() > about.len() + 3, "{text}");
    standing
}

async fn sessions(server: &Server) -> Vec<Value> {
    let listed = server.get("sessions").await;
    listed["sessions"].as_array().unwrap().clone()
}

/// How many interviews have an answer of their participant.
async fn answered(server: &Server) -> usize {
    let mut answered = 0;
    for session in sessions(server).await {
        let journal = server.journal(session["id"].as_str().unwrap()).await;
        let turns = of_kind(&journal, "turn");
        let said = |turn: &&Value| turn["body"]["speaker"] == "participant";
        answered += usize::from(turns.iter().any(said));
    }
    answered
}

/// Work that waits or is under way.
async fn open_jobs(server: &Server) -> u64 {
    let lanes = server.get("lanes").await;
    let lanes = lanes["lanes"].as_array().unwrap();
    let open = |lane: &Value| lane["ready"].as_u64().unwrap() + lane["leased"].as_u64().unwrap();
    lanes.iter().map(open).sum()
}

async fn until(server: &Server, what: &str, mut holds: impl AsyncFnMut(&Server) -> bool) {
    let mut look = interval(Duration::from_millis(250));
    let waiting = async {
        while !holds(server).await {
            look.tick().await;
        }
    };
    if timeout(PATIENCE, waiting).await.is_err() {
        let sessions = sessions(server).await;
        panic!(
            "waited for {what}: {:#?} {sessions:#?}",
            standing(server).await
        );
    }
}

/// Takes three minutes: 25 s until a silent connection is given up, 120 s in which its participant could come back, and
/// the last words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_whoever_makes_the_load_is_killed_the_server_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = format!("http://{}/v1", listener.local_addr().unwrap());
    let simulator = CancellationToken::new();
    let config = SimConfig::instant();
    drop(sim::provider::serve(listener, config, simulator.clone()));
    let server = Server::start(folder.path(), &provider).await;
    server.post("studies", "text/yaml", STUDY.to_owned()).await;
    let before = standing(&server).await;

    let mut load = Command::new(env!("CARGO_BIN_EXE_colloquy"))
        .args(["load", "--url", &server.base, "--token", TOKEN])
        .args(["--sessions", &SESSIONS.to_string(), "--ramp", "1s"])
        .args(["--duration", "1h", "--drop-share", "0", "--sample", "0"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until(&server, "answers of all", async |server| {
        answered(server).await == SESSIONS
    })
    .await;
    let live = format!("colloquy_sessions_live {SESSIONS}");
    assert!(standing(&server).await.contains(&live));
    // SIGKILL: nobody says goodbye.
    load.kill().await.unwrap();

    until(&server, "the end of all", async |server| {
        standing(server).await == before && open_jobs(server).await == 0
    })
    .await;
    let ended = sessions(&server).await;
    assert_eq!(ended.len(), SESSIONS);
    for session in ended {
        assert_eq!(
            (&session["state"], &session["outcome"]),
            (&"ended".into(), &"partial".into()),
            "{session:#}"
        );
        let journal = server.journal(session["id"].as_str().unwrap()).await;
        for (kind, times) in [("paused", 1), ("resumed", 0), ("ended", 1)] {
            assert_eq!(of_kind(&journal, kind).len(), times, "{kind}: {journal:#?}");
        }
        assert_eq!(session["report"], "ready", "{session:#}");
    }
    server.kill().await;
    simulator.cancel();
}
