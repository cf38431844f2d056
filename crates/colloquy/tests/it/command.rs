//! The binary from outside: exit codes, and what it says about mistakes.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn colloquy(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_colloquy"));
    command.args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../studies")
        .join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn study_check_estimates_minutes_of_the_examples() {
    let output = colloquy(
        &[
            "study",
            "check",
            &example("remote-work-tools.yaml"),
            &example("first-job.yaml"),
        ],
        &[],
    );
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("4 phases, 13 questions, about 20 minutes"),
        "{said}"
    );
}

#[test]
fn study_check_names_line_field_and_remedy_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.yaml");
    fs::write(
        &file,
        fs::read_to_string(example("first-job.yaml"))
            .unwrap()
            .replace("title: How people", "titel: How people"),
    )
    .unwrap();
    let output = colloquy(&["study", "check", file.to_str().unwrap()], &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("line 4") && said.contains("titel") && said.contains("Did you mean `title`?"),
        "{said}"
    );
}

#[test]
fn check_refuses_unknown_keys_and_bad_units() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("colloquy.toml");
    fs::write(&file, "[http]\nrequest_timeout = \"15s\"\n").unwrap();
    let output = colloquy(&["check", "--config", file.to_str().unwrap()], &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("line 2") && said.contains("request_timeout_ms"),
        "{said}"
    );
}

#[test]
fn check_prints_what_browsers_will_be_told() {
    let variables = [
        ("COLLOQUY__MEDIA__UDP_ADDR", "0.0.0.0:7000"),
        ("COLLOQUY__MEDIA__ADVERTISE_IPS", "[\"203.0.113.7\"]"),
    ];
    let output = colloquy(&["check"], &variables);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(
        said.contains("browsers send udp to 203.0.113.7:7000"),
        "{said}"
    );
}

#[test]
fn serve_without_a_key_says_what_to_set() {
    let output = colloquy(&["serve"], &[("COLLOQUY__PROVIDER__OPENAI_API_KEY", "")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("COLLOQUY__PROVIDER__OPENAI_API_KEY") && said.contains("colloquy demo"),
        "{said}"
    );
}

#[test]
fn synthetic_interviews_are_written_and_exported_and_a_file_that_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let store = [
        ("COLLOQUY__STORE__DATABASE", path("colloquy.db")),
        ("COLLOQUY__STORE__RECORDINGS", path("recordings")),
    ];
    let store: Vec<(&str, &str)> = store
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let none = colloquy(
        &[
            "export",
            "--study",
            "x",
            "--format",
            "csv",
            "--out",
            &path("x.csv"),
        ],
        &store,
    );
    assert!(!none.status.success());
    assert!(
        text(&none.stderr).contains("there is no database"),
        "{}",
        text(&none.stderr)
    );

    let synth = colloquy(&["synth", "--sessions", "3", "--segments", "5"], &store);
    assert!(synth.status.success(), "{}", text(&synth.stderr));
    let out = path("turns.csv");
    let export = [
        "export",
        "--study",
        "remote-work-tools",
        "--format",
        "csv",
        "--out",
        &out,
    ];
    let first = colloquy(&export, &store);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let rows = fs::read_to_string(&out).unwrap();
    assert_eq!(rows.matches("\r\n").count(), 1 + 3 * 10, "{rows}");
    let again = colloquy(&export, &store);
    assert!(
        text(&again.stderr).contains("choose another name"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), rows);
    let zip = path("all.zip");
    let zipped = colloquy(
        &[
            "export",
            "--study",
            "remote-work-tools",
            "--format",
            "zip",
            "--out",
            &zip,
        ],
        &store,
    );
    assert!(zipped.status.success(), "{}", text(&zipped.stderr));
    assert!(fs::read(&zip).unwrap().starts_with(b"PK"));
    let subtitles = colloquy(
        &[
            "export",
            "--study",
            "remote-work-tools",
            "--format",
            "vtt",
            "--out",
            &path("x.vtt"),
        ],
        &store,
    );
    assert!(
        text(&subtitles.stderr).contains("use one of jsonl, csv, parquet, zip"),
        "{}",
        text(&subtitles.stderr)
    );
}
