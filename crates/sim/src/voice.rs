//! Text to speech for the simulated interviewer: the rendered clip if there is one, a synthesiser program if one is installed, else an
//! audible placeholder. The words are always in the captions; the voice never says other words than the text.

use std::sync::Arc;
use std::time::Duration;

/// How speech is made.
#[derive(Clone, Debug)]
pub struct VoiceConfig {
    /// Programs that may be used, in order of preference; those that are not installed are skipped. Empty for none.
    pub synthesisers: Vec<Synthesiser>,
    /// How long a program may take for one text before the placeholder is used.
    pub deadline: Duration,
    /// How much synthesised audio is kept, in seconds.
    pub cache_s: u32,
}

/// A program that turns text into speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synthesiser {
    /// CMU Flite (English only).
    Flite,
    /// eSpeak NG.
    EspeakNg,
}

/// Where speech came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Rendered clips.
    Clips,
    /// A synthesiser program.
    Synthesiser(Synthesiser),
    /// Murmur of fitting length.
    Placeholder,
}

/// Speech for a text.
#[derive(Clone, Debug)]
pub struct Speech {
    /// 24 kHz mono.
    pub pcm: Arc<[i16]>,
    /// Where it came from.
    pub source: Source,
}

/// The simulated interviewer's voice. A cheap clone of a shared one.
#[derive(Clone, Debug)]
pub struct Voice {}

impl Voice {
    /// A voice over the embedded corpus.
    pub fn new(config: VoiceConfig) -> Voice {
        let _ = config;
        todo!()
    }

    /// Speech for a text in a language (BCP 47). Never fails and never takes much longer than the configured deadline.
    #[expect(clippy::unused_async, reason = "signature first")]
    pub async fn speak(&self, language: &str, text: &str) -> Speech {
        let _ = (language, text);
        todo!()
    }
}
