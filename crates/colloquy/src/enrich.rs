//! `colloquy enrich eval`: how far coding in batches agrees with coding each segment alone, and what it saves.

use std::process::ExitCode;

use anyhow::Context;
use engine::ids::StudyId;
use server::work::{Evaluation, Sized, evaluate};
use store::{Database, Store};

use crate::output;
use crate::serve::{ConfigArguments, runtime, store_beside_nodes};

/// Calls between two lines of progress.
const PROGRESS_EVERY: usize = 50;

/// Arguments of `enrich`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Code a study's answers alone and in batches, and print how far they agree. Costs what the calls cost; stores nothing.
    Eval(Eval),
}

#[derive(clap::Args)]
struct Eval {
    #[command(flatten)]
    config: ConfigArguments,
    /// The study whose answers are coded.
    #[arg(long, value_name = "ID")]
    study: String,
    /// Sizes of batches, 1 to 20. 1 is a second run of single calls: how far the model agrees with itself.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1,10,20",
          value_parser = clap::value_parser!(u32).range(1..=20))]
    batch: Vec<u32>,
    /// Answers at most, of the newest interviews.
    #[arg(long, default_value_t = 500)]
    segments: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Command::Eval(arguments) = &arguments.command;
    let config = crate::serve::config(&arguments.config)?;
    let place = store_beside_nodes(&config);
    anyhow::ensure!(
        matches!(place.database, Database::Postgres(_)) || config.store.database.exists(),
        "there is no database at {}: give the server's configuration with --config",
        place.database
    );
    runtime()?.block_on(async {
        let store = Store::open(place)
            .await
            .context("the store cannot be opened; stop the server that uses it")?;
        let id = StudyId::from(arguments.study.as_str());
        let row = store.study(&id, None).await?;
        let row = row.with_context(|| format!("there is no study {id} in this store"))?;
        let study = server::study::parse(&row.source).map_err(|mistakes| {
            let first = mistakes.first().map(ToString::to_string);
            anyhow::anyhow!(
                "the study {id} is no longer accepted: {}",
                first.unwrap_or_default()
            )
        })?;
        let (_, prices) = server::boot::provider_data(&config)?;
        let prices = prices.prices_of(&[&config.enrichment.model], &server::app::today());
        let prices = prices.unwrap_or_else(|error| {
            output::line(format!("No cost is known: {error}"));
            engine::cost::Prices::default()
        });
        let quiet = arguments.json;
        let told = |size: u32, done: usize, of: usize| {
            if !quiet && (done.is_multiple_of(PROGRESS_EVERY) || done == of) {
                output::line(format!("  batches of {size}: {done} of {of} calls"));
            }
        };
        let (most, sizes) = (arguments.segments, &arguments.batch);
        let found = evaluate(&config, &store, (&id, &study), prices, most, sizes, &told).await?;
        store.close().await?;
        print(&found, arguments.json)?;
        // Without a single comparison nothing was measured.
        let measured = found.sizes.iter().all(|size| size.compared > 0);
        Ok(if measured {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}

fn print(found: &Evaluation, json: bool) -> anyhow::Result<()> {
    if json {
        output::line(serde_json::to_string_pretty(found)?);
        return Ok(());
    }
    output::line(format!(
        "{} answers of {} interviews, {}, prompt {}",
        found.segments, found.sessions, found.model, found.prompt_version
    ));
    output::line("batch  calls  missing  sentiment  topics   tokens      cost  of single calls");
    output::line(line(&found.alone, found));
    for size in &found.sizes {
        output::line(line(size, found));
    }
    for size in std::iter::once(&found.alone).chain(&found.sizes) {
        for (why, calls) in &size.failed {
            output::line(format!(
                "batches of {}: {calls} calls failed: {why}",
                size.batch
            ));
        }
    }
    output::line(
        "Agreement is with the first run of single calls: equal sentiment, and the mean overlap of topics.",
    );
    Ok(())
}

fn line(size: &Sized, found: &Evaluation) -> String {
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:.1} %", 100.0 * share),
        None => "-".to_owned(),
    };
    #[expect(clippy::cast_precision_loss, reason = "for people, rounded")]
    let (cost, saved) = (
        size.cost_micro_usd as f64 / 1_000_000.0,
        (found.alone.tokens > 0).then(|| size.tokens as f64 / found.alone.tokens as f64),
    );
    format!(
        "{:>5}  {:>5}  {:>7}  {:>9}  {:>6}  {:>7}  ${cost:.4}  {} of the tokens",
        size.batch,
        size.calls,
        size.missing,
        percent(size.sentiment_agreement),
        percent(size.topic_agreement),
        size.tokens,
        percent(saved),
    )
}
