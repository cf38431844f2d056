//! The server under test: `colloquy serve` as a process of its own, configured by its environment only.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use sim::provider::SimConfig;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::Api;

/// From the start of the process to the line that says where it serves.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// The study of all measurements: it has rendered speech for everything that is said.
pub(super) const STUDY: &str = "remote-work-tools";
const STUDY_YAML: &str = include_str!("../../../../studies/remote-work-tools.yaml");

/// A running server, in a folder that is removed with it.
pub(super) struct House {
    pub(super) api: Api,
    pub(super) pid: u32,
    /// Killed when dropped: nothing of it is needed afterwards.
    _child: Child,
    _folder: TempDir,
}

impl House {
    /// Starts a server whose provider is at this address.
    pub(super) async fn open(provider: SocketAddr) -> anyhow::Result<House> {
        let folder =
            TempDir::with_prefix("colloquy-bench-").context("no folder for the server's data")?;
        let path = |name: &str| folder.path().join(name).display().to_string();
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
            .env("COLLOQUY__HTTP__ADDR", "127.0.0.1:0")
            .env("COLLOQUY__MEDIA__UDP_ADDR", "127.0.0.1:0")
            .env("COLLOQUY__MEDIA__TCP_ADDR", "127.0.0.1:0")
            .env("COLLOQUY__STORE__DATABASE", path("colloquy.db"))
            .env("COLLOQUY__STORE__RECORDINGS", path("recordings"))
            .env(
                "COLLOQUY__PROVIDER__OPENAI_BASE_URL",
                format!("http://{provider}/v1"),
            )
            .env("COLLOQUY__PROVIDER__OPENAI_API_KEY", "bench")
            // All participants come from one address here.
            .env("COLLOQUY__HTTP__REQUESTS_PER_MINUTE", "60000")
            .env("COLLOQUY__HTTP__REQUESTS_BURST", "10000")
            .env("COLLOQUY__LOG__LEVEL", "error");
        let mut child = command
            .spawn()
            .context("the server process cannot be started")?;
        let pid = child.id().context("the server process ended at once")?;
        let stdout = child
            .stdout
            .take()
            .context("the server's output is not there")?;
        let (base, token) = match timeout(STARTED_WITHIN, announced(stdout)).await {
            Ok(found) => found?,
            Err(_) => bail!(
                "the server did not say within {} s where it serves",
                STARTED_WITHIN.as_secs()
            ),
        };
        let api = Api::new(base, token)?;
        api.put_study(STUDY_YAML)
            .await
            .context("the study was not accepted")?;
        Ok(House {
            api,
            pid,
            _child: child,
            _folder: folder,
        })
    }
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
pub(super) struct Simulator {
    pub(super) addr: SocketAddr,
    _stop: DropGuard,
}

impl Simulator {
    /// Starts one on a free port.
    pub(super) async fn open(config: SimConfig) -> anyhow::Result<Simulator> {
        // The vendor's own warming up is not ours to measure.
        tokio::task::spawn_blocking(sim::recognise::Recogniser::embedded)
            .await
            .context("the simulator's ears cannot be made")?;
        let stop = CancellationToken::new();
        let (told, tell) = tokio::sync::oneshot::channel();
        let stopped = stop.clone();
        std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || -> anyhow::Result<()> {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .thread_name("simulator")
                    .build()?;
                runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let _ = told.send(listener.local_addr()?);
                    sim::provider::serve(listener, config, stopped).await??;
                    Ok(())
                })
            })?;
        let addr = tell
            .await
            .context("the simulator cannot listen on loopback")?;
        Ok(Simulator {
            addr,
            _stop: stop.drop_guard(),
        })
    }
}
