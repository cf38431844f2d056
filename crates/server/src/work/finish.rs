//! Job `finish_recording`: chunks become one stereo file, turns become segments, segments become coding jobs.

use bytes::Bytes;
use engine::enrich::{Segment, Spoken, batches, segments};
use engine::ids::SessionId;
use store::{Completion, Lease, NewJob, NewSegment, Peaks, RecordingRow, SessionRow};

use super::coding::code_job;
use super::{Failure, report_job};
use crate::app::App;

/// After so many attempts the transcript goes on and the recording follows when it can: a report must not wait for a full
/// disk under the recordings. Chosen by feel: some two seconds.
const ATTEMPTS_TOGETHER: u32 = 3;
/// Key of the job that has only the recording left to finish.
pub(super) const LATE: &str = "late";

pub(super) async fn run(app: &App, lease: &Lease) -> Result<(), Failure> {
    let Some(session) = app.store.session(&lease.session_id).await? else {
        return Err(Failure::hopeless("the session of this job does not exist"));
    };
    let recording = recording(app, &lease.session_id).await;
    if lease.key == LATE {
        let recording = recording?;
        app.store
            .complete(
                lease,
                Completion {
                    recording,
                    ..Completion::default()
                },
            )
            .await?;
        return Ok(());
    }
    let together = ATTEMPTS_TOGETHER.min(app.config.enrichment.attempts_max);
    let (recording, late) = match recording {
        Ok(recording) => (recording, None),
        Err(failure) if lease.attempts < together => return Err(failure.counted()),
        Err(failure) => {
            tracing::error!(session.id = %lease.session_id, reason = failure.reason(), "the recording is finished later; the transcript goes on without it");
            (None, Some(late_job(lease)))
        }
    };
    let found = segments(&spoken(app, &lease.session_id).await?);
    let numbers: Vec<u32> = found.iter().map(|segment| segment.no).collect();
    let calls = batches(&numbers, app.config.enrichment.batch_segments);
    let mut jobs: Vec<NewJob> = calls
        .iter()
        .map(|call| code_job(&lease.session_id, lease.rank, call, 1))
        .collect();
    if jobs.is_empty() && session.turns > 0 {
        jobs.push(report_job(&lease.session_id, lease.rank));
    }
    jobs.extend(late);
    let completion = Completion {
        segments: found
            .into_iter()
            .map(|segment| row(segment, &session))
            .collect(),
        recording,
        jobs,
        ..Completion::default()
    };
    app.store.complete(lease, completion).await?;
    Ok(())
}

fn late_job(lease: &Lease) -> NewJob {
    NewJob {
        lane: lease.lane,
        kind: lease.kind.clone(),
        session_id: lease.session_id.clone(),
        key: LATE.to_owned(),
        rank: lease.rank,
        body: lease.body.clone(),
    }
}

fn row(segment: Segment, session: &SessionRow) -> NewSegment {
    NewSegment {
        segment_no: segment.no,
        turn: segment.turn,
        text: segment.text,
        start_ms: segment.start_ms,
        end_ms: segment.end_ms,
        phase: segment.phase,
        language: session.language.clone(),
    }
}

/// The turns of a session as coding sees them.
pub(super) async fn spoken(app: &App, session_id: &SessionId) -> Result<Vec<Spoken>, Failure> {
    let turns = app.store.turns(session_id).await?;
    let spoken = turns.into_iter().map(|turn| Spoken {
        turn: turn.turn,
        speaker: turn.speaker,
        phase: turn.phase,
        start_ms: turn.start_ms,
        end_ms: turn.end_ms,
        text: turn.text,
    });
    Ok(spoken.collect())
}

/// One stereo file from the chunks that are there. No audio, or audio that cannot be read, costs the recording and
/// nothing else.
async fn recording(app: &App, session_id: &SessionId) -> Result<Option<RecordingRow>, Failure> {
    let numbers = app.store.chunk_numbers(session_id).await?;
    let mut whole = Vec::new();
    for no in numbers {
        whole.extend_from_slice(&app.store.read_chunk(session_id, no).await?);
    }
    if whole.is_empty() {
        return Ok(None);
    }
    let finished = tokio::task::spawn_blocking(move || media::stereo::finish(&whole)).await;
    let finished = match finished {
        Ok(Ok(finished)) => finished,
        Ok(Err(error)) => {
            tracing::error!(session.id = %session_id, error = %error, "the recording cannot be finished; its chunks are kept");
            return Ok(None);
        }
        Err(_) => {
            return Err(Failure::transient(
                "finishing the recording panicked; the log has the place",
            ));
        }
    };
    let object = format!("sessions/{session_id}/recording.ogg");
    let bytes = finished.ogg.len() as u64;
    app.store
        .put_object(&object, Bytes::from(finished.ogg))
        .await?;
    let peaks = Peaks {
        ms_per_peak: finished.peaks.ms_per_peak,
        participant: finished.peaks.participant,
        interviewer: finished.peaks.interviewer,
    };
    Ok(Some(RecordingRow {
        object,
        duration_ms: finished.duration_ms,
        bytes,
        peaks,
    }))
}
