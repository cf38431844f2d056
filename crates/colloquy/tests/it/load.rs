//! A small run of `colloquy load`, so that the large one does not rot.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn load(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_colloquy"));
    command.arg("load").args(arguments).output().unwrap()
}

/// Participants and server, of one of the numbers.
fn number<'r>(result: &'r Value, key: &str) -> (&'r Value, &'r Value) {
    let rows = result["numbers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == key).unwrap();
    (&row["participants"]["value"], &row["server"]["value"])
}

#[test]
fn two_participants_are_held_and_the_report_needs_nothing_else_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, html, waves) = (path("load.json"), path("load.html"), path("waves"));
    let output = load(&[
        "--sessions",
        "2",
        "--ramp",
        "1s",
        "--duration",
        "8s",
        "--sample",
        "2",
        "--waves",
        &waves,
        "--json",
        &json,
        "--html",
        &html,
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("No session failed"), "{said}");
    assert!(said.contains("joined 2/2"), "{said}");

    let result: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(result["tally"]["failed"], 0, "{result:#}");
    assert_eq!(result["tally"]["ended"], 2, "{result:#}");
    let (participants, server) = number(&result, "sessions_peak");
    assert_eq!(
        (participants.as_f64(), server.as_f64()),
        (Some(2.0), Some(2.0))
    );
    let (participants, server) = number(&result, "first_voice_p95");
    assert!(participants.is_f64() && server.is_f64(), "{result:#}");
    assert!(result["process"]["cpu_cores_per_session"].as_f64().unwrap() > 0.0);
    assert_eq!(result["people"].as_array().unwrap().len(), 2);
    for wave in result["waves"].as_array().unwrap() {
        assert!(wave["waveform"]["first_voice_ms"].is_u64(), "{wave:#}");
        assert!(
            fs::read(wave["file"].as_str().unwrap())
                .unwrap()
                .starts_with(b"RIFF")
        );
    }

    let page = fs::read_to_string(html).unwrap();
    assert!(
        page.contains("No session failed") && page.contains("<svg"),
        "{page}"
    );
    for outside in ["http", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn who_stands_in_line_to_the_end_is_told_apart_from_who_failed() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("load.json").to_str().unwrap().to_owned();
    let output = load(&[
        "--sessions",
        "4",
        "--sessions-max",
        "2",
        "--ramp",
        "1s",
        "--duration",
        "12s",
        "--drop-share",
        "0",
        "--sample",
        "0",
        "--json",
        &json,
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(
        said.contains("2 stood in it to the end and never got in"),
        "{said}"
    );

    let result: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let tally = &result["tally"];
    assert_eq!(
        (&tally["never_in"], &tally["ended"], &tally["failed"]),
        (&Value::from(2), &Value::from(2), &Value::from(0)),
        "{result:#}"
    );
    let (participants, server) = number(&result, "sessions_peak");
    assert_eq!(
        (participants.as_f64(), server.as_f64()),
        (Some(2.0), Some(2.0))
    );
}

#[test]
fn a_load_without_a_server_says_so_and_fails() {
    let output = load(&[
        "--url",
        "http://127.0.0.1:1",
        "--token",
        "a-token-of-a-test",
    ]);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert!(
        complained.contains("nobody could be invited") && complained.contains("check --url"),
        "{complained}"
    );
}

/// The same waits, measured twice: by the server at its media edge, and on the sound that a participant got.
#[test]
fn what_the_server_exports_is_what_the_waveform_says() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("load.json").to_str().unwrap().to_owned();
    let output = load(&[
        "--sessions",
        "1",
        "--ramp",
        "1s",
        "--duration",
        "50s",
        "--sample",
        "1",
        "--json",
        &json,
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let result: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let waveform = &result["waves"][0]["waveform"];
    // The median: what the operator ends says something too, and is no answer.
    let on_the_waveform = result["waves"][0]["waveform_heard_p50_ms"]
        .as_f64()
        .unwrap();
    let exported = &result["exported"];
    // A frame at either end, the grid of the wave's own frames, and the way over loopback.
    const APART_MS: f64 = 60.0;
    for (name, waveform_ms) in [
        (
            "first_voice_mean_ms",
            waveform["first_voice_ms"].as_f64().unwrap(),
        ),
        ("heard_latency_mean_ms", on_the_waveform),
    ] {
        let exported_ms = exported[name].as_f64().unwrap();
        assert!(
            (exported_ms - waveform_ms).abs() <= APART_MS,
            "{name}: {exported_ms} and {waveform_ms}"
        );
    }
}
