//! Measurements that are programs of their own: examples of the crates that they measure, built by `make bench`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::figure::Figure;
use super::machine;

/// Inputs of the random walk.
const INPUTS: &str = "2000000";
/// Seconds of each part of the journal's measurement.
const JOURNAL_SECONDS: &str = "10";
/// Neither takes longer, not even as a development build.
const WITHIN: Duration = Duration::from_secs(5 * 60);

/// Inputs per second of the session machine.
pub(super) async fn engine() -> anyhow::Result<Vec<Figure>> {
    let text = example("walk", "engine", INPUTS).await?;
    let mut words = text.split_whitespace();
    let rate: f64 = words
        .find(|word| *word == "inputs_per_s")
        .and_then(|_| words.next()?.parse().ok())
        .with_context(|| format!("`walk` printed no inputs_per_s: {text}"))?;
    let method = format!(
        "recorded random walk handled again on one thread, engine/examples/walk.rs: {}; {}",
        text.trim(),
        machine::describe()
    );
    Ok(vec![Figure::new(
        "engine_inputs",
        rate,
        "inputs/s",
        Some(">= 1000000"),
        method,
    )])
}

/// What the store's own measurement prints, one object a line.
#[derive(Deserialize)]
struct Printed {
    name: String,
    value: f64,
    unit: String,
    goal: Option<String>,
    method: String,
}

/// Appends per second of the journal, and how long one takes.
pub(super) async fn journal() -> anyhow::Result<Vec<Figure>> {
    let text = example("journal_rate", "store", JOURNAL_SECONDS).await?;
    let printed: Vec<Printed> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("`journal_rate` printed something else than figures")?;
    ensure!(!printed.is_empty(), "`journal_rate` printed nothing");
    let figure = |printed: Printed| {
        let method = format!(
            "{}, store/examples/journal_rate.rs; {}",
            printed.method,
            machine::describe()
        );
        Figure::new(
            &printed.name,
            printed.value,
            &printed.unit,
            printed.goal.as_deref(),
            method,
        )
    };
    Ok(printed.into_iter().map(figure).collect())
}

/// Runs an example that lies beside this program; gives back what it printed.
async fn example(name: &str, package: &str, argument: &str) -> anyhow::Result<String> {
    let path = beside_this(name)?;
    if !path.exists() {
        let release = if cfg!(debug_assertions) {
            ""
        } else {
            "--release "
        };
        bail!(
            "{} is not built: `make bench` builds it, or `cargo build {release}-p {package} --example {name}`",
            path.display()
        );
    }
    let mut command = Command::new(&path);
    command
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = timeout(WITHIN, command.output())
        .await
        .with_context(|| format!("`{name}` did not finish"))??;
    ensure!(
        output.status.success(),
        "`{name}` failed: {}",
        output.status
    );
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{name}` printed something else than text"))
}

fn beside_this(name: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let folder = program.parent().context("this program lies in no folder")?;
    Ok(folder.join("examples").join(name))
}
