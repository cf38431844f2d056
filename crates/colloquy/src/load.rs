//! `colloquy load`: many synthetic participants at once, and what they and the server say about it.
//!
//! ```text
//!   people ──WebRTC, HTTP──> server under test ──WebSocket──> provider (or our simulator)
//!     │ what they heard          │ /metrics, /proc/PID
//!     └────────> tally <─────────┘
//! ```
//!
//! The load comes from this process and goes through the public API only, so the server may be any: one that runs, or,
//! without `--url`, one that is started here as a process of its own. What is drawn from the seed is who joins when, whose
//! voice speaks, who interrupts, and who drops out; at which word that happens depends on the machine.

mod args;
mod figures;
mod html;
mod people;
mod plan;
mod progress;
mod run;
mod sample;
mod server;
mod tally;
mod target;
mod text;
mod watch;
mod wave;

use std::process::ExitCode;

use anyhow::Context;

use crate::{calm, output};
pub(crate) use args::Arguments;

/// What the bench wants to know of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) failed: u32,
    /// Who stood in line to the end.
    pub(crate) never_in: u32,
    /// Holes over 60 ms in speech, and the longest.
    pub(crate) gaps: u64,
    /// Of these, while nobody joined any more and nobody was ended yet.
    pub(crate) gaps_held: usize,
    pub(crate) gap_longest_ms: u32,
    pub(crate) cpu_cores_per_session: Option<f64>,
    pub(crate) pss_mb_per_session: Option<f64>,
    /// As the participants saw them.
    pub(crate) first_voice_p95_ms: Option<f64>,
    pub(crate) heard_latency_p95_ms: Option<f64>,
    /// By the server's account, both ways together.
    pub(crate) added_p95_ms: Option<f64>,
    /// What the server dropped, by kind.
    pub(crate) dropped: Vec<(String, f64)>,
}

/// Loads a server, and tells what the bench wants to know.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Held> {
    let loaded = run::hold(arguments).await?;
    let tally = &loaded.tally;
    let p95 = |sorted: &[u32]| tally::percentile(sorted, 95).map(f64::from);
    let exported = &loaded.exported;
    Ok(Held {
        failed: u32::try_from(tally.failed)?,
        never_in: u32::try_from(tally.never_in)?,
        gaps: tally.gaps.count,
        gaps_held: loaded.gaps_held(),
        gap_longest_ms: tally.gaps.longest_ms,
        cpu_cores_per_session: loaded.process.map(|process| process.cpu_cores_per_session),
        pss_mb_per_session: loaded.process.map(|process| process.pss_mb_per_session),
        first_voice_p95_ms: p95(&tally.first_voice_ms),
        heard_latency_p95_ms: p95(&tally.latencies_ms()),
        added_p95_ms: exported
            .added_in_p95_ms
            .zip(exported.added_out_p95_ms)
            .map(|(inbound, outbound)| inbound + outbound),
        dropped: exported.dropped.clone(),
    })
}

/// Loads a server and tells how it went. Succeeds only if no session failed for a reason that was not planned, and somebody got in.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let result = calm::runtime("control", arguments.sessions)?.block_on(run::hold(arguments))?;
    output::line(text::text(&result));
    let files = [
        (&arguments.json, result.json()?),
        (&arguments.html, html::page(&result)),
    ];
    for (path, text) in files {
        if let Some(path) = path {
            std::fs::write(path, text).with_context(|| {
                format!(
                    "{} cannot be written: check the path and its permissions",
                    path.display()
                )
            })?;
            output::line(format!("  written to {}", path.display()));
        }
    }
    Ok(if result.tally.verdict().0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
