//! Rules of the repository that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

/// Files over 500 lines that have one reason to exist.
const LONG_WITH_REASON: &[(&str, &str)] =
    &[("web/src/api/schema.d.ts", "generated from the API document")];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", "dist", ".git", "generated"].contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if ["rs", "ts", "tsx"]
            .contains(&path.extension().unwrap_or_default().to_str().unwrap())
        {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["crates", "web"] {
        sources(&root.join(folder), &mut paths);
    }
    paths.sort();
    assert!(
        paths.len() > 50,
        "the walk found only {} files: it looks in the wrong place",
        paths.len()
    );
    paths
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(&root).unwrap().display().to_string(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn no_file_is_over_500_lines_without_a_reason() {
    let long: Vec<String> = all()
        .iter()
        .filter(|(name, text)| {
            text.lines().count() > 500 && !LONG_WITH_REASON.iter().any(|(known, _)| known == name)
        })
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(
        long.is_empty(),
        "split these, or give a reason here: {long:#?}"
    );
}

/// Patterns are put together here so that this file does not find itself.
fn forbidden() -> Vec<(String, &'static str)> {
    vec![
        (
            ["#[", "ignore"].concat(),
            "a test that does not run proves nothing",
        ),
        (["todo", "!("].concat(), "nothing that lands is a stub"),
        (
            ["unimplemented", "!("].concat(),
            "nothing that lands is a stub",
        ),
        (["TO", "DO"].concat(), "write an issue instead"),
        (["FIX", "ME"].concat(), "write an issue instead"),
        (
            ["it.", "only("].concat(),
            "runs one test and hides the others",
        ),
        (
            [".", "skip("].concat() + "\"",
            "a test that does not run proves nothing",
        ),
        (["/", "work/"].concat(), "no paths of a machine"),
        (["/", "root/"].concat(), "no paths of a machine"),
    ]
}

#[test]
fn nothing_unfinished_or_local_is_committed() {
    let forbidden = forbidden();
    let mut found = Vec::new();
    for (name, text) in all() {
        for (number, line) in text.lines().enumerate() {
            if let Some((pattern, reason)) = forbidden
                .iter()
                .find(|(pattern, _)| line.contains(pattern.as_str()))
            {
                found.push(format!("{name}:{}: `{pattern}`: {reason}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// An integration test file that `main.rs` does not name would never run.
#[test]
fn every_test_file_is_listed_in_its_main() {
    let root = root();
    let mut forgotten = Vec::new();
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let folder = entry.unwrap().path().join("tests/it");
        let Ok(main) = fs::read_to_string(folder.join("main.rs")) else {
            continue;
        };
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            if file.extension().is_some_and(|ending| ending == "rs")
                && stem != "main"
                && !main.contains(&format!("mod {stem};"))
            {
                forgotten.push(file.display().to_string());
            }
        }
    }
    assert!(forgotten.is_empty(), "{forgotten:#?}");
}

/// `engine` decides; it must have nothing to act with.
#[test]
fn engine_depends_on_nothing_that_acts() {
    let manifest = fs::read_to_string(root().join("crates/engine/Cargo.toml")).unwrap();
    let dependencies = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap()
        .split('[')
        .next()
        .unwrap();
    let allowed = ["serde_json.workspace = true"];
    let extra: Vec<&str> = dependencies
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !allowed.contains(line))
        .collect();
    assert!(extra.is_empty(), "{extra:?}");
    let source_of = |name: &str| {
        fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap()
    };
    for (one, others) in [
        ("media", ["providers", "store"]),
        ("providers", ["media", "store"]),
        ("store", ["media", "providers"]),
    ] {
        for other in others {
            assert!(
                !source_of(one).contains(&format!("\n{other}.workspace")),
                "{one} must not know {other}"
            );
        }
    }
}

#[test]
fn every_metric_is_explained_in_the_operating_guide() {
    let guide = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let missing: Vec<_> = server::metrics::Metrics::NAMES
        .iter()
        .filter(|name| !guide.contains(&format!("colloquy_{name}")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_decision_is_one_page() {
    for entry in fs::read_dir(root().join("docs/decisions")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 70, "{}", path.display());
    }
}
