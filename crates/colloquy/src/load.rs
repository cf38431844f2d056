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

/// Loads a server and tells how it went. Succeeds only if no session failed for a reason that was not planned.
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
    Ok(if result.tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
