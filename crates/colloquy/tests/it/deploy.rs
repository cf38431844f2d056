//! What is shipped for Prometheus and Grafana fits the server that it watches.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use server::metrics::Metrics;

use crate::tidy::root;

/// Names in a text that could be our metrics, without what Prometheus appends.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_name(c))
        .filter_map(|word| word.strip_prefix("colloquy_"))
        .map(|name| {
            let ends = ["_bucket", "_sum", "_count", "_total"];
            let end = ends.iter().find(|end| name.ends_with(**end));
            end.map_or(name, |end| &name[..name.len() - end.len()])
                .to_owned()
        })
        .collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_there_are() {
    let exported: BTreeSet<&str> = Metrics::NAMES.iter().copied().collect();
    for file in ["alerts.yml", "alerts_test.yml", "grafana.json"] {
        let named = named(&read(file));
        assert!(named.len() > 10, "{file}: {named:?}");
        let unknown: Vec<_> = named
            .iter()
            .filter(|name| !exported.contains(name.as_str()))
            .collect();
        assert!(
            unknown.is_empty(),
            "{file} asks for {unknown:?}, which the server does not export"
        );
    }
}

#[test]
fn labels_that_rules_ask_for_have_the_values_that_they_ask_for() {
    let text = Metrics::new().text();
    let rules = read("alerts.yml");
    for label in ["cause=", "kind=", "found=", "provider="] {
        for asked in rules.split(label).skip(1) {
            let asked = asked.trim_start_matches('~');
            let Some(values) = asked
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            for value in values.split('|') {
                assert!(
                    text.contains(&format!("{label}\"{value}\"")),
                    "{label}{value}"
                );
            }
        }
    }
}

#[test]
fn every_alert_has_its_paragraph_in_the_operating_guide() {
    let guide = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let anchors: BTreeSet<String> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| {
            let kept = heading.to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect();
    let rules = read("alerts.yml");
    let alerts = rules.matches("- alert:").count();
    let links: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
        .collect();
    assert_eq!(links.len(), alerts);
    assert!(alerts >= 7, "{alerts}");
    for link in links {
        let anchor = link.trim_matches(['"', '\'']).split('#').nth(1).unwrap();
        assert!(
            anchors.contains(anchor),
            "{anchor} is not in docs/operating.md"
        );
    }
}

#[test]
fn the_dashboard_is_json_with_the_six_numbers_first() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    assert_eq!(dashboard["uid"], "colloquy");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels
        .iter()
        .filter_map(|panel| panel["id"].as_u64())
        .collect();
    assert_eq!(ids.len(), panels.len(), "panels with one id");
    let stats = panels
        .iter()
        .filter(|panel| panel["type"] == "stat")
        .take(7);
    let asked: String = stats.map(|panel| panel["targets"].to_string()).collect();
    for number in [
        "sessions_live",
        "first_voice_seconds",
        "provider_latency_seconds",
        "heard_latency_seconds",
        "provider_error_ratio",
        "enrichment_queue_segments",
        "session_cost_target_ratio",
    ] {
        assert!(
            asked.contains(number),
            "{number} is not among the first: {asked}"
        );
    }
}

/// Debian's package `prometheus` has it.
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(Path::new(&root()).join("deploy"))
        .output()
        .expect("promtool is installed: scripts/setup.sh --prometheus");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

#[test]
fn rules_are_valid_and_every_alert_fires_and_keeps_silent_when_it_should() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}
