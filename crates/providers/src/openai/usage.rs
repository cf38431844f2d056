//! The vendor's bill in our components.
//!
//! `cached_tokens` are contained in `input_tokens`, so they are subtracted; `cached_tokens_details` say how they split
//! between text and audio, which cost differently. Subtraction never wraps: a vendor's slip must not become a bill.

use engine::cost::{Component, Usage};
use serde::Deserialize;

/// `response.done.response.usage`. It is there for cancelled responses too, which are billed for what was generated.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct ResponseUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_token_details: Option<InputDetails>,
    output_token_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct InputDetails {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cached_tokens_details: Option<CachedDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CachedDetails {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

impl ResponseUsage {
    /// Images are counted as text: we never send one, and a quantity must not get lost if a vendor reports one.
    pub(crate) fn usage(self) -> Usage {
        let input = self.input_token_details.unwrap_or_default();
        let output = self.output_token_details.unwrap_or_default();
        let text_in = input
            .text_tokens
            .map(|text| text.saturating_add(input.image_tokens.unwrap_or(0)));
        let (text, audio) = split(self.input_tokens, text_in, input.audio_tokens);
        let (text_cached, audio_cached) = input.cached(text, audio);
        let (text_out, audio_out) =
            split(self.output_tokens, output.text_tokens, output.audio_tokens);
        Usage::none()
            .with(Component::TextIn, text.saturating_sub(text_cached))
            .with(Component::TextCached, text_cached)
            .with(Component::AudioIn, audio.saturating_sub(audio_cached))
            .with(Component::AudioCached, audio_cached)
            .with(Component::TextOut, text_out)
            .with(Component::AudioOut, audio_out)
    }
}

/// Text and audio of a total. What the details leave open belongs to the part that they leave out; if they leave out both,
/// it is taken as audio, the dearer: a budget must rather end early than late.
fn split(total: Option<u64>, text: Option<u64>, audio: Option<u64>) -> (u64, u64) {
    let (known_text, known_audio) = (text.unwrap_or(0), audio.unwrap_or(0));
    let open = total
        .unwrap_or(0)
        .saturating_sub(known_text)
        .saturating_sub(known_audio);
    if audio.is_some() {
        (known_text.saturating_add(open), known_audio)
    } else {
        (known_text, known_audio.saturating_add(open))
    }
}

impl InputDetails {
    /// Cached text and audio tokens. Without a split the text is taken first: instructions stand at the beginning, where
    /// a cache of prefixes hits, and text saves less, so that the bill is not guessed too low.
    fn cached(self, text: u64, audio: u64) -> (u64, u64) {
        match self.cached_tokens_details {
            Some(split) => {
                let cached_text = split
                    .text_tokens
                    .unwrap_or(0)
                    .saturating_add(split.image_tokens.unwrap_or(0));
                (
                    cached_text.min(text),
                    split.audio_tokens.unwrap_or(0).min(audio),
                )
            }
            None => {
                let cached = self.cached_tokens.unwrap_or(0);
                let cached_text = cached.min(text);
                (cached_text, cached.saturating_sub(cached_text).min(audio))
            }
        }
    }
}

/// `...transcription.completed.usage`: billed apart from responses, by tokens or by duration.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct TranscriptionUsage {
    seconds: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl TranscriptionUsage {
    pub(crate) fn usage(self) -> Usage {
        let span = self
            .seconds
            .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
        // Half a millisecond more, so that 1.9 s, which is a little less as a float, is 1,900 ms.
        let rounded = span
            .unwrap_or_default()
            .saturating_add(std::time::Duration::from_micros(500));
        Usage::none()
            .with(
                Component::TranscriptionMs,
                u64::try_from(rounded.as_millis()).unwrap_or(u64::MAX),
            )
            .with(Component::TranscriptionIn, self.input_tokens.unwrap_or(0))
            .with(Component::TranscriptionOut, self.output_tokens.unwrap_or(0))
    }
}
