//! Counts tokens as the vendor bills them: the whole conversation is sent again for every response, and the part of it that did not change
//! since the last response comes from the vendor's cache.
//!
//! Figures: a second of the participant's audio is 10 tokens, a second of the interviewer's 20 (OpenAI's cost guide, November 2026); four
//! characters of text are a token (the usual rule of thumb for English; other scripts take more); cached counts come in multiples of 64
//! (seen in the vendor's samples: 640 = 512 + 128).

use std::collections::VecDeque;

use serde_json::{Value, json};

/// Milliseconds of the participant's audio in one token.
const USER_AUDIO_MS_PER_TOKEN: u64 = 100;

/// Milliseconds of the interviewer's audio in one token.
const MODEL_AUDIO_MS_PER_TOKEN: u64 = 50;

/// Cached tokens are reported in multiples of this.
const CACHE_GRAIN: u64 = 64;

/// Tokens that frame each message: role and separators. Chosen by feel.
const MESSAGE_OVERHEAD: u64 = 4;

/// Tokens of a text.
#[must_use]
pub fn of_text(text: &str) -> u64 {
    // Characters beyond Latin scripts are about a token each.
    let quarters: u64 = text
        .chars()
        .map(|c| if c < '\u{2e80}' { 1 } else { 4 })
        .sum();
    quarters.div_ceil(4)
}

/// Tokens of audio from the participant.
#[must_use]
pub fn of_user_audio(ms: u64) -> u64 {
    ms.div_ceil(USER_AUDIO_MS_PER_TOKEN)
}

/// Tokens of audio from the interviewer.
#[must_use]
pub fn of_model_audio(ms: u64) -> u64 {
    ms.div_ceil(MODEL_AUDIO_MS_PER_TOKEN)
}

/// A part of what is sent to the model, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Instructions and tools, as text: a change invalidates the cache from where it begins.
    Preamble(String),
    /// An item of the conversation.
    Item {
        /// Its id and how often it was changed; another revision is not in the cache.
        key: (String, u32),
        /// Its text tokens.
        text: u64,
        /// Its audio tokens.
        audio: u64,
    },
}

/// Tokens by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Text tokens.
    pub text: u64,
    /// Audio tokens.
    pub audio: u64,
}

impl Tokens {
    /// Both kinds together.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.text + self.audio
    }
}

/// What one response is billed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// All that was sent.
    pub input: Tokens,
    /// How much of it came from the cache.
    pub cached: Tokens,
    /// What was generated.
    pub output: Tokens,
}

impl Bill {
    /// As the vendor reports it in `response.done`.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "total_tokens": self.input.total() + self.output.total(),
            "input_tokens": self.input.total(),
            "output_tokens": self.output.total(),
            "input_token_details": {
                "text_tokens": self.input.text,
                "audio_tokens": self.input.audio,
                "image_tokens": 0,
                "cached_tokens": self.cached.total(),
                "cached_tokens_details": { "text_tokens": self.cached.text, "audio_tokens": self.cached.audio, "image_tokens": 0 },
            },
            "output_token_details": { "text_tokens": self.output.text, "audio_tokens": self.output.audio },
        })
    }
}

/// Contexts that are remembered: a response with instructions of its own does not push the others out of the cache.
const REMEMBERED: usize = 4;

/// Remembers what was sent lately, to know what is in the cache.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    sent: VecDeque<Vec<Part>>,
}

impl Cache {
    /// Counts a context that is sent now, and remembers it.
    pub fn send(&mut self, context: Vec<Part>) -> Bill {
        let input = context
            .iter()
            .fold(Tokens::default(), |sum, part| add(sum, whole(part)));
        let prefixes = self
            .sent
            .iter()
            .map(|before| common_prefix(&context, before));
        let prefix = prefixes
            .max_by_key(|prefix| prefix.total())
            .unwrap_or_default();
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(context);
        let cached = Tokens {
            text: prefix.text / CACHE_GRAIN * CACHE_GRAIN,
            audio: prefix.audio / CACHE_GRAIN * CACHE_GRAIN,
        };
        Bill {
            input,
            cached,
            output: Tokens::default(),
        }
    }
}

/// What two contexts have in common at their beginning.
fn common_prefix(now: &[Part], before: &[Part]) -> Tokens {
    let mut prefix = Tokens::default();
    for (now, before) in now.iter().zip(before) {
        match (now, before) {
            (Part::Preamble(now), Part::Preamble(before)) if now != before => {
                return add(
                    prefix,
                    Tokens {
                        text: common_prefix_tokens(now, before),
                        audio: 0,
                    },
                );
            }
            (now, before) if now == before => prefix = add(prefix, whole(now)),
            _ => return prefix,
        }
    }
    prefix
}

const fn add(a: Tokens, b: Tokens) -> Tokens {
    Tokens {
        text: a.text + b.text,
        audio: a.audio + b.audio,
    }
}

fn whole(part: &Part) -> Tokens {
    match part {
        Part::Preamble(text) => Tokens {
            text: of_text(text),
            audio: 0,
        },
        Part::Item { text, audio, .. } => Tokens {
            text: *text + MESSAGE_OVERHEAD,
            audio: *audio,
        },
    }
}

fn common_prefix_tokens(a: &str, b: &str) -> u64 {
    let same: usize = a
        .chars()
        .zip(b.chars())
        .take_while(|(a, b)| a == b)
        .map(|(c, _)| c.len_utf8())
        .sum();
    of_text(&a[..same])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, revision: u32, text: u64, audio: u64) -> Part {
        Part::Item {
            key: (id.into(), revision),
            text,
            audio,
        }
    }

    fn preamble(tokens: usize) -> Part {
        Part::Preamble("abcd".repeat(tokens))
    }

    #[test]
    fn audio_counts_by_the_second_of_each_side() {
        assert_eq!((of_user_audio(10_000), of_model_audio(10_000)), (100, 200));
        assert_eq!(
            (of_user_audio(1), of_model_audio(1), of_user_audio(0)),
            (1, 1, 0)
        );
    }

    #[test]
    fn four_latin_characters_or_one_japanese_are_a_token() {
        assert_eq!(
            (
                of_text("interviewing"),
                of_text("a"),
                of_text(""),
                of_text("会議")
            ),
            (3, 1, 0, 2)
        );
    }

    #[test]
    fn the_first_response_has_nothing_in_the_cache() {
        let bill = Cache::default().send(vec![preamble(500), item("u1", 0, 0, 90)]);
        assert_eq!(
            bill.input,
            Tokens {
                text: 504,
                audio: 90
            }
        );
        assert_eq!(bill.cached, Tokens::default());
    }

    #[test]
    fn the_unchanged_prefix_is_cached_in_multiples_of_64() {
        let mut cache = Cache::default();
        cache.send(vec![preamble(500), item("u1", 0, 0, 90)]);
        let bill = cache.send(vec![
            preamble(500),
            item("u1", 0, 0, 90),
            item("a1", 0, 20, 130),
            item("u2", 0, 0, 40),
        ]);
        assert_eq!(
            bill.input,
            Tokens {
                text: 532,
                audio: 260
            }
        );
        assert_eq!(
            bill.cached,
            Tokens {
                text: 448,
                audio: 64
            },
            "504 text and 90 audio, rounded down"
        );
    }

    #[test]
    fn a_change_of_instructions_invalidates_everything_after_it() {
        let mut cache = Cache::default();
        cache.send(vec![
            Part::Preamble("abcd".repeat(200) + "phase one"),
            item("u1", 0, 0, 640),
        ]);
        let bill = cache.send(vec![
            Part::Preamble("abcd".repeat(200) + "other phase"),
            item("u1", 0, 0, 640),
        ]);
        assert_eq!(
            bill.cached,
            Tokens {
                text: 192,
                audio: 0
            }
        );
    }

    #[test]
    fn one_response_with_instructions_of_its_own_does_not_empty_the_cache() {
        let mut cache = Cache::default();
        cache.send(vec![preamble(128), item("u1", 0, 0, 640)]);
        cache.send(vec![
            Part::Preamble("abcd".repeat(128) + "say goodbye"),
            item("u1", 0, 0, 640),
        ]);
        let bill = cache.send(vec![
            preamble(128),
            item("u1", 0, 0, 640),
            item("u2", 0, 0, 64),
        ]);
        assert_eq!(
            bill.cached,
            Tokens {
                text: 128,
                audio: 640
            }
        );
    }

    #[test]
    fn a_truncated_item_counts_less_and_ends_the_cached_prefix() {
        let mut cache = Cache::default();
        cache.send(vec![
            preamble(64),
            item("a1", 0, 30, 200),
            item("u1", 0, 0, 640),
        ]);
        let bill = cache.send(vec![
            preamble(64),
            item("a1", 1, 0, 40),
            item("u1", 0, 0, 640),
        ]);
        assert_eq!(
            bill.input,
            Tokens {
                text: 72,
                audio: 680
            }
        );
        assert_eq!(bill.cached, Tokens { text: 64, audio: 0 });
    }

    #[test]
    fn the_report_adds_up() {
        let bill = Bill {
            input: Tokens {
                text: 653,
                audio: 400,
            },
            cached: Tokens {
                text: 512,
                audio: 128,
            },
            output: Tokens {
                text: 50,
                audio: 150,
            },
        };
        let json = bill.to_json();
        assert_eq!(
            (
                &json["total_tokens"],
                &json["input_tokens"],
                &json["output_tokens"]
            ),
            (&json!(1253), &json!(1053), &json!(200))
        );
        assert_eq!(json["input_token_details"]["cached_tokens"], 640);
    }
}
