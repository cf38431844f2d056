//! Coding while the interview runs, so that little is left to do when it ends.
//!
//! Looks every few seconds for running sessions that said enough since. Nothing hangs on it: what it has not cut is cut at the
//! end, and what was cut from words that changed is cut again.

use std::sync::Arc;
use std::time::Duration;

use engine::enrich::{Segment, rank_of_running, segments};
use engine::link::Speaker;
use store::{Cut, Extent, NEVER_DUE, SessionRow};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::transcript::{row, spoken};
use super::{CODE, Failure};
use crate::app::App;

/// A participant says something every ten seconds or so.
const EVERY: Duration = Duration::from_secs(5);
/// The last turn may still get its words: a transcript can come after the answer to it. (One that comes later still is cut again.)
const UNSETTLED_TURNS: usize = 1;

/// Until stopped. Does nothing where the configuration says so.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    if !app.config.enrichment.streaming {
        return;
    }
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(failure) = cut_running(&app).await {
            tracing::warn!(
                reason = failure.reason(),
                "running interviews are coded later"
            );
        }
    }
}

/// Cuts what is settled of every session that has half a call's worth of it: the less is left at the end the better, and where
/// workers are short more of it waits and shares a call all the same.
pub(super) async fn cut_running(app: &App) -> Result<(), Failure> {
    let size = app.config.enrichment.batch_segments.div_ceil(2);
    let least = u32::try_from(size + UNSETTLED_TURNS).unwrap_or(u32::MAX);
    for session in app.store.sessions_to_cut(least).await? {
        cut(app, &session, size).await?;
    }
    Ok(())
}

async fn cut(app: &App, session: &SessionRow, size: usize) -> Result<(), Failure> {
    let id = &session.session_id;
    let mut turns = spoken(app, id).await?;
    let answers = turns.iter().enumerate().rev();
    let mut answers = answers.filter(|(_, turn)| turn.speaker == Speaker::Participant);
    let Some((settled, _)) = answers.nth(UNSETTLED_TURNS.saturating_sub(1)) else {
        return Ok(());
    };
    turns.truncate(settled);
    let found = segments(&turns);
    let known = app.store.segments(id).await?;
    let fresh = |found: &Segment| known.iter().all(|known| known.segment_no != found.no);
    // No less: a rest may still be joined by what comes next.
    let whole = found.iter().filter(|found| fresh(found)).count() / size.max(1) * size.max(1);
    let last_fresh = found.iter().filter(|found| fresh(found)).take(whole).last();
    let Some(last_no) = last_fresh.map(|segment| segment.no) else {
        return Ok(());
    };
    let cut = Cut {
        segments: found
            .into_iter()
            .filter(|segment| segment.no <= last_no)
            .map(|segment| row(segment, &session.language))
            .collect(),
        extent: Extent::SoFar,
        kind: CODE.to_owned(),
        rank: rank_of_running(session.created_at_us),
        due_us: NEVER_DUE,
    };
    app.store.cut_transcript(id, cut).await?;
    Ok(())
}
