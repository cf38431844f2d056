//! Speech synthesiser programs: installed by the operator, run once per text.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::sound;

/// Audio that is taken of one text, in bytes: ten minutes at 24 kHz. A program that says more has gone wrong.
const BYTES_MAX: u64 = 600 * 2 * 24_000;

/// A program that turns text into speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Synthesiser {
    /// CMU Flite (English only).
    Flite,
    /// eSpeak NG.
    EspeakNg,
}

/// Why a program did not speak.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unspoken {
    /// There is no such program.
    #[error("it is not installed")]
    NotInstalled,
    /// It could not be run.
    #[error("it could not be run: {0}")]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("it took more than {} ms", .0.as_millis())]
    Late(Duration),
    /// What it wrote is no speech.
    #[error("it wrote no speech")]
    NoSpeech,
}

impl Synthesiser {
    /// Whether it knows a language at all.
    pub(super) fn speaks(self, language: &str) -> bool {
        match self {
            Synthesiser::Flite => language.split('-').next() == Some("en"),
            // The language becomes an argument of the program, so it must look like one.
            Synthesiser::EspeakNg => {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                language.starts_with(|c: char| c.is_ascii_alphabetic())
                    && language.chars().all(is_plain)
            }
        }
    }

    /// Speaks a text: 24 kHz mono, as loud as the corpus.
    pub(super) async fn speak(
        self,
        language: &str,
        text: &str,
        deadline: Duration,
    ) -> Result<Vec<i16>, Unspoken> {
        let wav = tokio::time::timeout(deadline, self.run(language, text)).await;
        let wav = wav.map_err(|_| Unspoken::Late(deadline))??;
        let (rate_hz, pcm) = sound::wav(&wav).ok_or(Unspoken::NoSpeech)?;
        let mut pcm = sound::resample(&pcm, rate_hz);
        sound::level(&mut pcm);
        Ok(pcm)
    }

    /// What the program writes for a text. It dies with the future.
    async fn run(self, language: &str, text: &str) -> Result<Vec<u8>, Unspoken> {
        let mut command = match self {
            // Flite cannot stream its input, and takes what follows `-t` as text, whatever it looks like.
            Synthesiser::Flite => {
                let mut command = Command::new("flite");
                command.args(["-voice", "slt", "-o", "/dev/stdout", "-t", text]);
                command
            }
            // `--` would not help eSpeak NG, and `-v` must come before the text; a leading space keeps it from
            // being an option.
            Synthesiser::EspeakNg => {
                let mut command = Command::new("espeak-ng");
                command.args(["--stdout", "-s", "155", "-v", language]);
                command.arg(format!(" {text}"));
                command
            }
        };
        command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                Unspoken::NotInstalled
            } else {
                Unspoken::Io(error)
            }
        })?;
        let stdout = child.stdout.take().ok_or(Unspoken::NoSpeech)?;
        let mut wav = Vec::new();
        stdout.take(BYTES_MAX).read_to_end(&mut wav).await?;
        if child.wait().await?.success() {
            Ok(wav)
        } else {
            Err(Unspoken::NoSpeech)
        }
    }
}
