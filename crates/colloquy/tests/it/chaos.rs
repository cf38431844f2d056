//! A small run of `colloquy chaos`, so that the large one does not rot.

use std::process::Command;

use serde_json::Value;

/// With this seed: a half-open socket, a new address, a deploy, a kill, a reload, a cut socket, a closed tab; not the one
/// that waits for two minutes.
const SEED: &str = "37";

#[test]
fn interviews_outlive_a_few_events_of_different_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("chaos.json");
    let output = Command::new(env!("CARGO_BIN_EXE_colloquy"))
        .args([
            "chaos",
            "--participants",
            "2",
            "--events",
            "7",
            "--seed",
            SEED,
        ])
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    let result: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let times: u64 = result["events"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(times, 7, "{result:#}");
    assert_eq!(result["events"]["Killed"], 1, "{result:#}");
    assert_eq!(result["events"]["LongAway"], Value::Null, "{result:#}");
    assert!(result["interviews"].as_u64().unwrap() >= 2, "{result:#}");
    assert_eq!(result["complete"], result["interviews"], "{result:#}");
    assert_eq!(result["wrong"], Value::Array(Vec::new()), "{result:#}");
    assert!(
        said.contains("nothing was lost, doubled or left over"),
        "{said}"
    );
}
