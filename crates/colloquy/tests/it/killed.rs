//! The real binary is killed in the middle of an interview, again and again; whoever comes back goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sim::participant::{self, Ears, Manners, ParticipantConfig, Progress};
use sim::provider::SimConfig;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Nothing here takes as long, however busy the machine is.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);
pub(super) const STUDY: &str = include_str!("../../../../studies/remote-work-tools.yaml");
pub(super) const TOKEN: &str = "console-token-of-a-test";

/// A server process, and where it is.
pub(super) struct Server {
    child: Child,
    pub(super) base: String,
}

impl Server {
    pub(super) async fn start(folder: &Path, provider: &str) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_colloquy"))
            .arg("serve")
            .env("COLLOQUY__HTTP__ADDR", "127.0.0.1:0")
            .env("COLLOQUY__HTTP__CONSOLE_TOKEN", TOKEN)
            .env("COLLOQUY__MEDIA__UDP_ADDR", "127.0.0.1:0")
            .env("COLLOQUY__MEDIA__TCP_ADDR", "127.0.0.1:0")
            .env("COLLOQUY__STORE__DATABASE", folder.join("colloquy.db"))
            .env("COLLOQUY__STORE__RECORDINGS", folder.join("recordings"))
            .env("COLLOQUY__PROVIDER__OPENAI_BASE_URL", provider)
            .env("COLLOQUY__PROVIDER__OPENAI_API_KEY", "test-key")
            // Many tests share this machine.
            .env("COLLOQUY__CAPACITY__CPU_PERCENT_MAX", "100")
            .env("COLLOQUY__CAPACITY__LATE_PERCENT_MAX", "100")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.expect("the server says where it serves");
        let base = line.rsplit(' ').next().unwrap().to_owned();
        Server { child, base }
    }

    /// SIGKILL: it gets no chance to write anything.
    pub(super) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/v1/{path}", self.base);
        let answer = http.get(url).bearer_auth(TOKEN).send().await.unwrap();
        answer.json().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, kind: &str, body: String) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/v1/{path}", self.base);
        let request = http
            .post(url)
            .bearer_auth(TOKEN)
            .header("content-type", kind);
        request
            .body(body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(super) async fn journal(&self, id: &str) -> Vec<Value> {
        let journal = self.get(&format!("sessions/{id}/journal")).await;
        journal["entries"].as_array().unwrap().clone()
    }
}

/// Takes part until it has answered so often, or to the end. Returns the outcome, if there was one.
async fn take_part(link: String, answers: usize) -> Option<String> {
    let stop = CancellationToken::new();
    let enough = stop.clone();
    let given = AtomicUsize::new(0);
    let config = ParticipantConfig {
        link,
        persona: "maya".to_owned(),
        start_after: Duration::ZERO,
        seed: 3,
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline: PATIENCE,
        local_ip: None,
        patience: Duration::ZERO,
    };
    let went = participant::run(config, stop, move |progress| {
        if let Progress::Answering { .. } = progress
            && given.fetch_add(1, Ordering::Relaxed) + 1 == answers
        {
            enough.cancel();
        }
    });
    went.await.ok().map(|report| report.outcome)
}

pub(super) fn of_kind<'j>(journal: &'j [Value], kind: &str) -> Vec<&'j Value> {
    journal
        .iter()
        .filter(|entry| entry["kind"] == kind)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interview_outlives_two_kills_without_losing_or_doubling_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = format!("http://{}/v1", listener.local_addr().unwrap());
    let simulator = CancellationToken::new();
    drop(sim::provider::serve(
        listener,
        SimConfig::instant(),
        simulator.clone(),
    ));

    let mut server = Server::start(folder.path(), &provider).await;
    server.post("studies", "text/yaml", STUDY.to_owned()).await;
    let body = json!({"length": "rehearsal"}).to_string();
    let invited = server
        .post(
            "studies/remote-work-tools/sessions",
            "application/json",
            body,
        )
        .await;
    let id = invited["sessions"][0]["id"].as_str().unwrap().to_owned();
    let link = invited["sessions"][0]["link"].as_str().unwrap().to_owned();
    let secret = link.rsplit('#').next().unwrap().to_owned();
    let mut written = Vec::new();
    for answers in [2, 1] {
        drop(take_part(format!("{}/i#{secret}", server.base), answers).await);
        let before = server.journal(&id).await;
        server.kill().await;
        server = Server::start(folder.path(), &provider).await;
        let session = server.get(&format!("sessions/{id}")).await;
        assert_eq!(session["session"]["state"], "paused", "{session}");
        let after = server.journal(&id).await;
        assert!(
            after.len() >= before.len() && after[..before.len()] == before[..],
            "what was committed is there, as it was"
        );
        written = after;
    }
    assert!(of_kind(&written, "turn").len() >= 3, "{written:#?}");
    let outcome = take_part(format!("{}/i#{secret}", server.base), usize::MAX).await;
    assert_eq!(outcome.as_deref(), Some("complete"));

    let journal = server.journal(&id).await;
    assert_eq!(journal[..written.len()], written[..]);
    let seqs: Vec<u64> = journal
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let turns: Vec<u64> = of_kind(&journal, "turn")
        .iter()
        .map(|entry| entry["body"]["turn"].as_u64().unwrap())
        .collect();
    assert_eq!(
        turns.iter().collect::<BTreeSet<_>>().len(),
        turns.len(),
        "no turn twice: {turns:?}"
    );
    assert_eq!(
        of_kind(&journal, "paused").len(),
        of_kind(&journal, "resumed").len()
    );
    assert_eq!(of_kind(&journal, "consent_given").len(), 1);
    let greetings = of_kind(&journal, "turn")
        .iter()
        .filter(|entry| {
            entry["body"]["text"]
                .as_str()
                .unwrap()
                .contains("thank you for joining")
        })
        .count();
    assert_eq!(greetings, 1, "the greeting is never repeated");
    let charged: i64 = of_kind(&journal, "charged")
        .iter()
        .flat_map(|entry| entry["body"]["charges"].as_array().unwrap().clone())
        .map(|charge| charge["cost_micro_usd"].as_i64().unwrap())
        .sum();
    let costs = server.get(&format!("sessions/{id}/costs")).await;
    let components = costs["costs"]["components"].as_array().unwrap();
    let speech: i64 = components
        .iter()
        .filter(|row| !row["component"].as_str().unwrap().starts_with("enrichment"))
        .map(|row| row["cost_micro_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(speech, charged, "the ledger is what the journal charged");
    server.kill().await;
    simulator.cancel();
}
