//! Two hundred interviews at once: what they cost, and what each of them loses by the others. And what those who are in lose
//! by a crowd at the door.
//!
//! Every number is the median of several runs, each on a server of its own. Participants and simulator are in this
//! process, on the same cores: what is measured of the server is its process alone.

use std::time::{Duration, Instant};

use anyhow::Context;
use sim::provider::SimConfig;
use tokio::time::sleep;

use super::Extent;
use super::figure::Figure;
use super::machine;
use crate::house::{House, Simulator};
use crate::load::{self, Arguments, Held};
use crate::output;

/// Many and few.
pub(super) const SESSIONS: u32 = 200;
const FEW: u32 = 5;
/// For all to join a natural conversation, and for all to join in a rush.
const RAMP: Duration = Duration::from_secs(40);
const RUSH: Duration = Duration::from_secs(10);
/// How long few are held, and those who came in a rush.
const FEW_HELD: Duration = Duration::from_secs(30);
const RUSH_HELD: Duration = Duration::from_secs(5);
/// Places, for twice as many; how fast they come, and how long they are held.
const PLACES: u32 = 50;
const CROWD: Duration = Duration::from_secs(5);
const CROWD_HELD: Duration = Duration::from_secs(20);
/// How long a server is watched that has nothing to do, and for how long it may get used to that.
const IDLE: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_secs(3);

/// All runs, by what was looked at.
#[derive(Default)]
struct Runs {
    idle: Vec<Idle>,
    many: Vec<Held>,
    few: Vec<Held>,
    rush: Vec<Held>,
    /// As many as there are places, and twice as many.
    fitting: Vec<Held>,
    twice: Vec<Held>,
}

/// A server that has nothing to do.
struct Idle {
    started_ms: f64,
    rss_mb: f64,
    cpu_percent: f64,
}

pub(super) async fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let mut runs = Runs::default();
    for run in 1..=extent.runs {
        output::line(format!("  run {run} of {}", extent.runs));
        runs.once(extent.length, u64::from(run)).await?;
    }
    let mut figures = alone(&runs.idle)?;
    figures.extend(together(&runs.many, &runs.few, extent)?);
    figures.extend(beyond(&runs.fitting, &runs.twice)?);
    let first_voice = of(&runs.rush, |held| held.first_voice_p95_ms)?;
    let method = format!(
        "{SESSIONS} joining within {} s, model delay 0, from the connection to the first audible packet by the participant's clock",
        RUSH.as_secs(),
    );
    let (name, goal) = ("first_voice_rush_p95", Some("<= 500"));
    figures.push(medians(name, "ms", goal, &first_voice, &method));
    Ok(figures)
}

impl Runs {
    async fn once(&mut self, length: Duration, seed: u64) -> anyhow::Result<()> {
        self.idle.push(nothing_to_do().await?);
        let few = Arguments::of(FEW, RAMP / 20, FEW_HELD, seed);
        self.few.push(load::measure(&few).await?);
        let mut rush = Arguments::of(SESSIONS, RUSH, RUSH_HELD, seed);
        rush.model_delay = Some(Duration::ZERO);
        self.rush.push(load::measure(&rush).await?);
        let many = Arguments::of(SESSIONS, RAMP, length, seed);
        self.many.push(load::measure(&many).await?);
        let fitting = Arguments::of(PLACES, CROWD, CROWD_HELD, seed);
        self.fitting.push(load::measure(&fitting).await?);
        let mut twice = Arguments::of(2 * PLACES, CROWD, CROWD_HELD, seed);
        twice.sessions_max = Some(PLACES);
        self.twice.push(load::measure(&twice).await?);
        Ok(())
    }
}

async fn nothing_to_do() -> anyhow::Result<Idle> {
    let simulator = Simulator::open(SimConfig::default()).await?;
    let house = House::open(simulator.addr).await?;
    sleep(SETTLED).await;
    let (first, began) = (machine::used(house.pid)?, Instant::now());
    sleep(IDLE).await;
    let last = machine::used(house.pid)?;
    let cpu = last.cpu.saturating_sub(first.cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    Ok(Idle {
        started_ms: house.started_in.as_secs_f64() * 1_000.0,
        rss_mb: f64::from(u32::try_from(last.rss_kb)?) / 1_024.0,
        cpu_percent: cpu * 100.0,
    })
}

fn alone(idle: &[Idle]) -> anyhow::Result<Vec<Figure>> {
    let of = |value: fn(&Idle) -> f64| idle.iter().map(value).collect::<Vec<f64>>();
    anyhow::ensure!(!idle.is_empty(), "nothing was measured");
    let figure = |name, unit, goal, values: &[f64], what: &str| {
        medians(name, unit, Some(goal), values, what)
    };
    Ok(vec![
        figure(
            "cold_start",
            "ms",
            "<= 500",
            &of(|idle| idle.started_ms),
            "from the start of the process, in an empty folder, to the line that says where it serves",
        ),
        figure(
            "idle_memory",
            "MB",
            "<= 60",
            &of(|idle| idle.rss_mb),
            "resident set of a server without sessions",
        ),
        figure(
            "idle_cpu",
            "percent",
            "<= 0.5",
            &of(|idle| idle.cpu_percent),
            "user and system time of a server without sessions over 10 s, in percent of a core",
        ),
    ])
}

fn together(many: &[Held], few: &[Held], extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let count = |of: fn(&Held) -> f64| many.iter().map(of).collect::<Vec<f64>>();
    let failed = count(|held| f64::from(held.failed));
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let gaps: Vec<f64> = many
        .iter()
        .map(|held| number(held.gaps_held as u64))
        .collect();
    let all_gaps: Vec<f64> = many.iter().map(|held| number(held.gaps)).collect();
    let longest = many.iter().map(|held| held.gap_longest_ms).max();
    let (added, added_few) = (
        of(many, |held| held.added_p95_ms)?,
        of(few, |held| held.added_p95_ms)?,
    );
    let setting = format!(
        "{SESSIONS} sessions in natural conversation (1 in 20 drops out and mostly comes back, 1 in 5 interrupts), held for {} s after {} s of joining",
        extent.length.as_secs(),
        RAMP.as_secs()
    );
    let figure = |name, unit, goal, values: &[f64], what: &str| {
        medians(name, unit, goal, values, &format!("{what}; {setting}"))
    };
    let ratio: Vec<f64> = added
        .iter()
        .zip(&added_few)
        .map(|(many, few)| many / few)
        .collect();
    let dropped: Vec<String> = many
        .iter()
        .flat_map(|held| &held.dropped)
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let gaps_are = format!(
        "holes over 60 ms in speech beyond the first second of a connection, all sessions together, while all are held; with those at joining and while 200 are ended at once, with their closing words, {all_gaps:?}, the longest {} ms; the server dropped: {}",
        longest.unwrap_or(0),
        if dropped.is_empty() {
            "nothing".to_owned()
        } else {
            dropped.join(", ")
        }
    );
    Ok(vec![
        figure(
            "many_failed",
            "sessions",
            Some("<= 0"),
            &failed,
            "sessions that failed for a reason that was not planned",
        ),
        figure("many_gaps", "gaps", Some("<= 0"), &gaps, &gaps_are),
        figure(
            "many_cpu",
            "cores",
            Some("<= 0.006"),
            &of(many, |held| held.cpu_cores_per_session)?,
            "the server's process, per session",
        ),
        figure(
            "many_memory",
            "MB",
            Some("<= 1"),
            &of(many, |held| held.pss_mb_per_session)?,
            "growth of the proportional set, per session",
        ),
        figure(
            "many_added_p95",
            "ms",
            Some("<= 40"),
            &added,
            "what the platform adds: p95 from a packet in to the provider's socket and p95 from an answer's first audio to its first packet out, added up, by the server's histograms",
        ),
        figure(
            "many_added_ratio",
            "times",
            Some("<= 1.25"),
            &ratio,
            &format!(
                "the same, divided by its value at {FEW} sessions ({})",
                spread(&added_few)
            ),
        ),
        figure(
            "many_heard_p95",
            "ms",
            None,
            &of(many, |held| held.heard_latency_p95_ms)?,
            "heard latency by the participants' clocks; the study's patience of 700 ms and the simulator's delay are in it",
        ),
    ])
}

/// Twice as many as there are places: whether those who are in notice.
fn beyond(fitting: &[Held], twice: &[Held]) -> anyhow::Result<Vec<Figure>> {
    let p95 = |held: &Held| held.heard_latency_p95_ms;
    let (alone, beside) = (of(fitting, p95)?, of(twice, p95)?);
    let more: Vec<f64> = beside.iter().zip(&alone).map(|(b, a)| b - a).collect();
    let failed: Vec<f64> = twice.iter().map(|held| f64::from(held.failed)).collect();
    let never_in: Vec<u32> = twice.iter().map(|held| held.never_in).collect();
    let setting = format!(
        "{} come within {} s to a server of {PLACES} places, held for {} s; to the end stood in line {never_in:?}",
        2 * PLACES,
        CROWD.as_secs(),
        CROWD_HELD.as_secs()
    );
    let figure = |name, unit, goal, values: &[f64], what: &str| {
        medians(
            name,
            unit,
            Some(goal),
            values,
            &format!("{what}; {setting}"),
        )
    };
    Ok(vec![
        figure(
            "twice_failed",
            "sessions",
            "<= 0",
            &failed,
            "sessions that failed; to stand in line is no failure",
        ),
        figure(
            "twice_heard_more",
            "ms",
            "<= 20",
            &more,
            &format!(
                "by how much the 95th percentile of heard latency of those who are in is above that of {PLACES} alone ({})",
                spread(&alone)
            ),
        ),
    ])
}

/// One value of each run.
fn of(held: &[Held], value: fn(&Held) -> Option<f64>) -> anyhow::Result<Vec<f64>> {
    held.iter()
        .map(|held| value(held).context("a run has no such number"))
        .collect()
}

/// The middle one; of an even number the upper.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A figure that is the median of one value of each run.
fn medians(name: &str, unit: &str, goal: Option<&str>, values: &[f64], method: &str) -> Figure {
    let method = format!("{method}; {}", spread(values));
    Figure::new(name, median(values), unit, goal, method)
}

fn spread(values: &[f64]) -> String {
    let all: Vec<String> = values.iter().map(|value| format!("{value:.4}")).collect();
    format!(
        "median of {} runs ({}), {}",
        all.len(),
        all.join(", "),
        machine::describe()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_not_moved_by_one_bad_run() {
        assert!((median(&[3.0, 1.0, 900.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median(&[2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_run_without_the_number_is_no_measurement() {
        let held = Held {
            pss_mb_per_session: Some(1.0),
            ..Held::default()
        };
        assert!(
            of(std::slice::from_ref(&held), |held| held
                .cpu_cores_per_session)
            .is_err()
        );
        assert!(of(&[held], |held| held.pss_mb_per_session).is_ok());
    }
}
