//! A real PostgreSQL for one process of tests: started when first asked for, gone with the process however it ends. It
//! listens on a socket in its own folder and nowhere else.
#![allow(dead_code, reason = "each suite uses a part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// PostgreSQL does not run as root, so root lends it the user that Debian's package makes. Nothing it writes here must outlive
/// the tests, so it need not wait for the disk. The shell waits for the end of its input, which is the end of the tests.
const RUN: &str = r#"
set -e
dir=$1
for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done
as=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
cd "$dir"
$as initdb -D "$dir/data" -U colloquy --auth=trust --no-sync -E UTF8 --locale=C.UTF-8 >"$dir/log" 2>&1
start() {
    $as postgres -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c full_page_writes=off \
        -c max_connections=400 -c shared_buffers=32MB >>"$dir/log" 2>&1 &
    server=$!
    until pg_isready -q -h "$dir" -U colloquy; do
        kill -0 $server 2>/dev/null || return 1
        sleep 0.05
    done
}
# One that was killed is not quite gone for a moment, and the next refuses to start beside it.
tries=0
until start; do
    tries=$((tries + 1))
    [ $tries -lt 100 ]
    sleep 0.1
done
echo ready
cat >/dev/null
kill -QUIT $server
wait $server || true
rm -rf "$dir"
"#;

/// The server of this process.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// Its end of input is the server's end.
    shell: Mutex<Child>,
}

/// The server of this process, started if it is not.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    /// A server of its own, which can be stopped and started.
    pub(crate) fn start() -> Cluster {
        // Short: the name of a socket may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("colloquy-pg-").tempdir();
        let folder = folder.unwrap().keep();
        let shell = Mutex::new(run(&folder));
        Cluster { folder, shell }
    }

    /// The address of a new, empty database.
    pub(crate) async fn database(&self, name: &str) -> String {
        let address = |database: &str| {
            let folder = self.folder.display();
            format!("postgres://colloquy@localhost/{database}?host={folder}")
        };
        let options: PgConnectOptions = address("postgres").parse().unwrap();
        let mut admin = options.connect().await.unwrap();
        let create = format!("CREATE DATABASE \"{name}\"");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .unwrap();
        address(name)
    }

    /// Kills the server, as a power cut would; its data stays.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // With those who serve connections, which outlive it for a moment; and it shall not put others in their place.
        signal("-STOP", std::slice::from_ref(&pid));
        let mut all = children(&pid);
        all.push(pid);
        signal("-9", &all);
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        // The shell removes the folder only if it was told to end; killed, it leaves everything.
        shell.kill().unwrap();
        shell.wait().unwrap();
    }

    /// Starts it again after [`Cluster::kill`].
    pub(crate) fn start_again(&self) {
        let again = RUN.replace("$as initdb", "true || $as initdb");
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        *shell = run_script(&again, &self.folder);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}

fn signal(signal: &str, pids: &[String]) {
    let sent = Command::new("kill").arg(signal).args(pids).status();
    assert!(sent.unwrap().success());
}

/// The processes whose parent this is, from the fourth field of their `stat` (proc_pid_stat(5)).
fn children(pid: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut found = Vec::new();
    for process in processes {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The second field, a name in brackets, may hold anything.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if rest.split_whitespace().nth(1) == Some(pid) {
            found.push(process.file_name().into_string().unwrap());
        }
    }
    found
}

fn run(folder: &Path) -> Child {
    run_script(RUN, folder)
}

fn run_script(script: &str, folder: &Path) -> Child {
    let mut shell = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = shell.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(
        line.trim(),
        "ready",
        "PostgreSQL does not start (scripts/setup.sh installs it): {}",
        std::fs::read_to_string(folder.join("log")).unwrap_or_default()
    );
    shell
}
