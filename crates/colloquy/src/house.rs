//! The server under test: `colloquy serve` as a process of its own, configured by its environment only, and the
//! simulator that it is given.

pub(crate) mod api;

use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use sim::provider::{SimConfig, Sockets};
use store::StoreConfig;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::calm;
use api::Api;

/// From the start of the process to the line that says where it serves.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// How often a free port is looked for: between finding it and using it another program may take it.
const PORT_TRIES: u32 = 10;

/// The study of all measurements: it has rendered speech for everything that is said.
pub(crate) const STUDY: &str = "remote-work-tools";
/// Its text.
pub(crate) const STUDY_YAML: &str = include_str!("../../../studies/remote-work-tools.yaml");

/// A server, in a folder that is removed with it.
pub(crate) struct House {
    pub(crate) api: Api,
    pub(crate) pid: u32,
    /// From the start of the process until it said that it serves.
    pub(crate) started_in: Duration,
    /// Killed when dropped: nothing of it is needed afterwards.
    child: Child,
    place: Place,
}

/// What stays the same when the server is started again.
struct Place {
    folder: TempDir,
    http: SocketAddr,
    media: SocketAddr,
    provider: SocketAddr,
    settings: Vec<(&'static str, String)>,
}

impl House {
    /// Starts a server whose provider is at this address.
    pub(crate) async fn open(provider: SocketAddr) -> anyhow::Result<House> {
        House::open_with(provider, Vec::new()).await
    }

    /// Starts one with further settings, `COLLOQUY__SECTION__KEY` and value.
    pub(crate) async fn open_with(
        provider: SocketAddr,
        settings: Vec<(&'static str, String)>,
    ) -> anyhow::Result<House> {
        let folder =
            TempDir::with_prefix("colloquy-house-").context("no folder for the server's data")?;
        let place = Place {
            folder,
            http: free_port()?,
            media: free_port()?,
            provider,
            settings,
        };
        let began = Instant::now();
        let (child, base, token) = place.start().await?;
        let started_in = began.elapsed();
        let api = Api::new(base, token)?;
        api.put_study(STUDY_YAML)
            .await
            .context("the study was not accepted")?;
        Ok(House {
            api,
            pid: child.id().context("the server process ended at once")?,
            started_in,
            child,
            place,
        })
    }

    /// SIGKILL: it gets no chance to write anything.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .context("the server cannot be killed")
    }

    /// SIGTERM: it may finish in its own time. Returns how it ended.
    pub(crate) async fn terminate(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        kill_process(pid.context("the server has no process id")?, Signal::TERM)
            .context("the server cannot be told to stop")?;
        match timeout(within, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!(
                "the server had not stopped {} s after SIGTERM",
                within.as_secs()
            ),
        }
    }

    /// Where its data is. It can be opened while the server does not run.
    pub(crate) fn data(&self) -> StoreConfig {
        let folder = self.place.folder.path();
        StoreConfig::new(folder.join("colloquy.db"), folder.join("recordings"))
    }

    /// Starts it again after its end, in the same place.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (child, _, _) = self.place.start().await?;
        self.pid = child.id().context("the server process ended at once")?;
        self.child = child;
        Ok(())
    }
}

impl Place {
    /// Starts a process; returns it, its address and the token of its console.
    async fn start(&self) -> anyhow::Result<(Child, String, String)> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let program = std::env::current_exe().context("the path of this program is unknown")?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COLLOQUY__")) {
            // The figures are those of the defaults, not of whoever measures.
            command.env_remove(name);
        }
        command
            .env("COLLOQUY__HTTP__ADDR", self.http.to_string())
            .env("COLLOQUY__MEDIA__UDP_ADDR", self.media.to_string())
            .env("COLLOQUY__MEDIA__TCP_ADDR", self.media.to_string())
            .env("COLLOQUY__STORE__DATABASE", path("colloquy.db"))
            .env("COLLOQUY__STORE__RECORDINGS", path("recordings"))
            .env(
                "COLLOQUY__PROVIDER__OPENAI_BASE_URL",
                format!("http://{}/v1", self.provider),
            )
            .env("COLLOQUY__PROVIDER__OPENAI_API_KEY", "bench")
            // All participants come from one address here.
            .env("COLLOQUY__HTTP__REQUESTS_PER_MINUTE", "60000")
            .env("COLLOQUY__HTTP__REQUESTS_BURST", "10000")
            // Whoever measures is on the same cores, and counts as strain.
            .env("COLLOQUY__CAPACITY__CPU_PERCENT_MAX", "100")
            .env("COLLOQUY__CAPACITY__LATE_PERCENT_MAX", "100")
            .env("COLLOQUY__LOG__LEVEL", "error")
            .envs(self.settings.iter().cloned());
        let mut child = command
            .spawn()
            .context("the server process cannot be started")?;
        let stdout = child
            .stdout
            .take()
            .context("the server's output is not there")?;
        match timeout(STARTED_WITHIN, announced(stdout)).await {
            Ok(found) => {
                let (base, token) = found?;
                Ok((child, base, token))
            }
            Err(_) => bail!(
                "the server did not say within {} s where it serves",
                STARTED_WITHIN.as_secs()
            ),
        }
    }
}

/// A port of loopback that is free for TCP and UDP. It is the same after a restart: that is what browsers come back to.
fn free_port() -> anyhow::Result<SocketAddr> {
    for _ in 0..PORT_TRIES {
        let tcp = StdListener::bind("127.0.0.1:0").context("loopback has no free port")?;
        let address = tcp.local_addr()?;
        if StdSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of loopback is free for both TCP and UDP");
}

/// Reads the console link, `console: http://host:port/console#token=TOKEN`, and then keeps reading so that the server
/// never waits for us.
async fn announced(stdout: tokio::process::ChildStdout) -> anyhow::Result<(String, String)> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        let link = line
            .strip_prefix("console: ")
            .and_then(|link| link.split_once("/console#token="));
        if let Some((base, token)) = link {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((base.to_owned(), token.to_owned()));
        }
    }
    bail!("the server ended without saying where it serves; what is wrong stands above");
}

/// A simulator on threads of its own, so that it and the participants do not wait for each other.
pub(crate) struct Simulator {
    pub(crate) addr: SocketAddr,
    /// Its realtime connections, for striking them.
    pub(crate) sockets: Sockets,
    _stop: DropGuard,
}

impl Simulator {
    /// Starts one on a free port, with as many threads as there are cores.
    pub(crate) async fn open(config: SimConfig) -> anyhow::Result<Simulator> {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            Ok(builder.enable_all().thread_name("simulator").build()?)
        };
        Simulator::open_in(runtime, config).await
    }

    /// Starts one that takes as little of the machine as it can beside so many sessions.
    pub(crate) async fn open_calm(config: SimConfig, sessions: u32) -> anyhow::Result<Simulator> {
        Simulator::open_in(move || calm::runtime("simulator", sessions), config).await
    }

    async fn open_in(
        runtime: impl FnOnce() -> anyhow::Result<Runtime> + Send + 'static,
        config: SimConfig,
    ) -> anyhow::Result<Simulator> {
        // The vendor's own warming up is not ours to measure.
        tokio::task::spawn_blocking(sim::recognise::Recogniser::embedded)
            .await
            .context("the simulator's ears cannot be made")?;
        let stop = CancellationToken::new();
        let (told, tell) = tokio::sync::oneshot::channel();
        let stopped = stop.clone();
        let sockets = Sockets::default();
        let struck = sockets.clone();
        std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || -> anyhow::Result<()> {
                runtime()?.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let _ = told.send(listener.local_addr()?);
                    sim::provider::serve_with(listener, config, struck, stopped).await??;
                    Ok(())
                })
            })?;
        let addr = tell
            .await
            .context("the simulator cannot listen on loopback")?;
        Ok(Simulator {
            addr,
            sockets,
            _stop: stop.drop_guard(),
        })
    }
}
