//! The operations page: the six numbers with their hour, what alarms, and sessions in trouble.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine::admission::Room;
use engine::cost::MicroUsd;
use engine::trouble::{Trouble, Unfinished};
use engine::vitals::{Health, Number, Reading, SLOT};
use serde::Serialize;
use store::SessionRow;
use utoipa::ToSchema;

use super::auth::Researcher;
use super::error::Problem;
use super::time::rfc3339;
use crate::app::App;
use crate::export::participant;
use crate::vitals::Standing;

/// The guide whose paragraphs alerts lead to, compiled in.
const GUIDE: &str = include_str!("../../../../docs/operating.md");
/// Sessions in trouble that are shown.
const TROUBLE_MAX: usize = 50;

/// `{operations}`.
#[derive(Serialize, ToSchema)]
pub(super) struct OperationsBody {
    operations: Operations,
}

/// How the system is.
#[derive(Serialize, ToSchema)]
struct Operations {
    /// When all of this was true.
    at: String,
    capacity: CapacityView,
    /// Seven rows: response latency, one of the six, is shown twice.
    numbers: Vec<NumberView>,
    history: HistoryView,
    /// Most urgent first.
    alerts: Vec<AlertView>,
    /// Worst first, at most 50.
    trouble: Vec<TroubleView>,
    trouble_total: usize,
}

/// How much room there is.
#[derive(Serialize, ToSchema)]
struct CapacityView {
    sessions_max: usize,
    live: usize,
    /// Participants in line.
    waiting: i64,
    /// open; busy (the machine carries no more, or few places are left); full.
    state: &'static str,
    /// Of all cores, 0 to 1.
    cpu_share: Option<f64>,
    /// The longest that a media thread was late within the last seconds.
    tick_lag_ms: Option<f64>,
}

/// A number and how good it is.
#[derive(Serialize, ToSchema)]
struct NumberView {
    /// sessions, first_voice, provider_latency, heard_latency, provider_errors, queue or cost.
    id: &'static str,
    /// Of latencies the 95th percentile of five minutes. None: nothing was measured.
    value: Option<f64>,
    /// Of latencies only.
    median: Option<f64>,
    /// sessions, ms, share (0 to 1), segments, or ratio (1 is on target).
    unit: &'static str,
    /// good, watch, alert or none.
    state: &'static str,
    /// Of heard latency with the mean patience of the studies in it, like the value.
    target: f64,
    /// The same.
    alert: f64,
    note: Option<String>,
}

/// An hour.
#[derive(Serialize, ToSchema)]
struct HistoryView {
    /// Between two points.
    step_s: u64,
    /// The moment of the last point.
    until: String,
    series: Vec<SeriesView>,
}

/// A number over time.
#[derive(Serialize, ToSchema)]
struct SeriesView {
    id: &'static str,
    /// Oldest first.
    points: Vec<Option<f64>>,
}

/// Something to act on.
#[derive(Serialize, ToSchema)]
struct AlertView {
    /// As in `deploy/alerts.yml`.
    name: &'static str,
    /// page: now; ticket: today.
    severity: &'static str,
    since: String,
    summary: String,
    /// What to do, on this server.
    runbook: String,
}

/// A session that somebody should look at.
#[derive(Serialize, ToSchema)]
struct TroubleView {
    session_id: String,
    study_id: String,
    study_title: String,
    participant: String,
    /// paused, active, waiting or closing.
    state: &'static str,
    /// paused, over_budget or old.
    trouble: &'static str,
    since: String,
    detail: String,
}

/// How the system is: numbers, an hour of history, alerts, sessions in trouble.
#[utoipa::path(get, path = "/api/v1/operations", operation_id = "operations", tag = "operations", security(("console_token" = [])),
    responses((status = 200, body = OperationsBody)))]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    _: Researcher,
) -> Result<Json<OperationsBody>, Problem> {
    let (trouble, trouble_total) = trouble(&app).await?;
    let now_us = app.store.now_us();
    let (readings, series) = app.metrics.vitals.with(|vitals, now| {
        let readings = Number::ALL.map(|of| (of, vitals.reading(now, of)));
        let series = Number::ALL.map(|of| SeriesView {
            id: of.name(),
            points: vitals.history(now, of),
        });
        (readings, series)
    });
    let alerts = alerts(&app, &readings, &series, now_us);
    let numbers = readings.map(|(of, reading)| number(&app, of, reading));
    Ok(Json(OperationsBody {
        operations: Operations {
            at: rfc3339(now_us),
            capacity: capacity(&app),
            numbers: numbers.into(),
            history: HistoryView {
                step_s: SLOT.as_secs(),
                until: rfc3339(now_us),
                series: series.into(),
            },
            alerts,
            trouble,
            trouble_total,
        },
    }))
}

fn capacity(app: &App) -> CapacityView {
    let (live, cap) = (app.registry.live(), app.config.capacity.sessions_max);
    let machine = app.machine.get();
    CapacityView {
        sessions_max: cap,
        live,
        waiting: app.metrics.sessions_waiting.get(),
        state: Room::of(live, cap, app.registry.strain()).name(),
        cpu_share: machine.map(|(cpu, _)| cpu),
        tick_lag_ms: machine.map(|(_, worst)| worst.as_secs_f64() * 1_000.0),
    }
}

fn number(app: &App, of: Number, reading: Reading) -> NumberView {
    let note = match of {
        Number::Queue => {
            let age_s = app.metrics.enrichment_oldest_seconds.get();
            (age_s > 0).then(|| format!("oldest {age_s} s"))
        }
        Number::Cost => {
            let mean = app
                .metrics
                .vitals
                .with(|vitals, now| vitals.mean_cost_micro_usd(now));
            mean.map(|mean| format!("{} per session", MicroUsd(mean)))
        }
        Number::ProviderErrors => app.metrics.vitals.with(|vitals, now| {
            let shares = vitals.error_shares(now);
            let worst = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
            (worst.1 > 0.0).then(|| worst.0.to_owned())
        }),
        Number::HeardLatency => {
            let patience_s = reading.limits.patience_ms / 1_000.0;
            (patience_s > 0.0)
                .then(|| format!("{patience_s:.2} s of it, and of its limits, is patience"))
        }
        Number::Sessions | Number::FirstVoice | Number::ProviderLatency => None,
    };
    NumberView {
        id: of.name(),
        value: reading.value,
        median: reading.median,
        unit: of.unit(),
        state: reading.health.name(),
        target: reading.limits.target,
        alert: reading.limits.alert,
        note,
    }
}

/// The name of a number's alert in `deploy/alerts.yml`, its severity, and what it means.
const fn alert(of: Number) -> (&'static str, &'static str, &'static str) {
    match of {
        Number::Sessions => (
            "SessionsHigh",
            "page",
            "More than 400 interviews run at once",
        ),
        Number::FirstVoice => (
            "FirstVoiceSlow",
            "page",
            "One participant in twenty waits more than 3 s for the first voice",
        ),
        Number::ProviderLatency => (
            "ProviderResponseSlow",
            "page",
            "One answer in twenty takes the provider more than 0.8 s",
        ),
        Number::HeardLatency => (
            "HeardResponseSlow",
            "page",
            "One answer in twenty is heard more than 0.8 s after the patience of its study",
        ),
        Number::ProviderErrors => (
            "ProviderErrors",
            "page",
            "More than 2 % of what a provider was asked has failed",
        ),
        Number::Queue => (
            "EnrichmentQueueLong",
            "ticket",
            "More than 500 segments wait to be coded",
        ),
        Number::Cost => (
            "SessionCostHigh",
            "ticket",
            "Interviews cost more than 150 % of their target",
        ),
    }
}

fn alerts(
    app: &App,
    readings: &[(Number, Reading)],
    series: &[SeriesView],
    now_us: i64,
) -> Vec<AlertView> {
    let mut alerts = Vec::new();
    for ((of, reading), series) in readings.iter().zip(series) {
        if reading.health == Health::Alert {
            let alarming = |value: &&Option<f64>| reading.limits.health(**value) == Health::Alert;
            let slots = series.points.iter().rev().take_while(alarming).count();
            let slots = i64::try_from(slots.saturating_sub(1)).unwrap_or_default();
            let slot_us = i64::try_from(SLOT.as_micros()).unwrap_or_default();
            let (name, severity, summary) = alert(*of);
            alerts.push(told(
                name,
                severity,
                now_us - slots * slot_us,
                summary.to_owned(),
            ));
        }
    }
    for (on, since_us) in app.raised.now(&app.metrics, now_us) {
        let metrics = &app.metrics;
        let (severity, summary) = match on {
            Standing::EnrichmentStopped => {
                let why = app.gate.stopped().unwrap_or("the chat endpoint refuses");
                ("ticket", format!("Coding stands still: {why}"))
            }
            Standing::DeadLetters => {
                let dead = metrics.dead_letters.get();
                let summary = format!("{dead} jobs were given up and wait for a person");
                ("ticket", summary)
            }
            Standing::ParticipantsWaiting => {
                let waiting = metrics.sessions_waiting.get();
                let summary = format!("{waiting} participants wait in line for a place");
                ("page", summary)
            }
        };
        alerts.push(told(on.name(), severity, since_us, summary));
    }
    alerts.sort_by_key(|alert| alert.severity != "page");
    alerts
}

fn told(name: &'static str, severity: &'static str, since_us: i64, summary: String) -> AlertView {
    AlertView {
        name,
        severity,
        since: rfc3339(since_us),
        summary,
        runbook: format!("/runbook/{name}"),
    }
}

/// Sessions that are not as they should be: their participant is away, they cost nearly what they may, or never end.
async fn trouble(app: &App) -> Result<(Vec<TroubleView>, usize), Problem> {
    let now_us = app.store.now_us();
    let mut found = Vec::new();
    for row in app.store.unfinished_sessions().await? {
        // One study that cannot be read hides no session.
        let study = app.study(&row.study_id, row.study_version).await;
        let unfinished = Unfinished {
            state: row.state,
            created_at_us: row.created_at_us,
            started_at_us: row.started_at_us,
            paused_at_us: row.paused_at_us,
            cost: MicroUsd(row.cost_micro_usd),
            budget: study.ok().flatten().and_then(|study| study.budget),
        };
        if let Some((trouble, since_us)) = Trouble::of(&unfinished, now_us) {
            found.push((trouble, since_us, row));
        }
    }
    let total = found.len();
    found.sort_by_key(|(trouble, since_us, _)| (trouble.rank(), *since_us));
    let shown = found.iter().take(TROUBLE_MAX);
    let shown = shown.map(|(trouble, since_us, row)| troubled(row, *trouble, *since_us));
    Ok((shown.collect(), total))
}

fn troubled(row: &SessionRow, trouble: Trouble, since_us: i64) -> TroubleView {
    TroubleView {
        session_id: row.session_id.to_string(),
        study_id: row.study_id.to_string(),
        study_title: row.study_title.clone(),
        participant: participant(&row.session_id),
        state: row.state.name(),
        trouble: trouble.name(),
        since: rfc3339(since_us),
        detail: trouble.detail(),
    }
}

/// The guide's paragraph about an alert, as text. It says nothing about this server, so that nobody needs a token to read it.
pub(super) async fn runbook(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    let paragraph = paragraph(&name).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such alert",
            "The operating guide has no paragraph about it.",
            "See deploy/alerts.yml for the names of alerts, and docs/operating.md for all of them.",
        )
    })?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, paragraph))
}

/// `SessionsHigh` is told under `### Alert: Sessions high`.
fn paragraph(name: &str) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace(' ', "");
    GUIDE.split("\n### Alert: ").skip(1).find_map(|section| {
        let (heading, rest) = section.split_once('\n')?;
        let body = rest.split("\n#").next()?.trim();
        (plain(heading) == plain(name)).then(|| format!("{heading}\n\n{body}\n"))
    })
}

#[cfg(test)]
mod tests {
    use engine::vitals::Number;

    use super::{Standing, alert, paragraph};

    #[test]
    fn every_alert_of_the_page_has_its_paragraph_and_its_rule() {
        let rules = include_str!("../../../../deploy/alerts.yml");
        let standing = Standing::ALL.map(Standing::name);
        for name in Number::ALL
            .map(|of| alert(of).0)
            .into_iter()
            .chain(standing)
        {
            let text = paragraph(name).unwrap_or_default();
            assert!(text.lines().count() >= 3, "{name}: {text}");
            assert!(!text.contains("###"), "{text}");
            assert!(rules.contains(&format!("alert: {name}\n")), "{name}");
        }
        assert_eq!(paragraph("Nothing"), None);
    }
}
