//! At the end of every story: nothing of the server is left. Tests share one process, so a handle counts here only if it
//! is this server's: a file in its folder, a socket on one of its ports, a connection to its provider.
//!
//! Timers cannot be counted by themselves, and need not be: each is waited for by a task, and ends with it.

use std::collections::BTreeMap;
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
    /// Sockets by their names, as `/proc/self/fd` shows them, each with what it is. Ports are given out again, names are not.
    sockets: BTreeMap<String, String>,
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
        let sockets = sockets(|protocol, local, remote| match protocol {
            Protocol::Tcp => ours.contains(&local) || Some(remote) == provider,
            // Another story's socket may well have the number of our HTTP port.
            Protocol::Udp => local == media.port(),
        });
        Handles {
            folder: folder.to_owned(),
            sockets,
        }
    }

    /// Those that are still open.
    fn open(&self) -> Vec<String> {
        let ours = |target: String| match self.sockets.get(&target) {
            Some(socket) => Some(format!("{target} {socket}")),
            None => Path::new(&target)
                .starts_with(&self.folder)
                .then_some(target),
        };
        descriptors().into_iter().filter_map(ours).collect()
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

#[derive(Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
}

/// Sockets of this network by protocol, local and remote port (`man 5 proc_net`: addresses in hexadecimal, the inode in column
/// 10), with their protocol and addresses.
fn sockets(wanted: impl Fn(Protocol, u16, u16) -> bool) -> BTreeMap<String, String> {
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let mut found = BTreeMap::new();
    for (name, protocol) in [
        ("tcp", Protocol::Tcp),
        ("tcp6", Protocol::Tcp),
        ("udp", Protocol::Udp),
        ("udp6", Protocol::Udp),
    ] {
        let table = std::fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (local, remote) = (columns[1], columns[2]);
            let is_wanted = wanted(protocol, port(local).unwrap(), port(remote).unwrap());
            // Without an inode nobody holds it: the kernel finishes it by itself.
            if is_wanted && columns[9] != "0" {
                let what = format!("{name} {local} {remote}");
                found.insert(format!("socket:[{}]", columns[9]), what);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_another_story_with_the_number_of_our_http_port_is_not_ours() {
    let house = crate::harness::house(sim::provider::SimConfig::instant()).await;
    let http = house.app().config.http.addr;
    assert_ne!(http.port(), 0);
    // Should it be taken, another story has it indeed.
    let _theirs = std::net::UdpSocket::bind(http);
    house.close().await;
}
