//! `colloquy bench`: what the product costs and how long it takes, measured from outside.
//!
//! The server under test is a process of its own (`colloquy serve`), reached over loopback only. Participants and the
//! vendor are in this process, so that what goes in and what comes out is timed on one clock.

mod call;
mod capacity;
mod enrichment;
mod figure;
mod first_voice;
mod latency;
mod load;
pub(crate) mod machine;
mod mark;
mod programs;
mod recovery;
mod report;
mod vendor;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::serve::runtime;
use crate::{calm, output};
use figure::{Figure, Verdict};

/// Longest time that one measurement may take beyond its own seconds: builds nothing, waits for nobody.
const OVERHEAD_MAX: Duration = Duration::from_secs(10 * 60);

/// Arguments of `bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the figures are written, as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    out: PathBuf,
    /// Sessions at once, where that matters.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    sessions: u32,
    /// How long is measured, where that matters.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=1_800))]
    seconds: u64,
    /// How often each of the capacity's runs is made; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    runs: u32,
    /// Only this measurement; can be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<Measurement>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measurement {
    /// Inputs per second of the session machine.
    Engine,
    /// Appends per second of the journal, and how long one takes.
    Journal,
    /// What the platform adds to audio, in and out.
    Latency,
    /// Time to first voice.
    FirstVoice,
    /// CPU and memory per session.
    Load,
    /// From the end of an interview to its report.
    Report,
    /// From the network, the page or the server being back to the interview going on, for a hundred at once.
    Recovery,
    /// The work after two hundred interviews that end at once.
    Enrichment,
    /// Two hundred interviews at once beside five, and a server without any.
    Capacity,
}

/// All of them: the short ones first, so that a mistake shows early.
const ALL: [Measurement; 9] = [
    Measurement::Engine,
    Measurement::Journal,
    Measurement::FirstVoice,
    Measurement::Latency,
    Measurement::Load,
    Measurement::Report,
    Measurement::Recovery,
    Measurement::Enrichment,
    Measurement::Capacity,
];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    sessions: u32,
    length: Duration,
    /// Where the median counts.
    runs: u32,
}

/// Measures, prints and writes. A goal that is missed is a result, not a failure; something that cannot be measured is.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let extent = Extent {
        sessions: arguments.sessions,
        length: Duration::from_secs(arguments.seconds),
        runs: arguments.runs,
    };
    output::line(format!("{}\n", machine::describe()));
    let runtime = runtime()?;
    let calm = calm::runtime("control", capacity::SESSIONS)?;
    let mut figures: Vec<Figure> = Vec::new();
    let mut failed = 0;
    for measurement in ALL
        .into_iter()
        .filter(|one| arguments.only.is_empty() || arguments.only.contains(one))
    {
        let began = Instant::now();
        let limit = extent.length + OVERHEAD_MAX;
        let (limit, runtime) = match measurement {
            Measurement::Capacity => (limit * extent.runs, &calm),
            Measurement::Engine
            | Measurement::Journal
            | Measurement::Latency
            | Measurement::FirstVoice
            | Measurement::Load
            | Measurement::Report
            | Measurement::Recovery
            | Measurement::Enrichment => (limit, &runtime),
        };
        let measured = runtime
            .block_on(async { tokio::time::timeout(limit, measure(measurement, extent)).await });
        let measured = measured
            .with_context(|| format!("not finished after {} s", limit.as_secs()))
            .flatten();
        match measured {
            Ok(new) => {
                print(&new);
                figures.extend(new);
            }
            Err(error) => {
                failed += 1;
                output::wrong(format!("{measurement:?} could not be measured: {error:#}"));
            }
        }
        output::line(format!(
            "  ({measurement:?}: {:.0} s)",
            began.elapsed().as_secs_f64()
        ));
    }
    write(&arguments.out, &figures)?;
    let missed: Vec<&str> = figures
        .iter()
        .filter(|figure| figure.verdict() == Verdict::Missed)
        .map(Figure::name)
        .collect();
    output::line(format!(
        "\n{} figures in {}",
        figures.len(),
        arguments.out.display()
    ));
    if !missed.is_empty() {
        output::line(format!("MISSED: {}", missed.join(", ")));
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The figures, and how they were measured below those that were measured together.
fn print(figures: &[Figure]) {
    for (index, figure) in figures.iter().enumerate() {
        output::line(figure.row());
        let next = figures.get(index + 1).map(Figure::method);
        if next != Some(figure.method()) {
            output::line(format!("    {}", figure.method()));
        }
    }
}

async fn measure(measurement: Measurement, extent: Extent) -> anyhow::Result<Vec<Figure>> {
    match measurement {
        Measurement::Engine => programs::engine().await,
        Measurement::Journal => programs::journal().await,
        Measurement::Latency => latency::measure(extent).await,
        Measurement::FirstVoice => first_voice::measure().await,
        Measurement::Load => load::measure(extent).await,
        Measurement::Report => report::measure().await,
        Measurement::Recovery => recovery::measure().await,
        Measurement::Enrichment => enrichment::measure().await,
        Measurement::Capacity => capacity::measure(extent).await,
    }
}

fn write(path: &std::path::Path, figures: &[Figure]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    let mut text = serde_json::to_string_pretty(figures)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
