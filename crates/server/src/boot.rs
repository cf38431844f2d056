//! From a configuration to a running server, and back to nothing.
//!
//! Start: everything that can be wrong is found before the first participant is let in, each with what happened, what it
//! means and what to do. Stop: no new sessions, running ones may end within the deadline, what remains is paused for the
//! next process, then everything is flushed. Nothing waits for ever.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use providers::{PriceBook, Profiles, Secret};
use store::{NewStudy, OnCommit, Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{App, CHANGES_MAX, Readiness, Studies};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::session::{self, MakeCodec, Parts, Registry, Shards};
use crate::udp::{Net, NetParams, NetThread};
use crate::{http, secrets, vitals, work};

/// For requests that are being answered and jobs under way when the server stops. Event streams never end by themselves;
/// a job that is cut off runs again at the next start.
const OTHERS_WITHIN: Duration = Duration::from_secs(2);

/// A running server. Stop it with [`Running::stop`]; dropping it leaves its tasks to the runtime.
pub struct Running {
    app: Arc<App>,
    token: Secret,
    http_addr: SocketAddr,
    media_addr: SocketAddr,
    http: JoinHandle<()>,
    http_stop: CancellationToken,
    work: JoinHandle<()>,
    work_stop: CancellationToken,
    net: NetThread,
}

/// Serves until `stop` is cancelled, then ends within the configured deadline.
///
/// # Errors
/// Whatever keeps the server from starting, with a remedy.
pub async fn serve(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let running = start(config).await?;
    running.greet();
    stop.cancelled().await;
    tracing::info!(
        "stopping: new interviews are refused, running ones may end, the rest is paused"
    );
    running.stop().await;
    Ok(())
}

/// Starts a server. Ports may be 0; the addresses that were really bound can be asked for.
///
/// # Errors
/// Whatever keeps the server from starting, with a remedy.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    start_with(config, providers::codec, store::Clock::System).await
}

/// Like [`start`], with codecs and a wall clock of one's own.
///
/// # Errors
/// Whatever keeps the server from starting, with a remedy.
pub async fn start_with(
    mut config: Config,
    codec: MakeCodec,
    wall: store::Clock,
) -> anyhow::Result<Running> {
    let metrics = Arc::new(Metrics::new());
    let clock = Clock::start();
    let (profiles, prices) = provider_data(&config)?;
    let listener = listen(config.http.addr).await?;
    let http_addr = listener
        .local_addr()
        .context("the address of the HTTP listener cannot be read")?;
    config.http.addr = http_addr;
    let params = NetParams {
        udp: config.media.udp_addr,
        tcp: config.media.tcp_addr,
        advertise: config.media.advertise_ips.clone(),
    };
    let (net, net_thread) = Net::bind(&params, Arc::clone(&metrics))?;
    let media_addr = net.udp_addr();
    let store = open_store(&config, wall, &metrics).await?;
    let began_at_us = store.now_us();
    let token = secrets::console_token(&config.http.console_token, config.store.beside())
        .context("the console token cannot be read or kept beside the database; check that folder's permissions")?;
    load_studies(&store, &config.studies.folder).await?;
    let cap = i64::try_from(config.capacity.sessions_max).unwrap_or(i64::MAX);
    metrics.sessions_cap.set(cap);
    let shards = Shards::start(config.media.shards, &net, &metrics)
        .context("the media threads cannot start: this machine gives no more")?;
    let (changes, _) = broadcast::channel(CHANGES_MAX);
    let registry = Registry::new(Parts {
        config: config.clone(),
        store: store.clone(),
        metrics: Arc::clone(&metrics),
        clock,
        changes: changes.clone(),
        net,
        shards,
        node: config.store.node.clone(),
        codec,
    });
    let http_stop = CancellationToken::new();
    let gate = work::Gate::new(
        config.enrichment.concurrency,
        Duration::from_millis(config.enrichment.probe_every_ms),
        clock,
        Arc::clone(&metrics),
    );
    let app = Arc::new(App {
        public_url: config.public_url(),
        config,
        store,
        registry,
        metrics,
        profiles,
        prices,
        machine: vitals::Machine::default(),
        raised: vitals::Raised::default(),
        gate: Arc::new(gate),
        studies: Studies::default(),
        changes,
        clock,
        console_token_hash: secrets::hash(token.expose()),
        began_at_us,
        closing: http_stop.clone(),
        readiness: Arc::new(Readiness::default()),
    });
    let http = tokio::spawn(serve_http(listener, Arc::clone(&app), http_stop.clone()));
    let work_stop = CancellationToken::new();
    let work = tokio::spawn(work::run(Arc::clone(&app), work_stop.clone()));
    let lapsed = session::watch(Arc::clone(&app), work_stop.clone());
    drop(tokio::spawn(lapsed));
    drop(tokio::spawn(vitals::watch(
        Arc::clone(&app),
        work_stop.clone(),
    )));
    app.readiness.set(true);
    Ok(Running {
        app,
        token,
        http_addr,
        media_addr,
        http,
        http_stop,
        work,
        work_stop,
        net: net_thread,
    })
}

impl Running {
    /// Where pages and API are.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where media is received over UDP.
    #[must_use]
    pub fn media_addr(&self) -> SocketAddr {
        self.media_addr
    }

    /// What opens the console.
    #[must_use]
    pub fn console_token(&self) -> &str {
        self.token.expose()
    }

    /// The shared parts.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Ends everything within the configured deadline and a few seconds for what must be written.
    pub async fn stop(self) {
        let Running {
            app,
            http,
            http_stop,
            work,
            work_stop,
            net,
            ..
        } = self;
        app.readiness.set(false);
        let deadline = Duration::from_millis(app.config.shutdown.deadline_ms);
        if !app.registry.drain(deadline).await {
            tracing::error!(
                sessions = app.registry.live(),
                "sessions were left behind; the next start takes them over"
            );
        }
        http_stop.cancel();
        work_stop.cancel();
        for task in [http, work] {
            let abort = task.abort_handle();
            if timeout(OTHERS_WITHIN, task).await.is_err() {
                abort.abort();
            }
        }
        let registry = app.registry.clone();
        let joined = tokio::task::spawn_blocking(move || {
            registry.stop_shards();
            net.stop();
        });
        if joined.await.is_err() {
            tracing::error!("ending the media threads panicked");
        }
        if let Err(error) = app.store.close().await {
            tracing::error!(%error, "the store could not be closed properly; what was committed is safe");
        }
    }

    /// Tells the person at the terminal where to go. The console link holds the token, so it is not a log line.
    fn greet(&self) {
        use std::io::Write;
        let base = self.app.config.public_url();
        let mut terminal = std::io::stdout();
        // A closed terminal is no reason not to serve.
        drop(writeln!(
            terminal,
            "Colloquy serves at {base}\nconsole: {base}/console#token={}",
            self.token.expose()
        ));
    }
}

async fn listen(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!(
            "pages and API cannot be served on {addr}, so nobody could reach this server. \
             Stop the program that uses this port, or set http.addr to a free one"
        )
    })
}

/// What is known of providers: their profiles and prices, with the operator's files over them.
///
/// # Errors
/// If a file cannot be used.
pub fn provider_data(config: &Config) -> anyhow::Result<(Profiles, PriceBook)> {
    let profiles = optional_file(&config.provider.profiles_file)?;
    let profiles = Profiles::with(profiles.as_deref()).context(
        "the profiles file cannot be used; correct it, or leave provider.profiles_file empty",
    )?;
    let prices = optional_file(&config.provider.prices_file)?;
    let prices = PriceBook::with(prices.as_deref()).context(
        "the prices file cannot be used; correct it, or leave provider.prices_file empty",
    )?;
    Ok((profiles, prices))
}

async fn serve_http(listener: TcpListener, app: Arc<App>, stop: CancellationToken) {
    let service = http::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "HTTP is no longer served");
    }
}

async fn open_store(
    config: &Config,
    wall: store::Clock,
    metrics: &Metrics,
) -> anyhow::Result<Store> {
    let mut store_config = StoreConfig::new(&config.store.database, &config.store.recordings);
    // One process at a time has this name, which the store makes sure of; so whatever it owns now is a dead process's.
    let node = &config.store.node;
    store_config.node.clone_from(node);
    store_config.clock = wall;
    let commits = metrics.store_commit_seconds.clone();
    store_config.on_commit = OnCommit::tell(move |took| commits.observe(took.as_secs_f64()));
    let store = Store::open(store_config).await?;
    let released = store.release_own_leases(node).await?;
    let found = session::take_over(&store, metrics, node).await?;
    let counted = |became, found: usize| {
        metrics
            .taken_over
            .get_or_create(&[("became", became)])
            .inc_by(u64::try_from(found).unwrap_or(u64::MAX));
    };
    counted("paused", found.paused);
    counted("ended", found.ended);
    counted("damaged", found.damaged);
    metrics
        .pauses
        .get_or_create(&[("cause", "crash")])
        .inc_by(u64::try_from(found.crashed).unwrap_or(u64::MAX));
    if released > 0 || found != session::Found::default() {
        tracing::warn!(
            paused = found.paused,
            ended = found.ended,
            damaged = found.damaged,
            jobs = released,
            "the last process left interviews or jobs: paused ones wait for their participants, jobs start again"
        );
    }
    Ok(store)
}

fn optional_file(path: &Path) -> anyhow::Result<Option<String>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path);
    text.map(Some).with_context(|| {
        format!(
            "{} cannot be read; check the path and its permissions",
            path.display()
        )
    })
}

/// Keeps every study of the folder. A file with a mistake stops the start: an operator who put it there expects it to run.
async fn load_studies(store: &Store, folder: &Path) -> anyhow::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let listed = std::fs::read_dir(folder).with_context(|| {
        format!(
            "the studies folder {} cannot be read; set studies.folder to another, or to nothing",
            folder.display()
        )
    })?;
    let mut paths: Vec<_> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    });
    paths.sort();
    for path in paths {
        let source = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let study = match crate::study::parse(&source) {
            Ok(study) => study,
            Err(mistakes) => {
                let listed: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                bail!(
                    "the study {} has mistakes, so it cannot run:\n{}",
                    path.display(),
                    listed.join("\n")
                );
            }
        };
        store
            .put_study(NewStudy {
                study_id: study.id.clone(),
                title: study.title.clone(),
                source,
            })
            .await?;
    }
    Ok(())
}
