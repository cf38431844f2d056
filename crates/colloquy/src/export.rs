//! `colloquy export`: files of an interview or a study, from the store of a server that does not run, or from a database of
//! PostgreSQL that servers use.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use engine::ids::{SessionId, StudyId};
use server::export::{Archive, Cells, Format, Interview, Sheet, Table};
use server::walk::Walk;
use store::{Database, Store, StoreError};

use crate::output;
use crate::serve::{ConfigArguments, runtime, store_beside_nodes};

/// Interviews between two lines of progress.
const PROGRESS_EVERY: usize = 100;

/// Arguments of `export`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// A whole study: jsonl, csv, parquet or zip.
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "session",
        conflicts_with = "session"
    )]
    study: Option<String>,
    /// One interview: jsonl, csv, parquet, vtt, srt, txt or docx.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The format.
    #[arg(long, value_parser = format)]
    format: Format,
    /// Of a CSV or Parquet file: sessions, turns, codings or quotes.
    #[arg(long, default_value = "turns", value_parser = table)]
    table: Table,
    /// For machines: do not put an apostrophe before what a spreadsheet could take for a formula.
    #[arg(long)]
    raw: bool,
    /// Where to write it. A file that is there is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn format(name: &str) -> Result<Format, String> {
    let known = Format::ALL.map(Format::name).join(", ");
    Format::from_name(name).ok_or_else(|| format!("no such format; there are {known}"))
}

fn table(name: &str) -> Result<Table, String> {
    let known = Table::ALL.map(Table::name).join(", ");
    Table::from_name(name).ok_or_else(|| format!("no such table; there are {known}"))
}

/// Writes the file.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = crate::serve::config(&arguments.config)?;
    let formats: &[Format] = if arguments.study.is_some() {
        &Format::OF_STUDY
    } else {
        &Format::OF_SESSION
    };
    if !formats.contains(&arguments.format) {
        let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        bail!(
            "{} is not to be had of that; use one of {}",
            arguments.format.name(),
            names.join(", ")
        );
    }
    let place = store_beside_nodes(&config);
    ensure!(
        matches!(place.database, Database::Postgres(_)) || config.store.database.exists(),
        "there is no database at {}: give the server's configuration with --config",
        place.database
    );
    runtime()?.block_on(async {
        let store = match Store::open(place).await {
            Err(error @ StoreError::InUse { .. }) => {
                return Err(anyhow::Error::new(error).context(
                    "a running server uses this store; ask it instead: the console's Export menu, or GET /api/v1/studies/ID/export",
                ));
            }
            opened => opened.context("the store cannot be opened")?,
        };
        let count = write(&store, arguments).await?;
        store.close().await?;
        output::line(format!("{count} interviews in {}", arguments.out.display()));
        Ok(ExitCode::SUCCESS)
    })
}

async fn write(store: &Store, arguments: &Arguments) -> anyhow::Result<usize> {
    let cells = if arguments.raw {
        Cells::Raw
    } else {
        Cells::Safe
    };
    let ids = match (&arguments.session, &arguments.study) {
        (Some(id), _) => vec![SessionId::from(id.as_str())],
        (None, Some(study)) => of_study(store, &StudyId::from(study.as_str())).await?,
        (None, None) => bail!("say which: --study or --session"),
    };
    let name = arguments.out.display();
    let file = File::create_new(&arguments.out)
        .with_context(|| format!("{name} cannot be made; if it is there, choose another name"))?;
    let mut file = BufWriter::new(file);
    let mut archive = Archive::new(cells);
    let mut sheet = Sheet::new(arguments.table);
    let whole = arguments.session.is_some();
    if arguments.format == Format::Csv && !whole {
        file.write_all(&arguments.table.head())?;
    }
    for (index, id) in ids.iter().enumerate() {
        let interview = Interview::load(store, id)
            .await?
            .with_context(|| format!("there is no session {id}"))?;
        if arguments.format == Format::Zip {
            archive.add(&interview);
        } else if arguments.format == Format::Parquet {
            sheet.add(&interview);
        } else if arguments.format == Format::Csv && !whole {
            file.write_all(&interview.rows(arguments.table, cells))?;
        } else {
            file.write_all(&interview.file(arguments.format, arguments.table, cells))?;
        }
        if (index + 1) % PROGRESS_EVERY == 0 {
            output::line(format!("  {} of {} interviews", index + 1, ids.len()));
        }
    }
    match arguments.format {
        Format::Zip => file.write_all(&archive.finish())?,
        Format::Parquet => file.write_all(&sheet.finish())?,
        Format::Jsonl | Format::Csv | Format::Vtt | Format::Srt | Format::Txt | Format::Docx => {}
    }
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("{name} cannot be written"))?;
    Ok(ids.len())
}

async fn of_study(store: &Store, study_id: &StudyId) -> anyhow::Result<Vec<SessionId>> {
    ensure!(
        store.study(study_id, None).await?.is_some(),
        "there is no study `{study_id}` in this store"
    );
    let mut walk = Walk::over(store.clone(), study_id.clone());
    let mut ids = Vec::new();
    while let Some(session) = walk.next().await? {
        ids.push(session.session_id);
    }
    Ok(ids)
}
