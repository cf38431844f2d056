//! Sessions without a process: paused in the store by a crash, a deploy, or a participant who stayed away.
//!
//! ```text
//!              kill -9, SIGTERM                              window of the study over
//!   running ────────────────────> paused, nobody's ──────────────────────────────────> ended as partial
//!      ^                               │   ^
//!      └───── the participant's link ──┘   │ the participant's link, within the window
//!                                          └──────────────────── ended as partial, because nobody came back in time
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine::ids::{LinkNo, PeerNo, SessionId, TurnNo};
use engine::journal::{Entry, Outcome};
use engine::session::{Past, PastEnd, State};
use media::Beginning;
use store::{Kept, SessionRow, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::supervise::after_end;
use crate::app::App;
use crate::metrics::Metrics;
use crate::study::Study;

/// Between two looks for sessions whose window is over. Nobody waits for it: a link that lapsed is refused by its time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Longest piece of a recording, in milliseconds: two seconds and what a late timer adds.
const CHUNK_MS: u64 = 2_500;

/// What a process needs to go on with a session.
pub(super) struct Left {
    /// What the journal says.
    pub(super) past: Past,
    /// Where the recording goes on.
    pub(super) beginning: Beginning,
}

/// Reads what earlier processes left of a session: journal and recording are brought onto one timeline.
pub(super) async fn left(
    store: &Store,
    metrics: &Metrics,
    id: &SessionId,
) -> Result<Left, StoreError> {
    let kept = kept(store, metrics, id).await?;
    let mut past = Past::read(&kept.entries);
    if kept.set_aside > 0 {
        number_on(&mut past, kept.set_aside, store.last_turn(id).await?);
    }
    let indexed = store.chunks(id).await?;
    let mut end_ms = indexed.iter().map(|chunk| chunk.end_ms).max().unwrap_or(0);
    let mut chunk_no = indexed.last().map_or(0, |chunk| chunk.no + 1);
    match unindexed(store, id, chunk_no).await {
        Ok(Some((no, ms))) => (chunk_no, end_ms) = (no + 1, end_ms.max(ms)),
        Ok(None) => {}
        // Recordings are out of reach; the interview is not. What may be there is passed over, in number and in time.
        Err(error) => {
            tracing::warn!(session.id = %id, %error, "the recording cannot be looked at; it goes on after a gap");
            chunk_no += 1;
            end_ms += if indexed.is_empty() { 0 } else { CHUNK_MS };
        }
    }
    past.timeline_ms = past.timeline_ms.max(end_ms);
    let beginning = Beginning {
        chunk_no,
        timeline_ms: past.timeline_ms,
    };
    Ok(Left { past, beginning })
}

/// The journal of a session that nobody runs. A damaged last entry is set aside; both kinds of damage are counted.
async fn kept(store: &Store, metrics: &Metrics, id: &SessionId) -> Result<Kept, StoreError> {
    let kept = store.entries_to_go_on_from(id).await;
    let found = match &kept {
        Ok(kept) if kept.set_aside_now => "set_aside",
        Err(StoreError::Corrupt { detail }) => {
            tracing::error!(
                session.id = %id,
                detail,
                "the journal of an interview is damaged before its end, so nobody can go on with it; it is left as it is. \
                 Restore it from a backup. Other interviews are not concerned"
            );
            "in_the_way"
        }
        Ok(_) | Err(_) => return kept,
    };
    metrics
        .damaged_entries
        .get_or_create(&[("found", found)])
        .inc();
    kept
}

/// No number is used twice, also not one whose entry cannot be read any more.
fn number_on(past: &mut Past, set_aside: u32, turn: Option<TurnNo>) {
    past.peer = past.peer.map(|peer| PeerNo(peer.0 + set_aside));
    past.link = past.link.map(|link| LinkNo(link.0 + set_aside));
    past.turn = past.turn.max(turn);
}

/// The last piece of a recording that has no row: a crash may come between the two. Its number, and where it ends.
async fn unindexed(
    store: &Store,
    id: &SessionId,
    from: u32,
) -> Result<Option<(u32, u64)>, StoreError> {
    let mut last = None;
    for no in store.chunk_numbers(id).await? {
        if no >= from {
            let bytes = store.read_chunk(id, no).await?;
            last = Some((no, media::record::read(&bytes).duration_ms));
        }
    }
    Ok(last)
}

/// Until when the participant of a session can go on with it; none if there is nothing to go on with, or no more.
///
/// # Errors
/// When the store fails.
pub async fn returnable_until(
    store: &Store,
    row: &SessionRow,
    study: &Study,
) -> Result<Option<i64>, StoreError> {
    let window_us = i64::try_from(study.resume_window.as_micros()).unwrap_or(i64::MAX);
    let since = match (row.state, row.outcome) {
        (State::Paused, _) => row.paused_at_us,
        (State::Active, _) => Some(store.now_us()),
        (State::Ended, Some(Outcome::Partial)) => {
            let lapsed = Past::read(&store.entries(&row.session_id).await?).end == PastEnd::Lapsed;
            row.ended_at_us.filter(|_| lapsed)
        }
        (State::Invited | State::Waiting | State::Closing | State::Ended, _) => None,
    };
    let until = since.map(|since| since.saturating_add(window_us));
    Ok(until.filter(|until| *until > store.now_us()))
}

/// What was found at a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Sessions that wait for their participants.
    pub paused: usize,
    /// Of these: the last process died while they were running.
    pub crashed: usize,
    /// Sessions whose end was not written to its end.
    pub ended: usize,
    /// Sessions whose journal is damaged: they are left as they are.
    pub damaged: usize,
}

/// Pauses what the last process left running when it died, and finishes what it was about to end. A session in which
/// nothing was said yet simply starts when the participant comes back.
///
/// # Errors
/// When the store fails.
pub async fn take_over(store: &Store, metrics: &Metrics, node: &str) -> Result<Found, StoreError> {
    let mut found = Found::default();
    for row in store.unfinished_sessions().await? {
        match take_one(store, metrics, &row, node).await {
            Ok(()) => {}
            // That one alone: the log says why.
            Err(StoreError::Corrupt { .. }) => {
                found.damaged += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        match row.state {
            State::Invited | State::Waiting => {}
            State::Paused => found.paused += 1,
            State::Active => {
                found.paused += 1;
                found.crashed += 1;
            }
            State::Closing | State::Ended => found.ended += 1,
        }
    }
    Ok(found)
}

async fn take_one(
    store: &Store,
    metrics: &Metrics,
    row: &SessionRow,
    node: &str,
) -> Result<(), StoreError> {
    let id = &row.session_id;
    match row.state {
        State::Invited | State::Waiting => return Ok(()),
        State::Active => {}
        // The clock was set back while no process ran, by an hour, say: its window would be longer by as much. It is
        // paused anew, from now on.
        State::Paused if row.paused_at_us.is_none_or(|at_us| at_us > store.now_us()) => {}
        State::Paused => return Ok(()),
        State::Closing | State::Ended => return finish(store, metrics, row, node).await,
    }
    let timeline_ms = left(store, metrics, id).await?.past.timeline_ms;
    let epoch = store.claim_session(id, node).await?;
    store
        .append(id, epoch, vec![Entry::Paused { timeline_ms }])
        .await?;
    Ok(())
}

/// Ends a session that has no process, and lets the work after it begin.
async fn finish(
    store: &Store,
    metrics: &Metrics,
    row: &SessionRow,
    node: &str,
) -> Result<(), StoreError> {
    let id = &row.session_id;
    let timeline_ms = left(store, metrics, id).await?.past.timeline_ms;
    let entries = store.entries(id).await?;
    let closing = entries.iter().rev().find_map(|entry| {
        if let Entry::Closing { outcome, .. } = entry {
            return Some(*outcome);
        }
        None
    });
    let outcome = closing.unwrap_or(Outcome::Partial);
    let mut last = Vec::new();
    if row.state != State::Ended {
        if closing.is_none() {
            last.push(Entry::Closing {
                outcome,
                timeline_ms,
            });
        }
        last.push(Entry::Ended {
            outcome,
            timeline_ms,
        });
    }
    let epoch = store.claim_session(id, node).await?;
    let jobs = after_end(id, store.now_us());
    store.finish_session(id, epoch, last, jobs).await
}

/// Ends paused sessions whose window is over, until stopped.
pub async fn watch(app: Arc<App>, stop: CancellationToken) {
    let mut damaged = BTreeSet::new();
    loop {
        if let Err(error) = end_lapsed(&app, &mut damaged).await {
            tracing::warn!(%error, "paused sessions could not be looked at; they are looked at again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// `damaged`: what was found to be so; it is told once, and the others are not kept waiting by it.
async fn end_lapsed(app: &App, damaged: &mut BTreeSet<SessionId>) -> anyhow::Result<()> {
    let node = &app.config.store.node;
    for row in app.store.unfinished_sessions().await? {
        if row.state != State::Paused || damaged.contains(&row.session_id) {
            continue;
        }
        let Some(study) = app.study(&row.study_id, row.study_version).await? else {
            continue;
        };
        if returnable_until(&app.store, &row, &study).await?.is_some() {
            continue;
        }
        // Nobody can start it meanwhile; one that runs here has a window of its own.
        let Some(_slot) = app.registry.reserve(&row.session_id) else {
            continue;
        };
        match finish(&app.store, &app.metrics, &row, node).await {
            Ok(()) => {}
            Err(StoreError::Corrupt { .. }) => {
                damaged.insert(row.session_id);
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        app.metrics
            .losses
            .get_or_create(&[("cause", "study_window")])
            .inc();
        app.metrics.zombies_reaped.inc();
        tracing::info!(session.id = %row.session_id, "nobody came back within the study's window; the interview is ended as partial");
        app.changed(&row.session_id);
    }
    Ok(())
}
