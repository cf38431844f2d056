//! `colloquy study`: check, schema, example.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::output;

/// Arguments of `study`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Name every mistake in study files, estimate minutes, and warn about what is probably not meant.
    Check {
        /// Study files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of study files, for editors.
    Schema,
    /// Print an example to begin with.
    Example,
}

/// Runs it.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Check { files } => {
            let mut wrong = 0;
            for file in &files {
                wrong += check(file)?;
            }
            Ok(if wrong == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Schema => {
            output::line(server::study::SCHEMA_JSON.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Example => {
            output::line(crate::demo::FIRST_JOB.trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Checks one file and prints what there is to say; returns the number of mistakes.
fn check(file: &Path) -> anyhow::Result<usize> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("{name} cannot be read: check the path, and that it is text in UTF-8")
    })?;
    let study = match server::study::parse(&text) {
        Ok(study) => study,
        Err(mistakes) => {
            for mistake in &mistakes {
                output::line(format!("{name}: {mistake}"));
            }
            output::line(format!("{name}: {} mistake(s)", mistakes.len()));
            return Ok(mistakes.len());
        }
    };
    for warning in server::study::warnings(&study) {
        output::line(format!("{name}: warning: {warning}"));
    }
    let (least, target, most) = study.minutes();
    let questions = study.topics().count();
    output::line(format!(
        "{name}: good. {} phases, {questions} questions, about {target} minutes (at least {least}, at most {most})",
        study.phases.len()
    ));
    Ok(0)
}

/// Checks all `*.yaml` files of a folder; an empty path means none.
pub(crate) fn check_folder(folder: &Path) -> anyhow::Result<usize> {
    if folder.as_os_str().is_empty() {
        return Ok(0);
    }
    let entries = std::fs::read_dir(folder).with_context(|| {
        format!(
            "the folder {} cannot be read: check studies.folder",
            folder.display()
        )
    })?;
    let mut wrong = 0;
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml")
        {
            wrong += check(&path)?;
        }
    }
    Ok(wrong)
}
