//! The work after two hundred interviews that end at once: the real server, a durable store, and the simulated endpoint.
//!
//! Interviews are synthetic ([`crate::synth`]): written while the server is down, found by it as if they had just ended.
//! Beside it runs the founding system's own pool (`bench/founding_pool.py`), against the same endpoint.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use engine::ids::SessionId;
use serde::Deserialize;
use sim::provider::{AnswerTime, ChatTerms, ChatVendor, SimConfig};
use store::{JobFilter, Store};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::figure::{Figure, percentile_ms};
use super::machine;
use crate::house::{House, Simulator};
use crate::synth::{self, Plan, Profile};

const SESSIONS: u32 = 200;
const SEGMENTS: u32 = 150;
const CALL_MS: u64 = 800;
const CALLS_AT_ONCE: u32 = 50;
/// Under 600 requests a minute the whole burst takes five minutes and shows no more than a part of it.
const LIMITED_SESSIONS: u32 = 60;
const LIMITED_SEGMENTS: u32 = 100;
const KILLS: u32 = 20;
/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longer than any of it takes.
const WITHIN: Duration = Duration::from_secs(6 * 60);
/// The server cuts running interviews every five seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(12);

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = burst().await?;
    figures.extend(limited().await?);
    figures.extend(streamed().await?);
    figures.extend(killed().await?);
    Ok(figures)
}

/// A server with that many calls at once, and the endpoint that it calls.
struct Works {
    chat: Arc<ChatVendor>,
    simulator: Simulator,
    house: House,
}

impl Works {
    async fn open(terms: ChatTerms, calls: u32) -> anyhow::Result<Works> {
        let chat = Arc::new(ChatVendor::new(terms, 1));
        let config = SimConfig {
            chat: Arc::clone(&chat),
            ..SimConfig::default()
        };
        let simulator = Simulator::open(config).await?;
        let settings = vec![("COLLOQUY__ENRICHMENT__CONCURRENCY", calls.to_string())];
        let mut house = House::open_with(simulator.addr, settings).await?;
        house.terminate(Duration::from_secs(30)).await?;
        Ok(Works {
            chat,
            simulator,
            house,
        })
    }

    async fn write(&self, sessions: u32, segments: u32) -> anyhow::Result<Vec<SessionId>> {
        let plan = Plan {
            sessions,
            segments,
            profile: Profile::Burst,
            seed: 1,
        };
        synth::write(self.house.data(), plan, |_| {}).await
    }

    /// Until nothing waits any more; gives back how many jobs were given up.
    async fn drained(&self) -> anyhow::Result<u64> {
        let drained = async {
            loop {
                let lanes = self.house.api.lanes().await?;
                if lanes.iter().all(|lane| lane.ready + lane.leased == 0) {
                    return Ok(lanes.iter().map(|lane| lane.dead).sum());
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(WITHIN, drained)
            .await
            .context("the work after the interviews does not end")?
    }

    /// Segments without a coding.
    async fn uncoded(&self, ids: &[SessionId]) -> anyhow::Result<(u64, u64)> {
        let store = Store::open(self.house.data()).await?;
        let (mut all, mut uncoded) = (0, 0);
        for id in ids {
            let segments = store.segments(id).await?;
            all += segments.len() as u64;
            uncoded += segments.iter().filter(|row| row.coding.is_none()).count() as u64;
        }
        store.close().await?;
        Ok((all, uncoded))
    }
}

/// How much of the time was the endpoint's own.
async fn burst() -> anyhow::Result<Vec<Figure>> {
    let terms = ChatTerms {
        answer: AnswerTime::flat(CALL_MS),
        ..ChatTerms::default()
    };
    let mut works = Works::open(terms, CALLS_AT_ONCE).await?;
    works.house.start().await?;
    let idle_kb = machine::used(works.house.pid)?.rss_kb;
    works.house.terminate(Duration::from_secs(30)).await?;
    works.write(SESSIONS, SEGMENTS).await?;
    works.house.start().await?;
    // While all of it waits: the queue is on disk.
    let queued = timeout(WITHIN, async {
        loop {
            let lanes = works.house.api.lanes().await?;
            let ready: u64 = lanes.iter().map(|lane| lane.ready).sum();
            if ready > u64::from(SESSIONS * SEGMENTS) * 8 / 10 {
                return anyhow::Ok(machine::used(works.house.pid)?.rss_kb);
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let queued_kb = queued.await.context("the burst was never queued")??;
    let dead = works.drained().await?;
    let counts = works.chat.counts();
    let first = *counts.codings.first().context("nothing was coded")?;
    let last = counts.last_answer.context("nothing was answered")?;
    let wall_s = last.saturating_duration_since(first).as_secs_f64();
    let calls = counts.requests;
    let bound_s = calls as f64 * CALL_MS as f64 / 1_000.0 / f64::from(CALLS_AT_ONCE);
    ensure!(dead == 0, "{dead} jobs were given up");
    let founding = founding(
        &works,
        u32::try_from(calls).unwrap_or(u32::MAX),
        CALLS_AT_ONCE,
    )
    .await?;
    let method = format!(
        "{SESSIONS} interviews of {SEGMENTS} answers end at once, {CALL_MS} ms a call, {CALLS_AT_ONCE} calls at once ({} seen), 10 segments a call, \
         SQLite with synchronous=FULL; {calls} calls, summaries among them, bound {bound_s:.1} s, first call to last answer {wall_s:.1} s; {}",
        counts.most_in_flight,
        machine::describe()
    );
    let pool_bound_s = founding.calls as f64 * CALL_MS as f64 / 1_000.0 / f64::from(CALLS_AT_ONCE);
    Ok(vec![
        Figure::new(
            "burst_bound_share",
            bound_s / wall_s,
            "",
            Some(">= 0.97"),
            method.clone(),
        ),
        Figure::new(
            "burst_memory",
            queued_kb as f64 / 1_024.0,
            "MB",
            Some("<= 40"),
            format!(
                "resident memory of the whole server process when more than 24,000 segments wait ({:.1} MB when none does); {method}",
                idle_kb as f64 / 1_024.0
            ),
        ),
        Figure::new(
            "founding_bound_share",
            pool_bound_s / founding.seconds,
            "",
            None,
            founding.told("the same endpoint, nothing durable"),
        ),
    ])
}

/// The same under a small account that fails now and then.
async fn limited() -> anyhow::Result<Vec<Figure>> {
    let terms = ChatTerms {
        answer: AnswerTime::flat(CALL_MS),
        requests_per_minute: 600,
        burst: 10,
        failing_permille: 20,
        short_permille: 100,
        ..ChatTerms::default()
    };
    let mut works = Works::open(terms, CALLS_AT_ONCE).await?;
    let ids = works.write(LIMITED_SESSIONS, LIMITED_SEGMENTS).await?;
    works.house.start().await?;
    works.drained().await?;
    let counts = works.chat.counts();
    let first = *counts.codings.first().context("nothing was coded")?;
    let last = counts.last_answer.context("nothing was answered")?;
    let wall_s = last.saturating_duration_since(first).as_secs_f64();
    let let_in = counts.answered + counts.failed;
    let bound_s = let_in.saturating_sub(10) as f64 / 10.0 + CALL_MS as f64 / 1_000.0;
    works.house.terminate(Duration::from_secs(30)).await?;
    let (all, uncoded) = works.uncoded(&ids).await?;
    let delivered = (all - uncoded) as f64 / all.max(1) as f64 * 100.0;
    works.chat.set(terms);
    let founding = founding(
        &works,
        LIMITED_SESSIONS * LIMITED_SEGMENTS / 10,
        CALLS_AT_ONCE,
    )
    .await?;
    let method = format!(
        "{LIMITED_SESSIONS} interviews of {LIMITED_SEGMENTS} answers (a fifth of the burst: all of it takes five minutes), 600 requests/min and 10 at once, \
         2 % of calls end with 500, 10 % of answers lack a segment; {} requests, {} refused with 429, {} failed, bound {bound_s:.1} s by what was let in, \
         first call to last answer {wall_s:.1} s; {}",
        counts.requests,
        counts.refused,
        counts.failed,
        machine::describe()
    );
    let share =
        f64::from(founding.segments) / f64::from(LIMITED_SESSIONS * LIMITED_SEGMENTS) * 100.0;
    Ok(vec![
        Figure::new(
            "limited_delivered",
            delivered,
            "%",
            Some(">= 100"),
            method.clone(),
        ),
        Figure::new(
            "limited_bound_share",
            bound_s / wall_s,
            "",
            Some(">= 0.95"),
            method.clone(),
        ),
        Figure::new(
            "limited_early_429s",
            counts.refused_before_headers as f64,
            "calls",
            Some("<= 4"),
            method,
        ),
        Figure::new(
            "founding_delivered",
            share,
            "%",
            None,
            founding.told("the same terms; nothing is tried again"),
        ),
    ])
}

/// The founding system's answer times, all interviews end at once, most of what was said is coded by then.
async fn streamed() -> anyhow::Result<Vec<Figure>> {
    const CALLS: u32 = 10;
    let quick = ChatTerms {
        answer: AnswerTime::flat(20),
        ..ChatTerms::default()
    };
    let mut works = Works::open(quick, CALLS).await?;
    // Each at another place between two calls.
    let ids = synth::begin(works.house.data(), SESSIONS, 1, |index| {
        SEGMENTS - index % 10
    })
    .await?;
    works.house.start().await?;
    sleep(SETTLED_AFTER).await;
    works.drained().await?;
    works.house.terminate(Duration::from_secs(30)).await?;
    let (_, waiting) = works.uncoded(&ids).await?;
    ensure!(
        waiting == 0,
        "{waiting} segments were cut and not coded while the interviews ran"
    );
    synth::end_all(works.house.data(), &ids).await?;
    works.chat.set(ChatTerms {
        answer: AnswerTime::FOUNDING,
        ..quick
    });
    works.chat.forget();
    works.house.start().await?;
    let up_us = synth::now_us();
    works.drained().await?;
    let asked = works.chat.counts().segments_asked;
    works.house.terminate(Duration::from_secs(30)).await?;
    let store = Store::open(works.house.data()).await?;
    let (mut coded, mut reported) = (Vec::new(), Vec::new());
    for id in &ids {
        let filter = JobFilter {
            session_id: Some(id.clone()),
            limit: 500,
            ..JobFilter::default()
        };
        let jobs = store.jobs(filter).await?;
        let ended = |kind: &str| {
            let ends = jobs.iter().filter(|job| job.kind == kind);
            let last_us = ends.filter_map(|job| job.ended_at_us).max();
            let since_us = last_us.map_or(0, |end_us| end_us.saturating_sub(up_us).max(0));
            Duration::from_micros(since_us.unsigned_abs())
        };
        coded.push(ended("code"));
        reported.push(ended("report"));
    }
    store.close().await?;
    let method = format!(
        "{SESSIONS} interviews of {} to {SEGMENTS} answers end at once while the server is down and wait from its line that it serves on; what was settled before \
         was coded while they ran; {asked} segments were left; L(B) = 0.375 s + 0.425 s x B in true time, {CALLS} calls at once, summaries among them; {}",
        SEGMENTS - 9,
        machine::describe()
    );
    let seconds = |waits: &[Duration], percent| {
        percentile_ms(waits, percent).map_or(f64::NAN, |ms| ms / 1_000.0)
    };
    Ok(vec![
        Figure::new(
            "streamed_wait_p50",
            seconds(&coded, 50),
            "s",
            Some("<= 25"),
            method.clone(),
        ),
        Figure::new(
            "streamed_wait_worst",
            seconds(&coded, 100),
            "s",
            Some("<= 60"),
            method.clone(),
        ),
        Figure::new(
            "streamed_report_p50",
            seconds(&reported, 50),
            "s",
            None,
            method.clone(),
        ),
        Figure::new(
            "streamed_report_worst",
            seconds(&reported, 100),
            "s",
            None,
            method,
        ),
    ])
}

/// `kill -9`, again and again, in the burst.
async fn killed() -> anyhow::Result<Vec<Figure>> {
    let terms = ChatTerms {
        answer: AnswerTime::flat(CALL_MS),
        ..ChatTerms::default()
    };
    let mut works = Works::open(terms, CALLS_AT_ONCE).await?;
    let ids = works.write(SESSIONS, SEGMENTS).await?;
    works.house.start().await?;
    let mut claims = Vec::new();
    for kill in 0..KILLS {
        // At another place of the calls each time.
        sleep(Duration::from_millis(1_200 + u64::from(kill) * 37)).await;
        works.house.kill().await?;
        // What was on its way is answered into nothing.
        sleep(Duration::from_millis(CALL_MS)).await;
        let before = works.chat.counts().codings.len();
        works.house.start().await?;
        let up = Instant::now();
        let first = timeout(WITHIN, async {
            loop {
                if let Some(at) = works.chat.counts().codings.get(before) {
                    return *at;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        let first = first.await.context("nothing was claimed after a restart")?;
        claims.push(first.saturating_duration_since(up));
    }
    let dead = works.drained().await?;
    let counts = works.chat.counts();
    works.house.terminate(Duration::from_secs(30)).await?;
    let (all, uncoded) = works.uncoded(&ids).await?;
    let repeated = counts.segments_asked.saturating_sub(all) as f64 / 10.0 / f64::from(KILLS);
    let method = format!(
        "{SESSIONS} interviews of {SEGMENTS} answers, {CALL_MS} ms a call, {CALLS_AT_ONCE} calls at once, {KILLS} times kill -9 1.2 to 1.9 s after the server serves; \
         {} segments asked for {all}; a second coding of a segment has no place in its table; claim: from the line that it serves to the first call at the endpoint; {}",
        counts.segments_asked,
        machine::describe()
    );
    Ok(vec![
        Figure::new(
            "killed_lost",
            (uncoded + dead) as f64,
            "segments",
            Some("<= 0"),
            method.clone(),
        ),
        Figure::new(
            "killed_repeated",
            repeated,
            "calls/kill",
            Some("<= 50"),
            method.clone(),
        ),
        Figure::new(
            "claim_after_restart",
            percentile_ms(&claims, 50).unwrap_or(f64::NAN),
            "ms",
            Some("<= 100"),
            method,
        ),
    ])
}

/// What the founding pool printed.
#[derive(Debug, Deserialize)]
struct Founding {
    calls: u32,
    done: u32,
    refused: u32,
    failed: u32,
    segments: u32,
    seconds: f64,
}

impl Founding {
    fn told(&self, how: &str) -> String {
        format!(
            "bench/founding_pool.py, {how}: of {} calls {} were answered, {} refused with 429, {} failed, in {} s; {}",
            self.calls,
            self.done,
            self.refused,
            self.failed,
            self.seconds,
            machine::describe()
        )
    }
}

async fn founding(works: &Works, calls: u32, at_once: u32) -> anyhow::Result<Founding> {
    let script = Path::new("bench/founding_pool.py");
    ensure!(
        script.exists(),
        "bench/founding_pool.py is not here: run `make bench` in the project's folder"
    );
    let url = format!("http://{}/v1", works.simulator.addr);
    let mut command = Command::new("python3");
    command
        .arg(script)
        .args([url, calls.to_string(), "10".to_owned(), at_once.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = timeout(WITHIN, command.output())
        .await
        .context("the founding pool does not end")?
        .context("python3 cannot be started")?;
    serde_json::from_slice(&output.stdout)
        .context("the founding pool printed something else than its figures")
}
