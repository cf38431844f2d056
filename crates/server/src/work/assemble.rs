//! Job `report`: everything that came of the session, counted and in one document.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{PhaseId, SessionId};
use engine::plan::{Plan, Topic};
use serde_json::Value;
use store::{CodingRow, Completion, JournalRow, Lease, SegmentRow, SessionRow, TurnRow};

use super::Failure;
use super::call::Client;
use super::report::{
    Report, ReportCoverage, ReportFigures, ReportMethod, ReportQuote, ReportTopic, SentimentCounts,
};
use super::summary::{self, Answer, Question};
use super::{merge, webhook};
use crate::app::App;
use crate::study::Study;

pub(super) async fn run(app: &App, client: &Client, lease: &Lease) -> Result<(), Failure> {
    let id = &lease.session_id;
    let Some(session) = app.store.session(id).await? else {
        return Err(Failure::hopeless("the session of this job does not exist"));
    };
    let study = app
        .study(&session.study_id, session.study_version)
        .await
        .map_err(|error| Failure::transient(format!("the study cannot be read: {error:#}")))?;
    let study =
        study.ok_or_else(|| Failure::hopeless("the study of this session does not exist"))?;
    let turns = app.store.turns(id).await?;
    let segments = app.store.segments(id).await?;
    let first = app.store.report(id).await?.is_none();
    let plan = study.plan(
        session.length,
        &session.language,
        engine::cost::Prices::default(),
    );
    let questions = questions(&plan);
    let brought = merge::brought(app, lease, &session, &study, &segments).await?;
    let written = summary::write(app, client, &session, &turns, &questions).await;
    let summary_cost: i64 = written.charges.iter().map(|charge| charge.cost.0).sum();
    let report = Report {
        generated_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        summary: written.summary,
        sentiment: sentiment(segments.iter().map(|segment| segment.coding.as_ref())),
        topics: topics(&segments, &study),
        quotes: quotes(&segments),
        coverage: coverage(app, id, &plan, &written.answers).await?,
        figures: figures(app, id, &session, &turns, summary_cost).await?,
        method: method(&segments, client.model()),
    };
    // A report that is made again is an event again.
    let which = format!("/{}", report.generated_at);
    let told = webhook::event_job(app, lease, webhook::REPORT_READY, &which);
    let report =
        serde_json::to_value(&report).map_err(|error| Failure::hopeless(error.to_string()))?;
    app.store
        .complete(
            lease,
            Completion {
                report: Some(report),
                jobs: told.into_iter().chain(brought.job).collect(),
                labels: brought.labels,
                themes: brought.themes,
                charges: written.charges,
                ..Completion::default()
            },
        )
        .await?;
    if let Some(ended_at_us) = session.ended_at_us.filter(|_| first) {
        app.metrics
            .waited(app.store.now_us().saturating_sub(ended_at_us));
    }
    Ok(())
}

fn questions(plan: &Plan) -> Vec<Question> {
    let topics = plan.phases.iter().flat_map(|phase| {
        let question = |topic: &Topic| Question {
            id: (phase.id.to_string(), topic.id.to_string()),
            text: topic.question.clone(),
        };
        phase.topics.iter().map(question)
    });
    topics.collect()
}

fn sentiment<'a>(codings: impl Iterator<Item = Option<&'a CodingRow>>) -> SentimentCounts {
    let mut counts = SentimentCounts::default();
    for coding in codings {
        let count = match coding.map(|coding| coding.sentiment) {
            Some(store::Sentiment::Negative) => &mut counts.negative,
            Some(store::Sentiment::Neutral) => &mut counts.neutral,
            Some(store::Sentiment::Positive) => &mut counts.positive,
            Some(store::Sentiment::Mixed) => &mut counts.mixed,
            None => &mut counts.uncoded,
        };
        *count += 1;
    }
    counts
}

/// Most frequent first; equal ones by name, so that a report is the same whenever it is made.
fn topics(segments: &[SegmentRow], study: &Study) -> Vec<ReportTopic> {
    let mut by_topic: BTreeMap<&str, Vec<&CodingRow>> = BTreeMap::new();
    for coding in segments
        .iter()
        .filter_map(|segment| segment.coding.as_ref())
    {
        for topic in &coding.topics {
            by_topic.entry(topic).or_default().push(coding);
        }
    }
    let label = |topic: &str| {
        study
            .codebook
            .iter()
            .find(|code| code.id == topic)
            .map_or_else(|| topic.to_owned(), |code| code.label.clone())
    };
    let mut found: Vec<ReportTopic> = by_topic
        .into_iter()
        .map(|(topic, codings)| ReportTopic {
            topic: topic.to_owned(),
            label: label(topic),
            segments: u32::try_from(codings.len()).unwrap_or(u32::MAX),
            sentiment: sentiment(codings.into_iter().map(Some)),
        })
        .collect();
    found.sort_by(|one, other| {
        other
            .segments
            .cmp(&one.segments)
            .then_with(|| one.topic.cmp(&other.topic))
    });
    found
}

fn quotes(segments: &[SegmentRow]) -> Vec<ReportQuote> {
    let quoted = segments.iter().filter_map(|segment| {
        let coding = segment.coding.as_ref()?;
        let quote = coding.quote.as_ref()?;
        Some(ReportQuote {
            turn: segment.turn.0,
            segment: segment.segment_no,
            text: quote.text.clone(),
            start_ms: segment.start_ms,
            end_ms: segment.end_ms,
            topics: coding.topics.clone(),
            sentiment: coding.sentiment.name().to_owned(),
        })
    });
    quoted.collect()
}

/// Each question of the guide. One whose phase was never entered was not asked, whoever says otherwise.
async fn coverage(
    app: &App,
    id: &SessionId,
    plan: &Plan,
    answers: &BTreeMap<(String, String), Answer>,
) -> Result<Vec<ReportCoverage>, Failure> {
    let covered: BTreeSet<_> = app
        .store
        .covered(id)
        .await?
        .into_iter()
        .map(|covered| covered.topic)
        .collect();
    let entered = visited(app, id).await?;
    let topics = plan
        .phases
        .iter()
        .flat_map(|phase| phase.topics.iter().map(move |topic| (phase, topic)));
    Ok(topics
        .map(|(phase, topic)| {
            let covered = covered.contains(&topic.id);
            let id = (phase.id.to_string(), topic.id.to_string());
            let judged = answers.get(&id).cloned();
            let answer = match judged {
                _ if !entered.contains(&phase.id) => Answer::never_asked(),
                Some(answer) => answer,
                None => Answer::default(),
            };
            ReportCoverage {
                topic: id.1,
                question: topic.question.clone(),
                phase: id.0,
                required: topic.need == engine::plan::Need::Required,
                covered,
                answer: answer.status,
                answered_at: answer.place,
            }
        })
        .collect())
}

async fn visited(app: &App, id: &SessionId) -> Result<BTreeSet<PhaseId>, Failure> {
    let phases = app.store.phases(id).await?;
    Ok(phases.into_iter().map(|phase| phase.phase).collect())
}

async fn figures(
    app: &App,
    id: &SessionId,
    session: &SessionRow,
    turns: &[TurnRow],
    summary_cost: i64,
) -> Result<ReportFigures, Failure> {
    let journal = app.store.journal(id).await?;
    let mut latencies = measured(&journal, "response_latency");
    latencies.sort_unstable();
    let visited = visited(app, id).await?;
    let ledger: i64 = app
        .store
        .ledger(id)
        .await?
        .iter()
        .map(|row| row.cost_micro_usd)
        .sum();
    let duration_ms = session.duration_ms.unwrap_or_else(|| {
        turns
            .iter()
            .map(|turn| turn.end_ms)
            .max()
            .unwrap_or_default()
    });
    #[expect(
        clippy::cast_precision_loss,
        reason = "minutes for people, with one decimal"
    )]
    let minutes = ((duration_ms as f64) / 6_000.0).round() / 10.0;
    Ok(ReportFigures {
        turns: u32::try_from(turns.len()).unwrap_or(u32::MAX),
        minutes,
        phases_visited: u32::try_from(visited.len()).unwrap_or(u32::MAX),
        first_voice_ms: session.first_voice_ms,
        response_latency_p50_ms: percentile(&latencies, 50),
        response_latency_p95_ms: percentile(&latencies, 95),
        cost_micro_usd: ledger.saturating_add(summary_cost),
    })
}

fn measured(journal: &[JournalRow], measure: &str) -> Vec<u64> {
    let rows = journal.iter().filter(|row| {
        row.kind == "measured" && row.body.get("measure").and_then(Value::as_str) == Some(measure)
    });
    rows.filter_map(|row| row.body.get("ms").and_then(Value::as_u64))
        .collect()
}

/// Nearest rank.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn method(segments: &[SegmentRow], configured: &str) -> ReportMethod {
    let codings = || {
        segments
            .iter()
            .filter_map(|segment| segment.coding.as_ref())
    };
    let join = |values: BTreeSet<&str>| values.into_iter().collect::<Vec<_>>().join(", ");
    let model = join(codings().map(|coding| coding.model.as_str()).collect());
    ReportMethod {
        model: if model.is_empty() {
            configured.to_owned()
        } else {
            model
        },
        prompt_version: join(
            codings()
                .map(|coding| coding.prompt_version.as_str())
                .collect(),
        ),
        schema_version: join(
            codings()
                .map(|coding| coding.schema_version.as_str())
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let ten: Vec<u64> = (1..=10).collect();
        assert_eq!(
            (
                percentile(&ten, 50),
                percentile(&ten, 95),
                percentile(&[], 50)
            ),
            (Some(5), Some(10), None)
        );
    }
}
