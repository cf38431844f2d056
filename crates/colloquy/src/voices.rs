//! `colloquy voices`: the rendered speech that the simulator and the synthetic participants use, for tests of one's own.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use media::opus::Decoder;
use sim::corpus::{Clip, Corpus};

use crate::output;

/// Browsers' fake microphones were tested with this rate.
const RATE_HZ: u32 = 48_000;

/// Arguments of `voices`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the clips: id, length and words.
    List,
    /// Write clips, one after the other, as one WAV file (48 kHz, mono, 16 bit), such as a browser's fake microphone plays.
    Wav {
        /// Ids of clips.
        #[arg(required = true)]
        clips: Vec<String>,
        /// The file.
        #[arg(long)]
        out: PathBuf,
        /// Silence before each clip and after the last, in milliseconds.
        #[arg(long, default_value_t = 1_000)]
        gap_ms: u32,
    },
}

/// Runs it.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let corpus = Corpus::embedded();
    match arguments.command {
        Command::List => {
            for clip in corpus.clips() {
                output::line(format!(
                    "{:32} {:>6} ms  {}",
                    clip.id, clip.duration_ms, clip.text
                ));
            }
        }
        Command::Wav { clips, out, gap_ms } => {
            let gap = vec![0_i16; (RATE_HZ / 1_000 * gap_ms) as usize];
            let mut samples = Vec::new();
            for id in &clips {
                let Some(clip) = corpus.get(id) else {
                    bail!("there is no clip `{id}`: `colloquy voices list` shows all of them");
                };
                samples.extend_from_slice(&gap);
                decode(clip, &mut samples)?;
            }
            samples.extend_from_slice(&gap);
            fs::write(&out, wav(&samples)).with_context(|| {
                format!(
                    "{} cannot be written: check the path and its permissions",
                    out.display()
                )
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn decode(clip: &Clip, samples: &mut Vec<i16>) -> anyhow::Result<()> {
    let mut decoder = Decoder::new(RATE_HZ)?;
    for packet in clip.packets() {
        samples.extend_from_slice(decoder.decode(packet)?);
    }
    Ok(())
}

/// A RIFF WAVE file: header of 44 bytes, then little-endian samples.
fn wav(samples: &[i16]) -> Vec<u8> {
    let data_bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data_bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes()); // PCM
    file.extend_from_slice(&1_u16.to_le_bytes()); // mono
    file.extend_from_slice(&RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(RATE_HZ * 2).to_le_bytes());
    file.extend_from_slice(&2_u16.to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data_bytes.to_le_bytes());
    for sample in samples {
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}
