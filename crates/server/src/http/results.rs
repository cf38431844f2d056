//! What the interviews of a study say together: themes, the grid of respondents and topics, and every place where a word fell.

mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use engine::analysis::{self, Cell, Coded};
use engine::ids::{SessionId, StudyId};
use engine::link::Speaker;
use serde::{Deserialize, Serialize};
use store::{SegmentRow, SessionRow};
use utoipa::{IntoParams, ToSchema};

use super::auth::Researcher;
use super::error::Problem;
use crate::app::App;
use crate::export::participant;
use crate::search::Needle;
use crate::study::Study;
use crate::topics::Merged;
use crate::walk::Walk;
use words::Words;

/// Coded interviews that themes are counted over, the newest: more than that is a matter for the exports.
const SESSIONS_MAX: usize = 2_000;
/// Respondents in a page of the grid at most.
const ROWS_MAX: u32 = 100;
/// Sessions that one page of the grid, or of a search, looks at.
const SEEN_MAX: u32 = 1_000;
/// With so many places a page of a search is full, once the interview that they are in is.
const HITS_MAX: usize = 200;
/// Longest phrase to look for.
const PHRASE_CHARS_MAX: usize = 200;

/// So many of so many participants.
#[derive(Serialize, ToSchema)]
pub(super) struct ShareView {
    /// A section's id, or a version of the study.
    key: String,
    /// What people read for it.
    label: String,
    /// Who spoke of the topic there.
    participants: u32,
    /// Of all who were there.
    of: u32,
    /// How they feel about it there.
    feelings: FeelingsView,
    /// Where they speak of it there first; the latest interviews.
    places: Vec<CaseView>,
}

/// How participants feel, each counted once.
#[derive(Serialize, ToSchema)]
pub(super) struct FeelingsView {
    negative: u32,
    neutral: u32,
    positive: u32,
    mixed: u32,
}

/// A negative case, and where they say so first.
#[derive(Serialize, ToSchema)]
pub(super) struct CaseView {
    session_id: String,
    participant: String,
    turn: u32,
}

/// A topic over all interviews.
#[derive(Serialize, ToSchema)]
pub(super) struct ThemeView {
    /// Id in the codebook, or open label.
    topic: String,
    /// What people read for it.
    label: String,
    /// Who spoke of it.
    participants: u32,
    /// Of all who were coded.
    of: u32,
    /// How often it was spoken of.
    segments: u32,
    /// How those participants feel about it.
    feelings: FeelingsView,
    /// Negative cases: of those who are for or against, the fewer.
    against: Vec<CaseView>,
    /// By section of the study.
    phases: Vec<ShareView>,
    /// By wave: version of the study.
    waves: Vec<ShareView>,
}

/// `{themes, counted, truncated}`.
#[derive(Serialize, ToSchema)]
pub(super) struct ThemesBody {
    themes: Vec<ThemeView>,
    /// Coded interviews that were counted.
    counted: u32,
    /// Whether there are more, which were not.
    truncated: bool,
}

/// Words and where they were said.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotedView {
    /// Verbatim; empty where nothing was worth quoting.
    text: String,
    turn: u32,
    start_ms: u64,
    end_ms: u64,
}

/// A respondent and a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct CellView {
    topic: String,
    sentiment: &'static str,
    segments: u32,
    quotes: Vec<QuotedView>,
}

/// A respondent.
#[derive(Serialize, ToSchema)]
pub(super) struct RowView {
    session_id: String,
    participant: String,
    /// Why the interview ended; null while it runs.
    outcome: Option<&'static str>,
    cells: Vec<CellView>,
}

/// A topic, as people read it.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicView {
    topic: String,
    label: String,
}

/// `{topics, rows, next_before}`.
#[derive(Serialize, ToSchema)]
pub(super) struct GridBody {
    topics: Vec<TopicView>,
    rows: Vec<RowView>,
    /// For the next page; null on the last.
    next_before: Option<String>,
}

/// A place where it was said.
#[derive(Serialize, ToSchema)]
pub(super) struct HitView {
    session_id: String,
    participant: String,
    turn: u32,
    phase: String,
    start_ms: u64,
    end_ms: u64,
    /// The whole turn.
    text: String,
    /// First character of what was looked for, Unicode code points.
    from_char: u32,
    /// One past its last.
    to_char: u32,
}

/// `{hits, next_before}`.
#[derive(Serialize, ToSchema)]
pub(super) struct HitsBody {
    hits: Vec<HitView>,
    /// The last interview that was looked at, if there are older ones: ask again with it as `before`.
    next_before: Option<String>,
}

/// Which page of the grid.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// 1 to 100; 50 if absent.
    limit: Option<u32>,
    /// `next_before` of the page before.
    before: Option<String>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// A word or phrase that participants said. Case and accents do not matter.
    q: String,
    /// Only interviews that are older than this one.
    before: Option<String>,
}

/// Themes: what participants spoke of, how they feel about it, and who is against.
#[utoipa::path(get, path = "/api/v1/studies/{id}/themes", operation_id = "themes", tag = "studies", security(("console_token" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ThemesBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn themes(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
) -> Result<Json<ThemesBody>, Problem> {
    let (id, study) = found(&app, id).await?;
    let merged = Merged::of(&app.store.open_topics(&id).await?);
    let mut walk = Walk::over(app.store.clone(), id.clone());
    let (mut rows, mut sessions, mut truncated) = (Vec::new(), 0, false);
    let mut versions = BTreeSet::new();
    while let Some(session) = walk.next().await? {
        let segments = app.store.segments(&session.session_id).await?;
        let coded = coded(&session, segments, &merged);
        if coded.is_empty() {
            continue;
        }
        if sessions == SESSIONS_MAX {
            truncated = true;
            break;
        }
        sessions += 1;
        versions.insert(session.study_version);
        rows.extend(coded);
    }
    // Two thousand interviews are some 300,000 segments: not on a thread that others wait for.
    let themes = tokio::task::spawn_blocking(move || analysis::themes(&rows))
        .await
        .map_err(|error| Problem::internal(&anyhow::Error::new(error)))?;
    let words = Words::of(&app, &id, &study, &versions).await;
    Ok(Json(ThemesBody {
        themes: themes.into_iter().map(|theme| words.theme(theme)).collect(),
        counted: u32::try_from(sessions).unwrap_or(u32::MAX),
        truncated,
    }))
}

/// The grid: what each respondent said about each topic, newest interview first.
#[utoipa::path(get, path = "/api/v1/studies/{id}/grid", operation_id = "grid", tag = "studies", security(("console_token" = [])), params(("id" = String, Path), Page),
    responses((status = 200, body = GridBody), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn grid(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<GridBody>, Problem> {
    let (id, study) = found(&app, id).await?;
    let merged = Merged::of(&app.store.open_topics(&id).await?);
    let limit = page.limit.unwrap_or(50).clamp(1, ROWS_MAX);
    let before = page.before.map(SessionId::from);
    let mut walk = Walk::over(app.store.clone(), id.clone()).behind(before);
    let (mut rows, mut topics, mut versions) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let (mut seen, mut next_before) = (0, None);
    // New links and interviews that are not coded yet are passed over, however many there are.
    while let Some(session) = walk.next().await? {
        seen += 1;
        let segments = app.store.segments(&session.session_id).await?;
        if let Some((_, cells)) = analysis::grid(&coded(&session, segments, &merged)).pop_first() {
            topics.extend(cells.keys().cloned());
            versions.insert(session.study_version);
            rows.push(RowView {
                session_id: session.session_id.to_string(),
                participant: participant(&session.session_id),
                outcome: session.outcome.map(engine::journal::Outcome::name),
                cells: cells.into_iter().map(cell).collect(),
            });
        }
        if rows.len() >= limit as usize || seen >= SEEN_MAX {
            next_before = Some(session.session_id.to_string());
            break;
        }
    }
    let words = Words::of(&app, &id, &study, &versions).await;
    Ok(Json(GridBody {
        topics: words.topics(topics),
        rows,
        next_before,
    }))
}

/// Every place where participants said a word or phrase, newest interview first.
#[utoipa::path(get, path = "/api/v1/studies/{id}/search", operation_id = "search", tag = "studies", security(("console_token" = [])), params(("id" = String, Path), Search),
    responses((status = 200, body = HitsBody), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn search(
    State(app): State<Arc<App>>,
    _: Researcher,
    Path(id): Path<String>,
    Query(search): Query<Search>,
) -> Result<Json<HitsBody>, Problem> {
    let (id, _) = found(&app, id).await?;
    let too_long = search.q.chars().count() > PHRASE_CHARS_MAX;
    let needle = Needle::new(&search.q).filter(|_| !too_long);
    let Some(needle) = needle else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "search",
            "There is nothing to look for",
            "A search needs a word or a phrase of at most 200 characters.",
            "Write what participants may have said.",
        ));
    };
    let before = search.before.map(SessionId::from);
    let mut walk = Walk::over(app.store.clone(), id).behind(before);
    let (mut hits, mut seen) = (Vec::new(), 0);
    while let Some(session) = walk.next().await? {
        seen += 1;
        for turn in app.store.turns(&session.session_id).await? {
            if turn.speaker != Speaker::Participant {
                continue;
            }
            for place in needle.places(turn.words()) {
                hits.push(HitView {
                    session_id: session.session_id.to_string(),
                    participant: participant(&session.session_id),
                    turn: turn.turn.0,
                    phase: turn.phase.to_string(),
                    start_ms: turn.start_ms,
                    end_ms: turn.end_ms,
                    text: turn.words().to_owned(),
                    from_char: place.start,
                    to_char: place.end,
                });
            }
        }
        // Whole interviews: a page ends between two of them.
        if hits.len() >= HITS_MAX || seen >= SEEN_MAX {
            return Ok(Json(HitsBody {
                hits,
                next_before: Some(session.session_id.to_string()),
            }));
        }
    }
    Ok(Json(HitsBody {
        hits,
        next_before: None,
    }))
}

async fn found(app: &App, id: String) -> Result<(StudyId, Arc<Study>), Problem> {
    let id = StudyId::from(id);
    let Some(row) = app.store.study(&id, None).await? else {
        return Err(Problem::not_found("study of that id"));
    };
    let study = app.study(&id, row.version).await?;
    let study = study.ok_or_else(|| Problem::not_found("study of that id"))?;
    Ok((id, study))
}

fn coded(session: &SessionRow, segments: Vec<SegmentRow>, merged: &Merged) -> Vec<Coded> {
    let coded = |row: SegmentRow| {
        let coding = row.coding?;
        Some(Coded {
            session: session.session_id.clone(),
            version: session.study_version,
            phase: row.phase,
            turn: row.turn,
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            sentiment: match coding.sentiment {
                store::Sentiment::Negative => engine::enrich::Sentiment::Negative,
                store::Sentiment::Neutral => engine::enrich::Sentiment::Neutral,
                store::Sentiment::Positive => engine::enrich::Sentiment::Positive,
                store::Sentiment::Mixed => engine::enrich::Sentiment::Mixed,
            },
            topics: merged.all(coding.topics),
            quote: coding.quote.map(|quote| quote.text),
        })
    };
    segments.into_iter().filter_map(coded).collect()
}

fn cell((topic, cell): (String, Cell)) -> CellView {
    let quoted = |quote: analysis::Quoted| QuotedView {
        text: quote.text,
        turn: quote.turn.0,
        start_ms: quote.start_ms,
        end_ms: quote.end_ms,
    };
    CellView {
        topic,
        sentiment: cell.sentiment.name(),
        segments: cell.segments,
        quotes: cell.quotes.into_iter().map(quoted).collect(),
    }
}
