//! Exports: files of one interview or of a whole study.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::ids::{SessionId, StudyId};
use futures_util::stream;
use serde::Deserialize;
use store::{Store, StoreError};
use utoipa::IntoParams;

use super::auth::Researcher;
use super::error::Problem;
use crate::app::App;
use crate::export::{Archive, Cells, Format, Interview, Sheet, Table};
use crate::walk::Walk;

/// Which file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of a session: jsonl, csv, parquet, vtt, srt, txt or docx. Of a study: jsonl, csv, parquet or zip.
    format: String,
    /// Of a CSV or Parquet file: sessions, turns (the default), codings or quotes.
    table: Option<String>,
    /// Of a CSV. `safe` (the default): a text that a spreadsheet could take for a formula begins with an apostrophe. `raw`: as it is.
    cells: Option<String>,
}

struct Checked {
    format: Format,
    table: Table,
    cells: Cells,
}

/// A file of one interview.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/export", operation_id = "export_session", tag = "sessions", security(("console_token" = [])), params(("id" = String, Path), Wanted),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn session(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let wanted = checked(&wanted, &Format::OF_SESSION)?;
    let id = SessionId::from(id);
    let Some(interview) = Interview::load(&app.store, &id).await? else {
        return Err(Problem::not_found("session of that id"));
    };
    let file = interview.file(wanted.format, wanted.table, wanted.cells);
    Ok(attachment(&wanted, id.as_str(), Body::from(file)))
}

/// A file of all interviews of a study, newest first. Tables and lines come as they are read.
#[utoipa::path(get, path = "/api/v1/studies/{id}/export", operation_id = "export_study", tag = "studies", security(("console_token" = [])), params(("id" = String, Path), Wanted),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn study(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let wanted = checked(&wanted, &Format::OF_STUDY)?;
    let id = StudyId::from(id);
    if app.store.study(&id, None).await?.is_none() {
        return Err(Problem::not_found("study of that id"));
    }
    let store = app.store.clone();
    let mut walk = Walk::over(store.clone(), id.clone());
    let Checked {
        format,
        table,
        cells,
    } = wanted;
    let body = if format == Format::Parquet {
        let mut sheet = Sheet::new(table);
        while let Some(interview) = next(&store, &mut walk).await? {
            sheet.add(&interview);
        }
        Body::from(sheet.finish())
    } else if format == Format::Zip {
        let mut archive = Archive::new(cells);
        while let Some(interview) = next(&store, &mut walk).await? {
            archive.add(&interview);
        }
        Body::from(archive.finish())
    } else {
        let head = (format == Format::Csv).then(|| Bytes::from(table.head()));
        let parts = stream::try_unfold(
            (head, store, walk),
            move |(head, store, mut walk)| async move {
                if let Some(head) = head {
                    return Ok(Some((head, (None, store, walk))));
                }
                let Some(interview) = next(&store, &mut walk).await? else {
                    return Ok(None);
                };
                let part = if format == Format::Csv {
                    interview.rows(table, cells)
                } else {
                    interview.file(format, table, cells)
                };
                Ok::<_, StoreError>(Some((Bytes::from(part), (None, store, walk))))
            },
        );
        Body::from_stream(parts)
    };
    Ok(attachment(&wanted, id.as_str(), body))
}

/// The next interview of a study.
async fn next(store: &Store, walk: &mut Walk) -> Result<Option<Interview>, StoreError> {
    while let Some(session) = walk.next().await? {
        if let Some(interview) = Interview::load(store, &session.session_id).await? {
            return Ok(Some(interview));
        }
    }
    Ok(None)
}

fn checked(wanted: &Wanted, formats: &[Format]) -> Result<Checked, Problem> {
    let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
    let format = Format::from_name(&wanted.format)
        .filter(|format| formats.contains(format))
        .ok_or_else(|| unknown("format", &wanted.format, &names))?;
    let table = match wanted.table.as_deref() {
        None => Table::Turns,
        Some(name) => Table::from_name(name)
            .ok_or_else(|| unknown("table", name, &Table::ALL.map(Table::name)))?,
    };
    let cells = match wanted.cells.as_deref() {
        None | Some("safe") => Cells::Safe,
        Some("raw") => Cells::Raw,
        Some(other) => return Err(unknown("way of writing cells", other, &["safe", "raw"])),
    };
    Ok(Checked {
        format,
        table,
        cells,
    })
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "export",
        "There is no such export",
        format!("`{name}` is no {what} that can be had here."),
        format!("Use one of: {}.", known.join(", ")),
    )
}

fn attachment(wanted: &Checked, of: &str, body: Body) -> Response {
    let table = if wanted.format.is_table() {
        format!("-{}", wanted.table.name())
    } else {
        String::new()
    };
    let name = format!("{of}{table}.{}", wanted.format.name());
    // Ids are slugs and ULIDs; whatever else got into one does not get into a header.
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, wanted.format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    (headers, body).into_response()
}
