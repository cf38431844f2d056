//! Studies, and invitations to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::ids::{SessionId, StudyId};
use serde::Serialize;
use store::{Length, NewSession, NewStudy};
use ulid::Ulid;
use utoipa::ToSchema;

use super::auth::Researcher;
use super::error::Problem;
use super::views::{CreatedSession, NewSessionsBody, StudyDetail, StudySummary};
use crate::app::App;
use crate::mistake::Mistake;
use crate::secrets::{hash, mint};

/// `{studies}`.
#[derive(Serialize, ToSchema)]
pub(super) struct StudiesBody {
    studies: Vec<StudySummary>,
}

/// `{study}`.
#[derive(Serialize, ToSchema)]
pub(super) struct StudyBody {
    study: StudyDetail,
}

/// `{sessions}`.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedSessionsBody {
    sessions: Vec<CreatedSession>,
}

const INVITATIONS_MAX: u32 = 500;
const EXTERNAL_ID_CHARS_MAX: usize = 200;
/// Two years. Beyond, a mistake in the unit is likelier than a wish.
const HOURS_MAX: u32 = 17_520;

/// All studies, each in its latest version.
#[utoipa::path(get, path = "/api/v1/studies", operation_id = "studies", tag = "studies", security(("console_token" = [])), responses((status = 200, body = StudiesBody),
    (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Researcher,
) -> Result<Json<StudiesBody>, Problem> {
    let rows = app.store.studies().await?;
    Ok(Json(StudiesBody {
        studies: rows.iter().map(StudySummary::from).collect(),
    }))
}

/// Put a study file. The same text again is the same version; a changed one is a new version for new sessions.
#[utoipa::path(post, path = "/api/v1/studies", operation_id = "put_study", tag = "studies", security(("console_token" = [])), request_body(content = String, content_type = "text/yaml"),
    responses((status = 201, body = StudyBody), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put(
    State(app): State<Arc<App>>,
    _: Researcher,
    text: String,
) -> Result<(StatusCode, Json<StudyBody>), Problem> {
    let detail = save(&app, text).await?;
    Ok((StatusCode::CREATED, Json(StudyBody { study: detail })))
}

async fn save(app: &App, text: String) -> Result<StudyDetail, Problem> {
    let study = crate::study::parse(&text).map_err(mistaken)?;
    let unknown: Vec<String> = study
        .providers
        .iter()
        .filter(|id| app.profiles.get(id).is_none())
        .cloned()
        .collect();
    if let Some(first) = unknown.first() {
        let known: Vec<&str> = app
            .profiles
            .iter()
            .map(|profile| profile.id.as_str())
            .collect();
        return Err(mistaken(vec![Mistake {
            line: 0,
            column: 0,
            field: "provider.order".into(),
            message: format!("names `{first}`, which this server has no profile for"),
            remedy: format!("Use one of: {}", known.join(", ")),
        }]));
    }
    let row = app
        .store
        .put_study(NewStudy {
            study_id: study.id.clone(),
            title: study.title.clone(),
            source: text,
        })
        .await?;
    Ok(StudyDetail::new(&row, &study))
}

fn mistaken(mistakes: Vec<Mistake>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "study",
        "The study file has mistakes",
        format!(
            "{} mistake(s) were found; nothing was saved.",
            mistakes.len()
        ),
        "Mend what `mistakes` lists. `colloquy study check FILE` says the same.",
    )
    .with_mistakes(mistakes)
}

/// One study with its protocol.
#[utoipa::path(get, path = "/api/v1/studies/{id}", operation_id = "study", tag = "studies", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = StudyBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<StudyBody>, Problem> {
    let id = StudyId::from(id);
    let Some(row) = app.store.study(&id, None).await? else {
        return Err(Problem::not_found("study of that id"));
    };
    let Some(study) = app.study(&id, row.version).await? else {
        return Err(Problem::not_found("study of that id"));
    };
    Ok(Json(StudyBody {
        study: StudyDetail::new(&row, &study),
    }))
}

/// Make sessions and their participant links. The links are shown only in this answer.
#[utoipa::path(post, path = "/api/v1/studies/{id}/sessions", operation_id = "create_sessions", tag = "studies", security(("console_token" = [])), params(("id" = String, Path)), request_body = NewSessionsBody,
    responses((status = 201, body = CreatedSessionsBody), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn invite(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    Json(invite): Json<NewSessionsBody>,
) -> Result<(StatusCode, Json<CreatedSessionsBody>), Problem> {
    let id = StudyId::from(id);
    let Some(row) = app.store.study(&id, None).await? else {
        return Err(Problem::not_found("study of that id"));
    };
    let Some(study) = app.study(&id, row.version).await? else {
        return Err(Problem::not_found("study of that id"));
    };
    let (length, language) = checked(&invite, &study.languages)?;
    let expires_at_us = invite.expires_in_hours.map(|hours| {
        app.store
            .now_us()
            .saturating_add(i64::from(hours) * 3_600_000_000)
    });
    let mut sessions = Vec::new();
    let mut shown = Vec::new();
    for _ in 0..invite.count.unwrap_or(1) {
        let secret = mint().map_err(|error| Problem::internal(&anyhow::Error::new(error)))?;
        let session_id = SessionId::from(Ulid::generate().to_string());
        shown.push(CreatedSession {
            id: session_id.to_string(),
            link: format!("{}/i#{secret}", app.public_url),
        });
        sessions.push(NewSession {
            session_id,
            study_id: id.clone(),
            study_version: row.version,
            link_hash: hash(&secret),
            language: language.clone(),
            length,
            external_id: invite.external_id.clone(),
            expires_at_us,
        });
    }
    let ids: Vec<SessionId> = sessions
        .iter()
        .map(|session| session.session_id.clone())
        .collect();
    app.store.create_sessions(sessions).await?;
    for id in &ids {
        app.changed(id);
    }
    Ok((
        StatusCode::CREATED,
        Json(CreatedSessionsBody { sessions: shown }),
    ))
}

fn checked(invite: &NewSessionsBody, languages: &[String]) -> Result<(Length, String), Problem> {
    let wrong = |detail: String, remedy: &str| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invitation",
            "The invitation cannot be made",
            detail,
            remedy,
        )
    };
    let count = invite.count.unwrap_or(1);
    if !(1..=INVITATIONS_MAX).contains(&count) {
        return Err(wrong(
            format!("`count` is {count}."),
            "Ask for 1 to 500 links at a time.",
        ));
    }
    if invite.external_id.is_some() && count != 1 {
        return Err(wrong(
            "`external_id` belongs to one participant, but several links are asked for.".into(),
            "Ask for one link per external id.",
        ));
    }
    if invite
        .external_id
        .as_ref()
        .is_some_and(|id| id.chars().count() > EXTERNAL_ID_CHARS_MAX)
    {
        return Err(wrong(
            "`external_id` is too long.".into(),
            "Use at most 200 characters.",
        ));
    }
    if invite
        .expires_in_hours
        .is_some_and(|hours| !(1..=HOURS_MAX).contains(&hours))
    {
        return Err(wrong(
            "`expires_in_hours` is out of range.".into(),
            "Use 1 to 17520 (two years), or leave it out for an invitation that does not lapse.",
        ));
    }
    let name = invite.length.as_deref().unwrap_or("full");
    let length = Length::from_name(name).ok_or_else(|| {
        wrong(
            format!("`length` is `{name}`."),
            "Use `full` or `rehearsal`.",
        )
    })?;
    let first = languages
        .first()
        .cloned()
        .unwrap_or_else(|| "en".to_owned());
    let language = invite.language.clone().unwrap_or(first);
    if !languages.contains(&language) {
        return Err(wrong(
            format!("The study is not offered in `{language}`."),
            "Use one of the study's languages, or add it to the study file.",
        ));
    }
    Ok((length, language))
}
