//! `colloquy serve`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use server::config::{Config, LogFormat};
use store::StoreConfig;
use tokio_util::sync::CancellationToken;

use crate::output;

/// Where the configuration is.
#[derive(clap::Args)]
pub(crate) struct ConfigArguments {
    /// A TOML file laid over the defaults; COLLOQUY__SECTION__KEY variables go over both.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The store of this configuration for a command that only reads, under a name that no node has: several nodes and such
/// commands may use one database of PostgreSQL at once. A file of SQLite still belongs to one process.
pub(crate) fn store_beside_nodes(config: &Config) -> StoreConfig {
    let mut place = StoreConfig::new(&config.store.database, &config.store.recordings);
    place.node = format!("command-{}", ulid::Ulid::generate());
    place
}

/// Arguments of `serve`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

/// Reads and checks the configuration, or says everything that is wrong with it.
pub(crate) fn config(arguments: &ConfigArguments) -> anyhow::Result<Config> {
    let text = match &arguments.config {
        Some(path) => Some(std::fs::read_to_string(path).with_context(|| {
            format!(
                "the configuration {} cannot be read: check the path and its permissions",
                path.display()
            )
        })?),
        None => None,
    };
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    Config::load(text.as_deref(), &variables).map_err(|mistakes| {
        for mistake in &mistakes {
            output::wrong(mistake);
        }
        anyhow::anyhow!(
            "the configuration has {} mistake(s), listed above; nothing was started",
            mistakes.len()
        )
    })
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = config(&arguments.config)?;
    start_log(&config)?;
    if config.provider.openai_api_key.expose().is_empty()
        && config.provider.openai_base_url.contains("api.openai.com")
    {
        bail!(
            "no provider key is set, so no interview could run: set COLLOQUY__PROVIDER__OPENAI_API_KEY, \
             or try everything without a key with `colloquy demo`"
        );
    }
    runtime()?.block_on(async {
        let stop = stop_on_signal()?;
        server::boot::serve(config, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The runtime of everything that is not media.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("control")
        .build()
        .context("the runtime cannot start: this machine gives no more threads")
}

/// Cancelled at the first SIGTERM or Ctrl-C.
pub(crate) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

/// Log lines to stderr. Words of people appear at trace only, so the level decides what is private.
pub(crate) fn start_log(config: &Config) -> anyhow::Result<()> {
    use tracing_subscriber::EnvFilter;
    // Libraries speak at warn and above: their info is not for an operator.
    let filter = EnvFilter::try_new(format!(
        "warn,server={0},store={0},media={0},sim={0}",
        config.log.level.name()
    ))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match config.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot start: {error}"))
}
