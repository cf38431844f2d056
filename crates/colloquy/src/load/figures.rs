//! The six numbers, as the participants saw them and as the server exported them, and what its process took. Pure.

use serde::Serialize;

use super::server::{Histogram, Scrape};
use super::tally::{Tally, percentile};
use super::watch::{Look, Watched, megabytes};
use crate::bench::machine::Used;

/// Names of metrics; where there are two, the second is what older servers call it.
const FIRST_VOICE: &[&str] = &["colloquy_first_voice_seconds"];
const HEARD_LATENCY: &[&str] = &[
    "colloquy_heard_latency_seconds",
    "colloquy_response_latency_seconds",
];
const PROVIDER_LATENCY: &[&str] = &["colloquy_provider_latency_seconds"];
/// What the platform adds to audio each way.
const AUDIO_IN: &str = "colloquy_audio_in_seconds";
const AUDIO_OUT: &str = "colloquy_audio_out_seconds";
const PROVIDER_ERRORS: &[&str] = &[
    "colloquy_provider_errors_total",
    "colloquy_provider_faults_total",
];
const PROVIDER_RESPONSES: &str = "colloquy_provider_responses_total";
const SESSION_COST: &str = "colloquy_session_cost_usd";
const ENDED_COST: &str = "colloquy_ended_cost_usd_total";
const ENDED: &str = "colloquy_sessions_ended_total";
const DROPPED: &str = "colloquy_dropped_total";

/// Key, name and unit of the numbers that are one value.
const SESSIONS_PEAK: (&str, &str, Unit) =
    ("sessions_peak", "concurrent sessions, peak", Unit::Count);
const PROVIDER_ERROR_SHARE: (&str, &str, Unit) =
    ("provider_errors", "provider errors", Unit::Share);
const SESSIONS_FAILED: (&str, &str, Unit) =
    ("sessions_failed", "sessions that failed", Unit::Share);
const QUEUE_PEAK: (&str, &str, Unit) = (
    "enrichment_queue_peak",
    "enrichment queue, peak",
    Unit::Count,
);
const QUEUE_END: (&str, &str, Unit) =
    ("enrichment_queue_end", "enrichment queue, end", Unit::Count);
const COST: (&str, &str, Unit) = ("cost_per_session", "cost per session", Unit::Usd);
/// Key, name and percentile of those that are distributions, in milliseconds.
const FIRST_VOICE_ROWS: [(&str, &str, u8); 2] = [
    ("first_voice_p50", "first voice, p50", 50),
    ("first_voice_p95", "first voice, p95", 95),
];
const HEARD_LATENCY_ROWS: [(&str, &str, u8); 2] = [
    ("heard_latency_p50", "heard latency, p50", 50),
    ("heard_latency_p95", "heard latency, p95", 95),
];
const PROVIDER_LATENCY_ROWS: [(&str, &str, u8); 2] = [
    ("provider_latency_p50", "provider latency, p50", 50),
    ("provider_latency_p95", "provider latency, p95", 95),
];

/// A number from both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) participants: Side,
    pub(super) server: Side,
}

/// What one side says about a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Value(f64),
    /// Participants cannot see it.
    NotSeen,
    /// Nobody measured one, though it is exported.
    NoSamples,
    /// This server does not export it.
    NotExported,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    Count,
    Ms,
    /// Printed in percent.
    Share,
    Usd,
}

/// What the server's process took while the interviews were held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Process {
    /// Sessions in the mean of that time.
    pub(super) sessions: f64,
    pub(super) seconds: f64,
    pub(super) cpu_cores: f64,
    pub(super) cpu_cores_per_session: f64,
    pub(super) pss_idle_mb: f64,
    pub(super) pss_mb: f64,
    pub(super) pss_mb_per_session: f64,
}

/// Distributions as the server exported them: upper bounds in seconds, and the share at or below each.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Exported {
    pub(super) first_voice: Vec<(f64, f64)>,
    pub(super) heard_latency: Vec<(f64, f64)>,
    /// Exact, not by buckets: the sum by the count, in milliseconds.
    pub(super) first_voice_mean_ms: Option<f64>,
    pub(super) heard_latency_mean_ms: Option<f64>,
    /// What the platform adds while all are held, 95th percentiles: from a packet in to the provider's socket, and from an answer's first audio
    /// to its first packet out.
    pub(super) added_in_p95_ms: Option<f64>,
    pub(super) added_out_p95_ms: Option<f64>,
    /// What was dropped by the server, by kind.
    pub(super) dropped: Vec<(String, f64)>,
}

/// The numbers.
pub(super) fn rows(tally: &Tally, watched: &Watched) -> Vec<Row> {
    let peak = |of: fn(&Look) -> Option<f64>| watched.looks.iter().filter_map(of).reduce(f64::max);
    let connected = seen(peak(|look| Some(f64::from(look.connected))));
    let live = exported(peak(|look| look.live));
    let queued = exported(peak(|look| look.queue));
    let left = exported(watched.after.sum("colloquy_enrichment_queue_segments"));
    let errors = exported(provider_errors(watched));
    let failed = Side::Value(share(tally.failed, tally.sessions));
    let (shown, cost) = (seen(tally.cost_usd), cost(watched));
    let row = |(key, name, unit), participants, server| Row {
        key,
        name,
        unit,
        participants,
        server,
    };
    let mut rows = vec![row(SESSIONS_PEAK, connected, live)];
    rows.extend(latencies(tally, watched));
    rows.extend([
        row(PROVIDER_ERROR_SHARE, Side::NotSeen, errors),
        row(SESSIONS_FAILED, failed, Side::NotSeen),
        row(QUEUE_PEAK, Side::NotSeen, queued),
        row(QUEUE_END, Side::NotSeen, left),
        row(COST, shown, cost),
    ]);
    rows
}

/// Medians and 95th percentiles.
fn latencies(tally: &Tally, watched: &Watched) -> Vec<Row> {
    let heard = tally.latencies_ms();
    let both = [
        (FIRST_VOICE_ROWS, Some(&tally.first_voice_ms), FIRST_VOICE),
        (HEARD_LATENCY_ROWS, Some(&heard), HEARD_LATENCY),
        (PROVIDER_LATENCY_ROWS, None, PROVIDER_LATENCY),
    ];
    let rows = both.into_iter().flat_map(|(rows, sorted_ms, metrics)| {
        let histogram = histogram(watched, metrics);
        rows.into_iter().map(move |(key, name, percent)| Row {
            key,
            name,
            unit: Unit::Ms,
            participants: sorted_ms.map_or(Side::NotSeen, |sorted_ms| rank(sorted_ms, percent)),
            server: quantile(histogram.as_ref(), percent),
        })
    });
    rows.collect()
}

fn share(of: usize, all: usize) -> f64 {
    let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(of) / number(all.max(1))
}

fn seen(value: Option<f64>) -> Side {
    value.map_or(Side::NoSamples, Side::Value)
}

fn exported(value: Option<f64>) -> Side {
    value.map_or(Side::NotExported, Side::Value)
}

fn rank(sorted_ms: &[u32], percent: u8) -> Side {
    seen(percentile(sorted_ms, usize::from(percent)).map(f64::from))
}

fn quantile(histogram: Option<&Histogram>, percent: u8) -> Side {
    let Some(histogram) = histogram else {
        return Side::NotExported;
    };
    let quantile = histogram.quantile(f64::from(percent) / 100.0);
    seen(quantile.map(|seconds| seconds * 1_000.0))
}

/// The first of these that is exported.
fn histogram(watched: &Watched, names: &[&str]) -> Option<Histogram> {
    let mut found = names
        .iter()
        .map(|name| watched.after.histogram(&watched.before, name));
    found.find_map(|histogram| histogram)
}

/// Counted by us where both counters are there; otherwise what the server says of its last minutes.
fn provider_errors(watched: &Watched) -> Option<f64> {
    let growth = |name: &&str| watched.after.growth(&watched.before, name);
    let counted = PROVIDER_ERRORS.iter().find_map(growth);
    match counted.zip(growth(&PROVIDER_RESPONSES)) {
        // A provider that is not reached at all errs without having answered.
        Some((errors, responses)) => Some(errors / responses.max(errors).max(1.0)),
        None => watched.after.sum("colloquy_provider_error_ratio"),
    }
}

/// Of the sessions that ended meanwhile: a histogram of costs, or two counters, or a gauge.
fn cost(watched: &Watched) -> Side {
    let growth = |name: &str| watched.after.growth(&watched.before, name);
    let part = |sum: Option<f64>, count: Option<f64>| {
        let (sum, count) = sum.zip(count)?;
        Some(if count > 0.0 {
            Side::Value(sum / count)
        } else {
            Side::NoSamples
        })
    };
    let of_histogram = part(
        growth(&format!("{SESSION_COST}_sum")),
        growth(&format!("{SESSION_COST}_count")),
    );
    of_histogram
        .or_else(|| part(growth(ENDED_COST), growth(ENDED)))
        .unwrap_or_else(|| exported(watched.after.sum(SESSION_COST)))
}

fn mean_ms(watched: &Watched, names: &[&str]) -> Option<f64> {
    let growth = |name: &str, end: &str| {
        let name = format!("{name}{end}");
        watched.after.growth(&watched.before, &name)
    };
    let means = names.iter().filter_map(|name| {
        let count = growth(name, "_count").filter(|count| *count > 0.0)?;
        Some(growth(name, "_sum")? * 1_000.0 / count)
    });
    means.into_iter().next()
}

/// What plots of the server's side need.
///
/// `held`: what was said when the last had joined, and before the first was ended.
pub(super) fn distributions(watched: &Watched, held: Option<&(Scrape, Scrape)>) -> Exported {
    let parts = |names| {
        histogram(watched, names)
            .map(|one| one.parts())
            .unwrap_or_default()
    };
    let p95_ms = |name| {
        let (from, until) = held?;
        Some(until.histogram(from, name)?.quantile(0.95)? * 1_000.0)
    };
    Exported {
        added_in_p95_ms: p95_ms(AUDIO_IN),
        added_out_p95_ms: p95_ms(AUDIO_OUT),
        first_voice: parts(FIRST_VOICE),
        heard_latency: parts(HEARD_LATENCY),
        first_voice_mean_ms: mean_ms(watched, FIRST_VOICE),
        heard_latency_mean_ms: mean_ms(watched, HEARD_LATENCY),
        dropped: watched.after.growth_by(&watched.before, DROPPED, "kind"),
    }
}

/// What the process took between two readings; sessions are those that the looks in between saw. None without sessions.
pub(super) fn process(watched: &Watched, from: (f64, Used), until: (f64, Used)) -> Option<Process> {
    let seconds = until.0 - from.0;
    let within = watched
        .looks
        .iter()
        .filter(|look| look.at_s >= from.0 && look.at_s <= until.0);
    let counts: Vec<f64> = within
        .map(|look| look.live.unwrap_or_else(|| f64::from(look.connected)))
        .collect();
    let sessions = counts.iter().sum::<f64>() / f64::from(u32::try_from(counts.len()).ok()?);
    if !(sessions > 0.0 && seconds > 0.0) {
        return None;
    }
    let idle = watched.idle?;
    let cpu = until.1.cpu.saturating_sub(from.1.cpu).as_secs_f64() / seconds;
    let grown = megabytes(until.1.pss_kb.saturating_sub(idle.pss_kb));
    Some(Process {
        sessions,
        seconds,
        cpu_cores: cpu,
        cpu_cores_per_session: cpu / sessions,
        pss_idle_mb: megabytes(idle.pss_kb),
        pss_mb: megabytes(until.1.pss_kb),
        pss_mb_per_session: grown / sessions,
    })
}

#[cfg(test)]
mod tests;
