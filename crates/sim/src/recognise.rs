//! Recognises clips of the corpus by their sound, so that the simulated provider transcribes what it really received.

use crate::corpus::Clip;

/// A stretch of speech in a buffer.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The clip that it is (a part of); none for speech that the corpus does not know.
    pub clip: Option<&'static Clip>,
    /// Where it begins in the buffer, in milliseconds.
    pub start_ms: u32,
    /// Where it ends in the buffer, in milliseconds.
    pub end_ms: u32,
    /// The words of the clip that were heard, as the manifest spells them; empty for unknown speech, and for a part too short for a word.
    pub text: String,
    /// Whether these are all the clip's words.
    pub extent: Extent,
}

/// How much of a clip was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All its words.
    Whole,
    /// Some of its words.
    Part,
    /// Not applicable: unknown speech.
    Unknown,
}

/// An index over clips by their sound. Building the one over the whole corpus takes a second or two; looking up is far faster than real time.
#[derive(Debug)]
pub struct Recogniser {}

impl Recogniser {
    /// The recogniser of the embedded corpus; built by the first call (call it from a blocking thread).
    pub fn embedded() -> &'static Recogniser {
        todo!()
    }

    /// A recogniser of some clips only.
    pub fn of(clips: impl IntoIterator<Item = &'static Clip>) -> Recogniser {
        let _ = clips;
        todo!()
    }

    /// What was said in this audio (24 kHz mono), in order. Silence and noise are nothing. CPU-bound: about a hundredth of the audio's
    /// duration.
    pub fn recognise(&self, pcm: &[i16]) -> Vec<Heard> {
        let _ = pcm;
        todo!()
    }
}

/// The words of what was heard, as one text; unknown speech is written as `[unrecognised speech]`. Empty if nothing was heard.
pub fn transcript(heard: &[Heard]) -> String {
    let _ = heard;
    todo!()
}
