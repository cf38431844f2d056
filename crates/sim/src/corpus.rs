//! The shared corpus of rendered interview speech: what the simulated interviewer says and what synthetic participants answer.
//!
//! Everything is compiled in, so the binary needs no files. Speech is decoded on first use and kept.

/// Sampling rate of all decoded speech, in hertz. Opus decodes to it directly, and the vendor's protocol speaks it.
pub const RATE_HZ: u32 = 24_000;

/// Duration of every Opus packet of the corpus, in milliseconds.
pub const PACKET_MS: u32 = 20;

/// Who speaks in a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The interviewer.
    Interviewer,
    /// A participant; which one, [`Clip::persona`] says.
    Participant,
}

/// One rendered utterance, with the author's labels.
#[derive(Debug)]
pub struct Clip {
    /// Name, such as `q-warmup-role-1`, `a-maya-warmup-role-1`, `s-ack-1`.
    pub id: String,
    /// Who speaks.
    pub role: Role,
    /// Which participant; `guide` for the interviewer.
    pub persona: String,
    /// BCP 47 language.
    pub language: String,
    /// The study whose words these are; system lines serve every study.
    pub study: String,
    /// Phase of the study; `system` for lines that fit anywhere.
    pub phase: String,
    /// The exact words.
    pub text: String,
    /// Clip id of the question that this answers.
    pub answers: Option<String>,
    /// What the author meant to express: negative, mixed, neutral, positive.
    pub sentiment: Option<String>,
    /// What the author meant it to be about.
    pub topics: Vec<String>,
    /// Length of the speech, in milliseconds.
    pub duration_ms: u32,
}

impl Clip {
    /// The speech at [`RATE_HZ`], pre-skip and padding removed. Decoded on first use.
    pub fn pcm(&self) -> &[i16] {
        todo!()
    }

    /// The speech as Opus packets of [`PACKET_MS`] each, as rendered, for sending without another encoding.
    pub fn packets(&self) -> &[Vec<u8>] {
        todo!()
    }
}

/// All clips.
#[derive(Debug)]
pub struct Corpus {}

impl Corpus {
    /// The corpus that is compiled in.
    pub fn embedded() -> &'static Corpus {
        todo!()
    }

    /// All clips, in the manifest's order.
    pub fn clips(&self) -> &[Clip] {
        todo!()
    }

    /// The clip of this name.
    pub fn get(&self, id: &str) -> Option<&Clip> {
        let _ = id;
        todo!()
    }

    /// The interviewer's clip that says exactly this, whatever the case, spaces, quotes and punctuation.
    pub fn find(&self, language: &str, text: &str) -> Option<&Clip> {
        let _ = (language, text);
        todo!()
    }

    /// The interviewer's clips that together say exactly this, first to last; none if some words have no clip.
    pub fn compose(&self, language: &str, text: &str) -> Option<Vec<&Clip>> {
        let _ = (language, text);
        todo!()
    }

    /// Names of those who can take part in this language, such as `maya`.
    pub fn personas(&self, language: &str) -> Vec<&str> {
        let _ = language;
        todo!()
    }

    /// What a persona can answer to a question clip, best first: answers written for it, then probing answers on the same topics, then
    /// any other probing answer. Empty where the line expects no answer.
    pub fn answers(&self, persona: &str, question: &Clip) -> Vec<&Clip> {
        let _ = (persona, question);
        todo!()
    }
}
