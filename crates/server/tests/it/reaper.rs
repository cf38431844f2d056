//! At the end of every story: nothing of the server is left. Tests share one process, so a handle counts here only if it
//! is this server's: a file in its folder, a socket on one of its ports, a connection to its provider.
//!
//! Timers cannot be counted by themselves, and need not be: each is waited for by a task, and ends with it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::Duration;

use server::app::App;
use tokio::time::{interval, timeout};

use crate::harness::PATIENCE;

/// What a server holds open.
pub(crate) struct Handles {
    folder: PathBuf,
    /// Names of sockets, as `/proc/self/fd` shows them. Ports are given out again, these are not.
    sockets: BTreeSet<String>,
}

impl Handles {
    /// What is open now.
    pub(crate) fn of(app: &App, folder: &Path, media: SocketAddr) -> Handles {
        let config = &app.config;
        let told = app.registry.tcp_told();
        let mut ours = vec![config.http.addr.port(), media.port()];
        ours.extend(told.iter().map(SocketAddr::port));
        let provider = config.provider.openai_base_url.rsplit(':').next();
        let provider = provider.and_then(|rest| rest.split('/').next()?.parse().ok());
        let sockets = sockets(|local, remote| ours.contains(&local) || Some(remote) == provider);
        Handles {
            folder: folder.to_owned(),
            sockets,
        }
    }

    /// Those that are still open.
    fn open(&self) -> Vec<String> {
        let is_ours = |target: &String| {
            self.sockets.contains(target) || Path::new(target).starts_with(&self.folder)
        };
        descriptors().into_iter().filter(is_ours).collect()
    }
}

/// What the descriptors of this process lead to.
fn descriptors() -> Vec<String> {
    let listed = std::fs::read_dir("/proc/self/fd").unwrap();
    // One that was closed meanwhile leads nowhere.
    let target = |entry: std::fs::DirEntry| std::fs::read_link(entry.path()).ok();
    let targets = listed.filter_map(|entry| target(entry.ok()?));
    targets
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// Sockets of this network by local and remote port (`man 5 proc_net`: addresses in hexadecimal, the inode in column 10).
fn sockets(wanted: impl Fn(u16, u16) -> bool) -> BTreeSet<String> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let ports = (port(columns[1]).unwrap(), port(columns[2]).unwrap());
            // Without an inode nobody holds it: the kernel finishes it by itself.
            if wanted(ports.0, ports.1) && columns[9] != "0" {
                found.insert(format!("socket:[{}]", columns[9]));
            }
        }
    }
    found
}

/// All numbers of what is alive, that are not zero.
pub(crate) fn alive(metrics: &str) -> Vec<String> {
    let counts = metrics.lines().filter(|line| {
        line.starts_with("colloquy_alive{") || line.starts_with("colloquy_sessions_live ")
    });
    let counts: Vec<&str> = counts.collect();
    assert!(counts.len() > 5, "{metrics}");
    let left = counts.into_iter().filter(|line| !line.ends_with(" 0"));
    left.map(str::to_owned).collect()
}

/// Waits until nothing is left of a server that was stopped.
pub(crate) async fn nothing_is_left(app: Weak<App>, handles: &Handles) {
    let mut look = interval(Duration::from_millis(20));
    let gone = async {
        loop {
            look.tick().await;
            if app.strong_count() == 0 && handles.open().is_empty() {
                return;
            }
        }
    };
    if timeout(PATIENCE, gone).await.is_err() {
        let holders = app.strong_count();
        panic!(
            "left behind: {holders} that hold the app, {:#?}",
            handles.open()
        );
    }
}
