//! `colloquy chaos`: interviews on the real binary while everything around them breaks, and whether one was lost.
//!
//! ```text
//!   people ──WebRTC, HTTP──> colloquy serve (a process) ──WebSocket──> simulator
//!     ^ Trouble                  ^ SIGTERM, SIGKILL                       ^ Strike
//!     └──────────────────── director: one event after another ────────────┘
//! ```
//!
//! What happens is drawn from a seed; at which word it hits depends on the machine, so a run is not repeatable to the
//! packet. What must hold is the same in every run: see [`check`].

mod check;
mod director;
mod events;
mod people;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use sim::provider::SimConfig;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::house::{House, Simulator};
use crate::output;
use crate::serve::runtime;
use director::Director;
use people::{Crowd, Interview};
use table::Summary;

/// From the last end to the last report.
const REPORTS_WITHIN: Duration = Duration::from_secs(120);
/// From the last end until nothing is left of any interview.
const EMPTY_WITHIN: Duration = Duration::from_secs(30);
/// What SIGTERM leaves interviews that run, in milliseconds: shorter than the default, because nothing is learned while
/// they run on.
const DEADLINE_MS: &str = "10000";

/// Arguments of `chaos`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Participants at once; who has finished begins another interview until the last event.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    participants: u32,
    /// Events.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    events: u32,
    /// Which events, and whom they befall.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Gives up after this many minutes.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=600))]
    minutes_max: u64,
    /// Writes the result as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Breaks things and tells what became of the interviews.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let within = Duration::from_secs(arguments.minutes_max * 60);
    let summary = runtime()?.block_on(async {
        timeout(within, chaos(arguments)).await.with_context(|| {
            format!(
                "the interviews had not come to an end after {} minutes: too many for this machine, or one hangs",
                arguments.minutes_max
            )
        })?
    })?;
    output::line(summary.text());
    if let Some(path) = &arguments.json {
        std::fs::write(path, summary.json()?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(if summary.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn chaos(arguments: &Arguments) -> anyhow::Result<Summary> {
    let began = Instant::now();
    output::line(format!(
        "chaos: {} participants, {} events, seed {}",
        arguments.participants, arguments.events, arguments.seed
    ));
    let simulator = Simulator::open(SimConfig::default()).await?;
    let settings = vec![("COLLOQUY__SHUTDOWN__DEADLINE_MS", DEADLINE_MS.to_owned())];
    let mut house = House::open_with(simulator.addr, settings).await?;
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let crowd = Arc::new(Crowd::new(arguments.participants));
    let people = people::begin(&crowd, &house.api, arguments.seed, &over);
    let events = events::draw(arguments.events, arguments.seed);
    let mut director = Director::new(&mut house, &simulator, &crowd, arguments.seed);
    director.direct(&events).await?;
    let (happened, mut wrong) = director.done();
    output::line("  the last event is over; the interviews go on to their ends");
    over.cancel();
    let interviews: Vec<Interview> = people.join_all().await.into_iter().flatten().collect();
    let mut evidence = BTreeMap::new();
    wrong.extend(afterwards(&house, &simulator, &interviews, &mut evidence).await?);
    Ok(Summary {
        seed: arguments.seed,
        seconds: began.elapsed().as_secs(),
        happened,
        interviews,
        wrong,
        evidence,
    })
}

/// What must hold once everything is over.
async fn afterwards(
    house: &House,
    simulator: &Simulator,
    interviews: &[Interview],
    evidence: &mut BTreeMap<String, Vec<Value>>,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let until = Instant::now() + REPORTS_WITHIN;
    for interview in interviews {
        let id = &interview.id;
        while house.api.session(id).await?.report != "ready" && Instant::now() < until {
            sleep(Duration::from_millis(200)).await;
        }
        let session = house.api.session(id).await?;
        if session.report != "ready" {
            wrong.push(format!("{id}: its report is {}", session.report));
        }
        let (journal, costs) = (house.api.journal(id).await?, house.api.costs(id).await?);
        let found = check::interview(interview, &session, &journal, &costs);
        if !found.is_empty() {
            evidence.insert(id.clone(), journal);
        }
        wrong.extend(found.into_iter().map(|what| format!("{id}: {what}")));
    }
    let until = Instant::now() + EMPTY_WITHIN;
    loop {
        let live = house.api.metrics().await?.gauge("colloquy_sessions_live");
        let links = simulator.sockets.open().len();
        if live == Some(0.0) && links == 0 {
            return Ok(wrong);
        }
        if Instant::now() >= until {
            wrong.push(format!(
                "after everything was over, {live:?} sessions and {links} links to the provider were left"
            ));
            return Ok(wrong);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
