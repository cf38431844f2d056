//! The result, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sim::participant::Rung;

use super::events::{KINDS, Kind};
use super::people::Interview;

/// What is listed of what is wrong, at most.
const WRONG_MAX: usize = 50;

/// Ways back, and how the table calls them.
const RUNGS: [(Rung, &str, &str); 3] = [
    (Rung::Network, "network", "the same connection"),
    (Rung::Grant, "grant", "a new connection, with the grant"),
    (Rung::Link, "link", "a new connection, with the link"),
];

/// A run.
pub(super) struct Summary {
    pub(super) seed: u64,
    pub(super) seconds: u64,
    pub(super) happened: BTreeMap<Kind, u32>,
    pub(super) interviews: Vec<Interview>,
    /// Each thing that must hold and did not.
    pub(super) wrong: Vec<String>,
    /// Journals of the interviews with which something is wrong, by session.
    pub(super) evidence: BTreeMap<String, Vec<Value>>,
}

/// How those came back who came one way.
struct Way {
    key: &'static str,
    name: &'static str,
    count: usize,
    p50_ms: Option<u32>,
    p95_ms: Option<u32>,
}

impl Summary {
    /// Whether nothing was lost.
    pub(super) fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    fn complete(&self) -> usize {
        let complete = self.interviews.iter().filter(|interview| {
            interview
                .result
                .as_ref()
                .is_ok_and(|report| report.outcome == "complete")
        });
        complete.count()
    }

    fn ways(&self) -> Vec<Way> {
        let way = |(rung, key, name)| {
            let reports = self
                .interviews
                .iter()
                .filter_map(|one| one.result.as_ref().ok());
            let returns: Vec<_> = reports
                .flat_map(|report| &report.returns)
                .filter(|back| back.rung == rung)
                .collect();
            let mut voices: Vec<u32> = returns.iter().filter_map(|back| back.voice_ms).collect();
            voices.sort_unstable();
            Way {
                key,
                name,
                count: returns.len(),
                p50_ms: percentile(&voices, 50),
                p95_ms: percentile(&voices, 95),
            }
        };
        RUNGS.into_iter().map(way).collect()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\n  what happened                            times\n");
        for (kind, _, name) in KINDS {
            let times = self.happened.get(&kind).copied().unwrap_or_default();
            let _ = writeln!(text, "  {name:<40} {times:>5}");
        }
        let _ = writeln!(
            text,
            "\n  how participants came back               times   heard again after p50, p95 (ms)"
        );
        for way in self.ways() {
            let ms = |ms: Option<u32>| ms.map_or("-".to_owned(), |ms| ms.to_string());
            let _ = writeln!(
                text,
                "  {:<40} {:>5}   {}, {}",
                way.name,
                way.count,
                ms(way.p50_ms),
                ms(way.p95_ms)
            );
        }
        let _ = writeln!(
            text,
            "\n  {} interviews, {} complete, {} lost, {} s, seed {}",
            self.interviews.len(),
            self.complete(),
            self.interviews.len() - self.complete(),
            self.seconds,
            self.seed
        );
        if self.wrong.is_empty() {
            text.push_str("  nothing was lost, doubled or left over");
        } else {
            let _ = writeln!(text, "  WRONG ({}):", self.wrong.len());
            for wrong in self.wrong.iter().take(WRONG_MAX) {
                let _ = writeln!(text, "  - {wrong}");
            }
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let happened: BTreeMap<String, u32> = self
            .happened
            .iter()
            .map(|(kind, times)| (format!("{kind:?}"), *times))
            .collect();
        let back: BTreeMap<&str, _> = self
            .ways()
            .into_iter()
            .map(|way| {
                let figures = json!({ "times": way.count, "voice_p50_ms": way.p50_ms, "voice_p95_ms": way.p95_ms });
                (way.key, figures)
            })
            .collect();
        let mut text = serde_json::to_string_pretty(&json!({
            "seed": self.seed,
            "seconds": self.seconds,
            "events": happened,
            "returns": back,
            "interviews": self.interviews.len(),
            "complete": self.complete(),
            "wrong": self.wrong,
            "evidence": self.evidence,
        }))?;
        text.push('\n');
        Ok(text)
    }
}

/// The value that so many percent do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let index = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_good_only_if_nothing_is_wrong() {
        let mut summary = Summary {
            seed: 1,
            seconds: 2,
            happened: BTreeMap::from([(Kind::Killed, 3)]),
            interviews: Vec::new(),
            wrong: Vec::new(),
            evidence: BTreeMap::new(),
        };
        assert!(
            summary.is_good()
                && summary
                    .text()
                    .contains("kill -9 and restart                          3")
        );
        summary.wrong.push("s: turn 2 is lost".to_owned());
        assert!(!summary.is_good() && summary.text().contains("WRONG (1):\n  - s: turn 2 is lost"));
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[5], 95), Some(5));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
        assert_eq!(percentile(&[1, 2, 3, 4], 95), Some(4));
    }
}
