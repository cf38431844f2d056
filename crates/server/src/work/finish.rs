//! Job `finish_recording`: chunks become one stereo file and its waveform.

use bytes::Bytes;
use engine::ids::SessionId;
use store::{Completion, Lease, Peaks, RecordingRow};

use super::{Failure, second};
use crate::app::App;
use crate::background;

pub(super) async fn run(app: &App, lease: &Lease) -> Result<(), Failure> {
    let recording = recording(app, &lease.session_id).await?;
    let jobs = if recording.is_some() {
        second::jobs(app, lease).await?
    } else {
        Vec::new()
    };
    let completion = Completion {
        recording,
        jobs,
        ..Completion::default()
    };
    Ok(app.store.complete(lease, completion).await?)
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
    let finished = background::run(move || media::stereo::finish(&whole)).await;
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
