//! What the participant says: the input buffer, turns, their commit, and their words.

use std::sync::Arc;

use serde_json::{Value, json};

use super::items::{Item, Kind, Status};
use super::session::Refusal;
use super::{Effect, Realtime, Transcript, samples};
use crate::provider::config::FaultKind;
use crate::provider::tokens;
use crate::provider::vad::{Change, Vad};

/// Samples in a millisecond at 24 kHz.
const PER_MS: u64 = 24;

/// The vendor refuses to commit less than this.
const COMMIT_MIN_MS: u64 = 100;

/// Audio that is kept while nobody speaks, besides the prefix padding.
const KEEP_MS: u64 = 500;

/// Audio that one turn may hold, in milliseconds; older audio is dropped. Nobody speaks for ten minutes without a pause of half a second.
const TURN_MAX_MS: u64 = 10 * 60 * 1000;

/// Audio received and not committed yet.
#[derive(Debug, Default)]
pub(super) struct Input {
    pcm: Vec<i16>,
    /// Input-audio time of the first sample, in samples.
    start: u64,
    /// The turn that is going on.
    turn: Option<Turn>,
}

/// A turn that is going on.
#[derive(Debug)]
struct Turn {
    item: String,
    start: u64,
}

impl Input {
    fn end(&self) -> u64 {
        self.start + self.pcm.len() as u64
    }

    /// Adds audio in base64; says at which sample it begins. None if it is not base64.
    fn append(&mut self, audio: &str) -> Option<usize> {
        let bytes = base64_simd::STANDARD.decode_to_vec(audio).ok()?;
        let from = self.pcm.len();
        self.pcm.extend(samples(&bytes));
        Some(from)
    }

    /// Takes out the audio between two moments, and forgets everything before the second.
    fn take(&mut self, from: u64, to: u64) -> Vec<i16> {
        let index = |at: u64| {
            usize::try_from(at.saturating_sub(self.start))
                .unwrap_or(usize::MAX)
                .min(self.pcm.len())
        };
        let (from, to) = (index(from), index(to));
        let taken = self.pcm[from.min(to)..to].to_vec();
        self.forget(to);
        taken
    }

    fn forget(&mut self, samples: usize) {
        self.pcm.drain(..samples);
        self.start += samples as u64;
    }

    fn trim_to(&mut self, keep_ms: u64) {
        let keep = usize::try_from(keep_ms * PER_MS).unwrap_or(usize::MAX);
        // In steps of a second at least, so that not every append moves the whole buffer.
        if self.pcm.len() > keep.saturating_add(24_000) {
            self.forget(self.pcm.len() - keep);
        }
    }
}

impl Realtime {
    /// Applies the session's turn detection to the detector.
    pub(super) fn configure_detection(&mut self) {
        self.detection = self.session.turn_detection();
        match (&self.detection, &mut self.vad) {
            (Some(detection), Some(vad)) => vad.configure(detection.vad),
            (Some(detection), None) => self.vad = Some(Vad::new(detection.vad, self.input.end())),
            (None, _) => {
                self.vad = None;
                self.input.turn = None;
                self.idle_due_ms = None;
            }
        }
    }

    /// Audio that is kept, in milliseconds.
    #[cfg(test)]
    pub(super) fn input_ms(&self) -> u64 {
        self.input.pcm.len() as u64 / PER_MS
    }

    pub(super) fn append(&mut self, now_ms: u64, audio: Option<&str>) -> Result<(), Refusal> {
        let Some(from) = audio.and_then(|audio| self.input.append(audio)) else {
            return Err(Refusal::new(
                "invalid_value",
                "Invalid 'audio': expected base64-encoded audio bytes.",
                "audio",
            ));
        };
        let Some(vad) = &mut self.vad else {
            self.input.trim_to(TURN_MAX_MS);
            return Ok(());
        };
        let mut changes = Vec::new();
        vad.listen(&self.input.pcm[from..], |change| changes.push(change));
        for change in changes {
            match change {
                Change::Started { audio_start_ms } => self.speech_started(now_ms, audio_start_ms),
                Change::Stopped { audio_end_ms } => self.speech_stopped(now_ms, audio_end_ms),
            }
        }
        let keep_ms = match (&self.input.turn, &self.detection) {
            (None, Some(detection)) => detection.vad.prefix_padding_ms + KEEP_MS,
            _ => TURN_MAX_MS,
        };
        self.input.trim_to(keep_ms);
        Ok(())
    }

    fn speech_started(&mut self, now_ms: u64, audio_start_ms: u64) {
        let item = self.ids.next("item");
        let start = (audio_start_ms * PER_MS).max(self.input.start);
        self.idle_due_ms = None;
        self.send(
            "input_audio_buffer.speech_started",
            json!({ "audio_start_ms": start / PER_MS, "item_id": item }),
        );
        self.input.turn = Some(Turn { item, start });
        if self
            .detection
            .is_some_and(|detection| detection.interrupt_response)
        {
            self.interrupt(now_ms);
        }
    }

    fn speech_stopped(&mut self, now_ms: u64, audio_end_ms: u64) {
        let Some(turn) = self.input.turn.take() else {
            return;
        };
        self.send(
            "input_audio_buffer.speech_stopped",
            json!({ "audio_end_ms": audio_end_ms, "item_id": turn.item }),
        );
        let pcm = self.input.take(turn.start, audio_end_ms * PER_MS);
        self.commit(now_ms, turn.item, pcm);
        if self
            .detection
            .is_some_and(|detection| detection.create_response)
        {
            self.answer_turn(now_ms);
        }
    }

    pub(super) fn commit_by_client(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let ms = self.input.pcm.len() as u64 / PER_MS;
        if ms < COMMIT_MIN_MS {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least {COMMIT_MIN_MS}ms of audio, but buffer only has {ms}.00ms of audio."
            );
            return Err(Refusal {
                code: Some("input_audio_buffer_commit_empty"),
                message,
                param: None,
            });
        }
        if let Some(vad) = &mut self.vad {
            vad.forget();
        }
        let (item, start) = match self.input.turn.take() {
            Some(turn) => (turn.item, turn.start),
            None => (self.ids.next("item"), self.input.start),
        };
        let pcm = self.input.take(start, self.input.end());
        self.commit(now_ms, item, pcm);
        Ok(())
    }

    pub(super) fn clear_input(&mut self) {
        self.input.forget(self.input.pcm.len());
        self.input.turn = None;
        if let Some(vad) = &mut self.vad {
            vad.forget();
        }
        self.send("input_audio_buffer.cleared", json!({}));
    }

    /// Nobody spoke for the idle timeout: the silence becomes a turn, and the interviewer speaks up.
    pub(super) fn idle(&mut self, now_ms: u64) {
        let Some(timeout_ms) = self
            .detection
            .and_then(|detection| detection.idle_timeout_ms)
        else {
            return;
        };
        if self.input.turn.is_some() || self.has_default_response() {
            return;
        }
        let item = self.ids.next("item");
        let end_ms = self.input.end() / PER_MS;
        let start_ms = end_ms.saturating_sub(timeout_ms);
        let event = json!({ "audio_start_ms": start_ms, "audio_end_ms": end_ms, "item_id": item });
        self.send("input_audio_buffer.timeout_triggered", event);
        let pcm = self.input.take(start_ms * PER_MS, end_ms * PER_MS);
        self.commit(now_ms, item, pcm);
        self.answer_turn(now_ms);
    }

    /// Makes audio an item of the conversation.
    fn commit(&mut self, now_ms: u64, id: String, pcm: Vec<i16>) {
        let previous = self.items.last().map(|item| item.id.clone());
        self.send(
            "input_audio_buffer.committed",
            json!({ "previous_item_id": previous, "item_id": id }),
        );
        let ms = pcm.len() as u64 / PER_MS;
        let item = Item::new(
            id.clone(),
            Status::Completed,
            Kind::UserAudio {
                ms,
                heard: None,
                transcript: None,
            },
        );
        self.insert_item(self.items.len(), item);
        self.recognise(now_ms, id, pcm);
    }

    /// Has audio recognised, and transcribed if the session wants that.
    pub(super) fn recognise(&mut self, now_ms: u64, item: String, pcm: Vec<i16>) {
        if let Some(model) = self.session.transcription_model() {
            let (model, ms) = (model.to_owned(), pcm.len() as u64 / PER_MS);
            let due_ms = now_ms + self.config.latency.transcript_ms;
            self.transcripts.push(Transcript {
                item: item.clone(),
                model,
                ms,
                due_ms,
                text: None,
            });
        }
        self.unheard.push(item.clone());
        self.effects.push(Effect::Recognise {
            item,
            pcm: Arc::from(pcm),
        });
    }

    /// Takes the words of an item's audio; empty if there were none.
    pub(crate) fn recognised(&mut self, now_ms: u64, id: &str, text: &str) {
        self.unheard.retain(|unheard| unheard != id);
        if let Some(item) = self.items.iter_mut().find(|item| item.id == id)
            && let Kind::UserAudio { heard, .. } = &mut item.kind
        {
            *heard = Some(text.to_owned());
        }
        for transcript in self
            .transcripts
            .iter_mut()
            .filter(|transcript| transcript.item == id)
        {
            transcript.text = Some(text.to_owned());
        }
        self.think(now_ms);
        self.tick(now_ms);
    }

    pub(super) fn tell_transcripts(&mut self, now_ms: u64) {
        while let Some(at) = self
            .transcripts
            .iter()
            .position(|transcript| transcript.text.is_some() && transcript.due_ms <= now_ms)
        {
            let transcript = self.transcripts.remove(at);
            self.tell_transcript(&transcript);
        }
    }

    fn tell_transcript(&mut self, told: &Transcript) {
        let text = told.text.as_deref().unwrap_or_default();
        if self.faults.contains(&FaultKind::TranscriptionFails) {
            let error = json!({
                "type": "transcription_error", "code": "audio_unintelligible", "message": "The audio could not be transcribed.", "param": null,
            });
            let event = json!({ "item_id": told.item, "content_index": 0, "error": error });
            return self.send("conversation.item.input_audio_transcription.failed", event);
        }
        for delta in in_pieces(text, 4) {
            let event = json!({ "item_id": told.item, "content_index": 0, "delta": delta });
            self.send("conversation.item.input_audio_transcription.delta", event);
        }
        if let Some(item) = self.items.iter_mut().find(|item| item.id == told.item)
            && let Kind::UserAudio { transcript, .. } = &mut item.kind
        {
            *transcript = Some(text.to_owned());
        }
        let usage = transcription_usage(&told.model, told.ms, text);
        let event =
            json!({ "item_id": told.item, "content_index": 0, "transcript": text, "usage": usage });
        self.send(
            "conversation.item.input_audio_transcription.completed",
            event,
        );
    }
}

/// The models of 2024 are billed by the token, all others by the second (vendor's price list, November 2026).
pub(crate) fn transcription_usage(model: &str, ms: u64, text: &str) -> Value {
    if !model.starts_with("gpt-4o") {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of audio are far below 2^52"
        )]
        return json!({ "type": "duration", "seconds": ms as f64 / 1000.0 });
    }
    let (audio, output) = (tokens::of_user_audio(ms), tokens::of_text(text));
    json!({
        "type": "tokens", "total_tokens": audio + output, "input_tokens": audio,
        "input_token_details": { "text_tokens": 0, "audio_tokens": audio }, "output_tokens": output,
    })
}

/// A text in pieces of so many words, which together are the text.
pub(super) fn in_pieces(text: &str, words: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut begin, mut count) = (0, 0);
    for (at, _) in text.match_indices(' ') {
        count += 1;
        if count == words {
            pieces.push(&text[begin..at]);
            (begin, count) = (at, 0);
        }
    }
    if begin < text.len() {
        pieces.push(&text[begin..]);
    }
    pieces
}
