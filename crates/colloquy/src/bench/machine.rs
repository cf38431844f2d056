//! The machine, and what a process takes of it.

use std::time::Duration;

use anyhow::{Context, ensure};

/// `USER_HZ`: the unit of times in /proc, 100 on every Linux since 2.6 whatever the kernel's own tick (proc(5)).
const TICKS_PER_S: u64 = 100;

/// Profile, cores and load.
pub(crate) fn describe() -> String {
    let profile = if cfg!(debug_assertions) {
        "development build (figures mean little)"
    } else {
        "release build"
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{profile}, {cores} cores, load average {}", load_average())
}

/// Of the last minute.
pub(crate) fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

/// What a process has used until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Proportional set size.
    pub(crate) pss_kb: u64,
    /// Resident set size.
    pub(crate) rss_kb: u64,
}

/// Reads it.
pub(crate) fn used(pid: u32) -> anyhow::Result<Used> {
    let stat = read(pid, "stat")?;
    let maps = read(pid, "smaps_rollup")?;
    let field = |name| {
        field_kb(&maps, name).with_context(|| format!("/proc/{pid}/smaps_rollup has no {name}"))
    };
    Ok(Used {
        cpu: cpu(&stat)?,
        pss_kb: field("Pss:")?,
        rss_kb: field("Rss:")?,
    })
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| {
        format!("/proc/{pid}/{file} cannot be read: the process is gone, or this is not Linux")
    })
}

/// `utime` and `stime` are fields 14 and 15; the name, which may hold anything, ends with the last parenthesis.
fn cpu(stat: &str) -> anyhow::Result<Duration> {
    let (_, after) = stat
        .rsplit_once(") ")
        .context("/proc/PID/stat without a name")?;
    let ticks: Vec<u64> = after
        .split(' ')
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    ensure!(ticks.len() == 2, "/proc/PID/stat is too short");
    Ok(Duration::from_millis(
        ticks.iter().sum::<u64>() * 1_000 / TICKS_PER_S,
    ))
}

fn field_kb(maps: &str, name: &str) -> Option<u64> {
    let line = maps.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let stat = "12 (a) b) (c) S 1 12 12 0 -1 4194304 10 0 0 0 250 50 7 7 20 0 9 0 100 1000 10 18446744073709551615";
        assert_eq!(cpu(stat).unwrap(), Duration::from_secs(3));
        assert!(cpu("nonsense").is_err());
    }

    #[test]
    fn sizes_are_those_of_the_field_asked_for() {
        let maps = "00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss:                1234 kB\nPss:                1000 kB\nPss_Dirty:           12 kB\n";
        assert_eq!(field_kb(maps, "Pss:"), Some(1000));
        assert_eq!(field_kb(maps, "Rss:"), Some(1234));
        assert_eq!(field_kb(maps, "Swap:"), None);
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(used(std::process::id()).unwrap().rss_kb > 0);
    }
}
