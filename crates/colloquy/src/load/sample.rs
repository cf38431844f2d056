//! The participants whose sound is kept: where their wave files are, and what was measured on them.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::Serialize;
use tempfile::TempDir;

use super::args::Arguments;
use super::tally::{Went, percentile};
use super::wave::{self, Measured};

/// One of the sample: the same two numbers from packets and from the waveform.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Wave {
    pub(super) session: String,
    /// The file, if it is kept.
    pub(super) file: Option<String>,
    pub(super) packets_first_voice_ms: Option<u32>,
    pub(super) packets_heard_p50_ms: Option<u32>,
    pub(super) packets_heard: usize,
    pub(super) waveform: Measured,
    pub(super) waveform_heard_p50_ms: Option<u32>,
    pub(super) missed_packets: u64,
    /// Why there is nothing to measure, if there is not.
    pub(super) problem: Option<String>,
}

/// Where wave files are written, and whether they stay there.
pub(super) struct WaveFolder {
    pub(super) path: PathBuf,
    pub(super) is_kept: bool,
    _temporary: Option<TempDir>,
}

impl WaveFolder {
    pub(super) fn open(arguments: &Arguments) -> anyhow::Result<WaveFolder> {
        if let Some(path) = &arguments.waves {
            ensure!(
                arguments.sample > 0,
                "--waves names a folder and --sample 0 wants no wave files: leave one of them out"
            );
            std::fs::create_dir_all(path).with_context(|| {
                format!(
                    "the folder {} cannot be made: check --waves",
                    path.display()
                )
            })?;
            return Ok(WaveFolder {
                path: path.clone(),
                is_kept: true,
                _temporary: None,
            });
        }
        let temporary = TempDir::with_prefix("colloquy-load-")
            .context("no folder for wave files: is the temporary folder full?")?;
        Ok(WaveFolder {
            path: temporary.path().to_owned(),
            is_kept: false,
            _temporary: Some(temporary),
        })
    }
}

/// Measures the wave files, one after another.
pub(super) async fn measure(went: &[Went], is_kept: bool) -> anyhow::Result<Vec<Wave>> {
    let mut waves = Vec::new();
    for one in went {
        let Some(recorded) = &one.wave else {
            continue;
        };
        let mut latencies = one
            .result
            .as_ref()
            .map(|report| report.response_latencies_ms.clone())
            .unwrap_or_default();
        latencies.sort_unstable();
        let mut wave = Wave {
            session: one.session.clone(),
            file: None,
            packets_first_voice_ms: one
                .result
                .as_ref()
                .ok()
                .and_then(|report| report.first_voice_ms),
            packets_heard_p50_ms: percentile(&latencies, 50),
            packets_heard: latencies.len(),
            waveform: Measured::default(),
            waveform_heard_p50_ms: None,
            missed_packets: 0,
            problem: None,
        };
        match recorded {
            Ok(Some(recorded)) => {
                let (path, spoke) = (recorded.file.clone(), recorded.spoke.clone());
                let measuring = tokio::task::spawn_blocking(move || {
                    anyhow::Ok(wave::measure(&wave::read(&path)?, &spoke))
                });
                wave.waveform = measuring
                    .await
                    .context("measuring a wave file panicked")??;
                let mut heard = wave.waveform.heard_latencies_ms.clone();
                heard.sort_unstable();
                wave.waveform_heard_p50_ms = percentile(&heard, 50);
                wave.missed_packets = recorded.missed;
                wave.file = is_kept.then(|| recorded.file.display().to_string());
            }
            Ok(None) => wave.problem = Some("it was never connected".to_owned()),
            Err(problem) => wave.problem = Some(problem.clone()),
        }
        waves.push(wave);
    }
    Ok(waves)
}
