//! Job `cut_transcript`: turns become segments, each with its job.

use engine::enrich::{Segment, Spoken, segments};
use engine::ids::SessionId;
use store::{Completion, Cut, Extent, Lease, NewSegment, SessionRow};

use super::{CODE, Failure, report_job, webhook};
use crate::app::App;

pub(super) async fn run(app: &App, lease: &Lease) -> Result<(), Failure> {
    let Some(session) = app.store.session(&lease.session_id).await? else {
        return Err(Failure::hopeless("the session of this job does not exist"));
    };
    let found = segments(&spoken(app, &lease.session_id).await?);
    let cut = Cut {
        segments: found
            .into_iter()
            .map(|segment| row(segment, &session.language))
            .collect(),
        extent: Extent::All,
        kind: CODE.to_owned(),
        rank: lease.rank,
        due_us: due_us(app, &session, lease.rank).await?,
    };
    // Nobody said a word: there is nothing to report on.
    let last = (session.turns > 0).then(|| report_job(lease));
    let completion = Completion {
        cut: Some(cut),
        jobs: webhook::event_job(app, lease, webhook::SESSION_ENDED, "")
            .into_iter()
            .collect(),
        last,
        ..Completion::default()
    };
    Ok(app.store.complete(lease, completion).await?)
}

/// When results of a session that ended at `ended_at_us` are promised: as its study says, or else the configuration.
async fn due_us(app: &App, session: &SessionRow, ended_at_us: i64) -> Result<i64, Failure> {
    let study = app
        .study(&session.study_id, session.study_version)
        .await
        .map_err(|error| Failure::transient(format!("the study cannot be read: {error:#}")))?;
    let within_min = study
        .and_then(|study| study.results_within_min)
        .unwrap_or(app.config.enrichment.results_within_min);
    Ok(ended_at_us.saturating_add(i64::from(within_min) * 60_000_000))
}

pub(super) fn row(segment: Segment, language: &str) -> NewSegment {
    NewSegment {
        segment_no: segment.no,
        turn: segment.turn,
        text: segment.text,
        start_ms: segment.start_ms,
        end_ms: segment.end_ms,
        phase: segment.phase,
        language: language.to_owned(),
    }
}

/// The turns of a session as coding sees them.
pub(super) async fn spoken(app: &App, session_id: &SessionId) -> Result<Vec<Spoken>, Failure> {
    let turns = app.store.turns(session_id).await?;
    let spoken = turns.into_iter().map(|turn| Spoken {
        turn: turn.turn,
        speaker: turn.speaker,
        phase: turn.phase.clone(),
        start_ms: turn.start_ms,
        end_ms: turn.end_ms,
        text: turn.words().to_owned(),
    });
    Ok(spoken.collect())
}
