//! Text to speech for the simulated interviewer: the rendered clip if there is one, a synthesiser program if one is
//! installed, else an audible placeholder.
//!
//! The words are always in the captions; a voice never says other words than the text. A text may be spoken in pieces:
//! sentences that have a clip with it, so that a participant recognises the question also after a greeting that has none.

mod placeholder;
mod program;
mod sound;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::corpus::{Corpus, Piece, RATE_HZ};
use program::Unspoken;

pub use program::Synthesiser;

/// Silence between two pieces of a text, in samples: 120 ms. With the quiet at the ends of clips it makes a pause between
/// sentences.
const GAP: usize = RATE_HZ as usize * 120 / 1000;

/// How speech is made.
#[derive(Clone, Debug)]
pub struct VoiceConfig {
    /// Programs that may be used, in order of preference; those that are not installed are skipped. Empty for none.
    pub synthesisers: Vec<Synthesiser>,
    /// How long a program may take for one text before the next one, or the placeholder, is used.
    pub deadline: Duration,
    /// How much synthesised audio is kept, in seconds. The oldest goes first.
    pub cache_s: u32,
}

/// Where speech came from; of pieces, the least natural.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

impl Speech {
    /// How long it lasts, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u32 {
        u32::try_from(self.pcm.len() as u64 * 1000 / u64::from(RATE_HZ)).unwrap_or(u32::MAX)
    }
}

/// The simulated interviewer's voice. A clone shares the cache.
#[derive(Clone, Debug)]
pub struct Voice {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: VoiceConfig,
    corpus: &'static Corpus,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Programs that turned out not to be installed.
    absent: Vec<Synthesiser>,
    /// Synthesised speech, the oldest first. A linear search is short work beside synthesis.
    cache: VecDeque<Cached>,
    cached_samples: usize,
}

#[derive(Debug)]
struct Cached {
    language: String,
    text: String,
    speech: Speech,
}

impl Voice {
    /// A voice over the embedded corpus.
    #[must_use]
    pub fn new(config: VoiceConfig) -> Voice {
        let corpus = Corpus::embedded();
        Voice {
            shared: Arc::new(Shared {
                config,
                corpus,
                state: Mutex::default(),
            }),
        }
    }

    /// Speech for a text in a language (BCP 47). Never fails, and takes at most the configured deadline per program and
    /// stretch of text without a clip. Empty for a text without words.
    pub async fn speak(&self, language: &str, text: &str) -> Speech {
        let pieces = self.shared.corpus.pieces(language, text);
        if let [Piece::Text(text)] = pieces.as_slice() {
            return self.shared.synthesise(language, text).await;
        }
        let mut pcm = Vec::new();
        let mut source = Source::Clips;
        for piece in pieces {
            if !pcm.is_empty() {
                pcm.resize(pcm.len() + GAP, 0);
            }
            match piece {
                Piece::Clip(clip) => pcm.extend_from_slice(clip.pcm()),
                Piece::Text(text) => {
                    let speech = self.shared.synthesise(language, text).await;
                    source = source.max(speech.source);
                    pcm.extend_from_slice(&speech.pcm);
                }
            }
        }
        Speech {
            pcm: pcm.into(),
            source,
        }
    }
}

impl Shared {
    /// Speech for words that no clip says.
    async fn synthesise(&self, language: &str, text: &str) -> Speech {
        if let Some(speech) = self.cached(language, text) {
            return speech;
        }
        for program in &self.config.synthesisers {
            if self.is_absent(*program) || !program.speaks(language) {
                continue;
            }
            match program.speak(language, text, self.config.deadline).await {
                Ok(pcm) => {
                    let speech = Speech {
                        pcm: pcm.into(),
                        source: Source::Synthesiser(*program),
                    };
                    self.remember(language, text, &speech);
                    return speech;
                }
                Err(Unspoken::NotInstalled) => self.mark_absent(*program),
                // The next text may do better.
                Err(error) => tracing::debug!(?program, %error, "a synthesiser failed"),
            }
        }
        Speech {
            pcm: placeholder::murmur(text).into(),
            source: Source::Placeholder,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing is left half changed by a panic: a cache is a cache.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_absent(&self, program: Synthesiser) -> bool {
        self.state().absent.contains(&program)
    }

    fn mark_absent(&self, program: Synthesiser) {
        let mut state = self.state();
        if !state.absent.contains(&program) {
            tracing::info!(?program, "synthesiser is not installed");
            state.absent.push(program);
        }
    }

    fn cached(&self, language: &str, text: &str) -> Option<Speech> {
        let state = self.state();
        let hit = state
            .cache
            .iter()
            .find(|c| c.language == language && c.text == text)?;
        Some(hit.speech.clone())
    }

    fn remember(&self, language: &str, text: &str, speech: &Speech) {
        let limit = self.config.cache_s as usize * RATE_HZ as usize;
        if speech.pcm.len() > limit {
            return;
        }
        let mut state = self.state();
        state.cached_samples += speech.pcm.len();
        state.cache.push_back(Cached {
            language: language.to_owned(),
            text: text.to_owned(),
            speech: speech.clone(),
        });
        while state.cached_samples > limit
            && let Some(oldest) = state.cache.pop_front()
        {
            state.cached_samples -= oldest.speech.pcm.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognise::{Recogniser, transcript};

    fn voice(synthesisers: Vec<Synthesiser>) -> Voice {
        Voice::new(VoiceConfig {
            synthesisers,
            deadline: Duration::from_secs(20),
            cache_s: 10,
        })
    }

    #[tokio::test]
    async fn clips_speak_for_their_texts() {
        let speech = voice(vec![])
            .speak("en", "I see. What makes you say that?")
            .await;
        assert_eq!(speech.source, Source::Clips);
        let heard = Recogniser::interviewer().recognise(&speech.pcm);
        assert_eq!(transcript(&heard), "I see. What makes you say that?");
    }

    #[tokio::test]
    async fn without_a_program_other_words_are_murmured_between_the_clips() {
        let text = "You grow potatoes on the roof. What makes you say that?";
        let speech = voice(vec![]).speak("en", text).await;
        assert_eq!(speech.source, Source::Placeholder);
        let heard = Recogniser::interviewer().recognise(&speech.pcm);
        assert_eq!(
            transcript(&heard),
            "[unrecognised speech] What makes you say that?"
        );
        // About as long as the words would take: 14 to 18 letters a second.
        let murmur = speech.duration_ms() - 1400;
        assert!((1500..3000).contains(&murmur), "{murmur} ms");
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_skipped_and_one_that_is_there_speaks() {
        let voice = voice(vec![Synthesiser::Flite, Synthesiser::EspeakNg]);
        let speech = voice.speak("en", "You grow potatoes on the roof.").await;
        // Neither may be installed where this runs; then it is the placeholder. In each case it is audible and short.
        assert!(
            (1000..4000).contains(&speech.duration_ms()),
            "{}",
            speech.duration_ms()
        );
        assert!(sound::active_rms(&speech.pcm) > 1000.0);
        let again = voice.speak("en", "You grow potatoes on the roof.").await;
        assert_eq!(again.pcm, speech.pcm);
        assert_eq!(
            speech.source == Source::Placeholder,
            !Arc::ptr_eq(&again.pcm, &speech.pcm)
        );
    }

    #[tokio::test]
    async fn the_cache_is_bounded() {
        let voice = voice(vec![]);
        let speech = |s: usize| Speech {
            pcm: vec![0; s * RATE_HZ as usize].into(),
            source: Source::Placeholder,
        };
        voice.shared.remember("en", "a", &speech(6));
        voice.shared.remember("en", "b", &speech(6));
        voice.shared.remember("en", "c", &speech(11));
        assert!(voice.shared.cached("en", "a").is_none());
        assert!(voice.shared.cached("en", "b").is_some());
        assert!(voice.shared.cached("en", "c").is_none());
    }

    #[tokio::test]
    async fn nothing_to_say_is_no_speech() {
        assert_eq!(voice(vec![]).speak("en", "  ").await.duration_ms(), 0);
    }
}
