//! `colloquy soak`: interviews come and go in all the ways that there are, and what they leave behind is looked at each time.
//!
//! A round is a number of participants who begin, talk, interrupt, drop out, come back or never come, until an operator ends what
//! still runs. After it the server must be as it was: no tasks, no connections, no more open files, nothing leased. Memory is what
//! an allocator keeps, so its slope over the rounds is printed and judged, not its value.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sim::participant::{Ears, Manners, PATIENCE, ParticipantConfig, Tab, Trouble, run_troubled};
use sim::provider::SimConfig;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::bench::machine;
use crate::house::api::Invitation;
use crate::house::{House, STUDY, Simulator};
use crate::output;
use crate::serve::runtime;

const PERSONAS: [&str; 4] = ["maya", "marcus", "tasha", "leon"];
/// For a participant to have begun and said something.
const HELD: Duration = Duration::from_secs(12);
/// From the operator's end to the last task's, closing statement and report included.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// The first rounds fill caches and pools, above all SQLite's (12 MB at most). Resident memory is level from here on (21 rounds of
/// 20 sessions: 53.3 MB after the first, 58.7 after 260 sessions, 58.9 after 420), and its slope is judged from here on.
const FILLED_BY_SESSIONS: u32 = 240;
/// Of fewer rounds a slope says nothing.
const JUDGED_MIN: usize = 3;
/// Growth that is a leak: a session takes some 0.5 MB while it runs, and a hundredth of that left behind by each is one.
const KB_PER_SESSION_MAX: f64 = 5.0;
/// Rows a round of sessions leave in the database are pages in caches; these are bounded.
const HANDLES_SLACK: f64 = 4.0;

/// Arguments of `soak`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long rounds are begun.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=720))]
    minutes: u64,
    /// Participants in a round.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=200))]
    sessions: u32,
}

/// What is there when nobody is.
#[derive(Clone, Copy, Debug)]
struct Rest {
    sessions: u32,
    rss_kb: f64,
    handles: f64,
    /// Tasks, connections and links.
    alive: f64,
    leased: u64,
}

/// Churns, prints a line for each round, and judges.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    output::line(machine::describe());
    let rests = runtime()?.block_on(churn(arguments))?;
    let slope = slope_kb(filled(&rests));
    let (first, last) = rests
        .first()
        .zip(rests.last())
        .context("there was no round")?;
    let handles = last.handles - first.handles;
    let left: f64 = rests.iter().map(|rest| rest.alive).sum();
    let leased: u64 = rests.iter().map(|rest| rest.leased).sum();
    output::line(format!(
        "\nslope of resident memory after {FILLED_BY_SESSIONS} sessions: {}; open files and sockets: {handles:+.0} since the first round; \
         tasks, connections and links left alive: {left}; jobs left leased: {leased}",
        slope.map_or_else(
            || "not judged, as there were too few rounds: give more --minutes".to_owned(),
            |kb| format!("{kb:+.2} KB per session")
        )
    ));
    let leaks = slope.is_some_and(|kb| kb > KB_PER_SESSION_MAX)
        || handles > HANDLES_SLACK
        || left > 0.0
        || leased > 0;
    output::line(match (leaks, slope) {
        (true, _) => "something leaks",
        (false, Some(_)) => "nothing leaks",
        (false, None) => "nothing leaks, memory apart",
    });
    Ok(if leaks {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn churn(arguments: &Arguments) -> anyhow::Result<Vec<Rest>> {
    let simulator = Simulator::open(SimConfig::default()).await?;
    let house = House::open(simulator.addr).await?;
    let until = Instant::now() + Duration::from_secs(arguments.minutes * 60);
    let mut rests = Vec::new();
    let mut sessions = 0;
    output::line("round  sessions  resident MB  open handles  alive  leased");
    while Instant::now() < until {
        round(&house, arguments.sessions, rests.len() as u64).await?;
        sessions += arguments.sessions;
        let rest = settled(&house, sessions).await?;
        rests.push(rest);
        output::line(format!(
            "{:5}  {:8}  {:11.2}  {:12.0}  {:5.0}  {:6}",
            rests.len(),
            rest.sessions,
            rest.rss_kb / 1_024.0,
            rest.handles,
            rest.alive,
            rest.leased
        ));
    }
    Ok(rests)
}

/// One of each kind, again and again: to the operator's end, interrupting, gone and back, gone for good, never there.
async fn round(house: &House, count: u32, seed: u64) -> anyhow::Result<()> {
    let invitations = house.api.invite(STUDY, "full", count).await?;
    let stop = CancellationToken::new();
    let mut people = JoinSet::new();
    for (number, invitation) in invitations.iter().enumerate() {
        if number % 5 == 4 {
            continue;
        }
        let person = person(invitation, number, seed);
        let (trouble, stop) = (trouble(number), stop.clone());
        people.spawn(async move {
            let (befall, troubles) = mpsc::channel(1);
            let later = async {
                if let Some(trouble) = trouble {
                    sleep(HELD / 2).await;
                    // Over already: nothing befalls it any more.
                    let _ = befall.send(trouble).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                // How it went is not what is looked at here.
                _ended = run_troubled(person, troubles, stop, |_| {}) => {}
                () = later => {}
            }
        });
    }
    sleep(HELD).await;
    for invitation in &invitations {
        // Those that never began, or are over, need no end.
        drop(house.api.end(&invitation.id).await);
    }
    let ended = timeout(SETTLED_WITHIN, async {
        while people.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        stop.cancel();
        people.shutdown().await;
    }
    Ok(())
}

fn person(invitation: &Invitation, number: usize, seed: u64) -> ParticipantConfig {
    let manners = if number % 5 == 1 {
        Manners::Interrupting {
            after: Duration::from_millis(800),
            every: 2,
        }
    } else {
        Manners::Patient
    };
    ParticipantConfig {
        link: invitation.link.clone(),
        persona: PERSONAS[number % PERSONAS.len()].to_owned(),
        start_after: Duration::from_millis(100) * u32::try_from(number).unwrap_or(0),
        seed: seed * 1_000 + number as u64,
        ears: Ears::Captions,
        manners,
        deadline: SETTLED_WITHIN,
        local_ip: None,
        patience: PATIENCE,
    }
}

fn trouble(number: usize) -> Option<Trouble> {
    match number % 5 {
        2 => Some(Trouble::Gone {
            span: Duration::from_secs(2),
            page: Tab::Reloaded,
        }),
        3 => Some(Trouble::Left),
        _ => None,
    }
}

/// Waits until nothing runs and nothing waits, and looks.
async fn settled(house: &House, sessions: u32) -> anyhow::Result<Rest> {
    let quiet = async {
        loop {
            let metrics = house.api.metrics().await?;
            let lanes = house.api.lanes().await?;
            let waiting: u64 = lanes.iter().map(|lane| lane.ready + lane.leased).sum();
            let live = metrics.gauge("colloquy_sessions_live").unwrap_or(f64::NAN);
            if metrics.alive() == 0.0 && live == 0.0 && waiting == 0 {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let waited = timeout(SETTLED_WITHIN, quiet).await;
    if let Ok(failed) = waited {
        failed?;
    }
    let metrics = house.api.metrics().await?;
    let lanes = house.api.lanes().await?;
    let used = machine::used(house.pid)?;
    let handles = metrics.gauge("colloquy_open_handles");
    ensure!(
        handles.is_some(),
        "the server does not export colloquy_open_handles"
    );
    Ok(Rest {
        sessions,
        rss_kb: f64::from(u32::try_from(used.rss_kb).unwrap_or(u32::MAX)),
        handles: handles.unwrap_or_default(),
        alive: metrics.alive(),
        leased: lanes.iter().map(|lane| lane.leased).sum(),
    })
}

/// The rounds after which caches are full.
fn filled(rests: &[Rest]) -> &[Rest] {
    let from = rests.partition_point(|rest| rest.sessions <= FILLED_BY_SESSIONS);
    rests.get(from..).unwrap_or_default()
}

/// Least squares: by how many kilobytes resident memory grows with each session. None of too few rounds.
fn slope_kb(rests: &[Rest]) -> Option<f64> {
    if rests.len() < JUDGED_MIN {
        return None;
    }
    let count = rests.len() as f64;
    let mean = |of: fn(&Rest) -> f64| rests.iter().map(of).sum::<f64>() / count;
    let (x, y) = (
        mean(|rest| f64::from(rest.sessions)),
        mean(|rest| rest.rss_kb),
    );
    let (mut both, mut square) = (0.0, 0.0);
    for rest in rests {
        let away = f64::from(rest.sessions) - x;
        both += away * (rest.rss_kb - y);
        square += away * away;
    }
    (square > 0.0).then(|| both / square)
}

#[cfg(test)]
mod tests {
    use super::{Rest, filled, slope_kb};

    fn rest(sessions: u32, rss_kb: f64) -> Rest {
        Rest {
            sessions,
            rss_kb,
            handles: 20.0,
            alive: 0.0,
            leased: 0,
        }
    }

    #[test]
    fn the_slope_is_what_each_session_leaves_behind() {
        let leaking: Vec<Rest> = (1..6)
            .map(|n| rest(n * 20, 30_000.0 + f64::from(n) * 200.0))
            .collect();
        let slope = slope_kb(&leaking).unwrap_or_default();
        assert!((slope - 10.0).abs() < 1e-6, "{slope}");
        let level = [
            rest(20, 30_000.0),
            rest(40, 30_050.0),
            rest(60, 29_990.0),
            rest(80, 30_020.0),
        ];
        assert!(slope_kb(&level).unwrap_or(f64::NAN).abs() < 1.0);
        assert_eq!(slope_kb(&level[..2]), None);
    }

    #[test]
    fn caches_that_fill_and_stay_full_are_no_leak_and_what_grows_on_is_one() {
        let filling = |n: u32| f64::from(n.min(12)) * 500.0;
        let full: Vec<Rest> = (1..=20).map(|n| rest(n * 20, filling(n))).collect();
        assert!(slope_kb(filled(&full)).unwrap_or(f64::NAN).abs() < 1e-6);
        assert_eq!(slope_kb(filled(&full[..14])), None, "too short to say");
        let growing = |n: u32| filling(n) + f64::from(n) * 120.0;
        let leaking: Vec<Rest> = (1..=20).map(|n| rest(n * 20, growing(n))).collect();
        let slope = slope_kb(filled(&leaking)).unwrap_or_default();
        assert!((slope - 6.0).abs() < 1e-6, "{slope}");
    }
}
