//! What the work after an interview brings forth.

use engine::cost::Charge;
use engine::ids::{PhaseId, TurnNo};
use serde_json::Value;

use crate::job::NewJob;

/// What a job achieved. Committed together with the job's completion, or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    /// The session's transcript, cut into segments, each of them with its job.
    pub cut: Option<Cut>,
    /// Codings of segments that are on record (or in `cut`).
    pub codings: Vec<NewCoding>,
    /// The session's report; replaces an older one.
    pub report: Option<Value>,
    /// What it cost.
    pub charges: Vec<Charge>,
    /// The finished recording; replaces an older one.
    pub recording: Option<RecordingRow>,
    /// Open labels of the session's study. Those that are on record stay as they are.
    pub labels: Vec<String>,
    /// Themes that open labels of the study belong to. The first one that a label gets stands, but for a researcher's.
    pub themes: Vec<NewTheme>,
    /// Work that follows.
    pub jobs: Vec<NewJob>,
    /// Work that follows once the session is finished and none of its transcript and enrichment jobs waits or runs any more
    /// (those of this completion included). Every such job names it; the one that ends last puts it, in the transaction of
    /// its end. If it was done before, it is done again.
    pub last: Option<NewJob>,
}

/// A transcript in segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// In speech order. One that is on record stays as it is, unless its words changed: then its codings are dropped and it is
    /// coded again.
    pub segments: Vec<NewSegment>,
    /// How much of the transcript this is.
    pub extent: Extent,
    /// The kind of each segment's job. Its key is the segment's number.
    pub kind: String,
    /// The place of these jobs in the order; those of the session that are not done yet take it too.
    pub rank: i64,
    /// By when their results are promised; the same holds.
    pub due_us: i64,
}

/// How much of a transcript was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What was said so far. Ignored if the session is finished: then all of it is cut, or was.
    SoFar,
    /// All of it: segments that are not among these are none (any more).
    All,
}

/// A turn, or a part of a long one, to be coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSegment {
    /// Counted from 1 in speech order.
    pub segment_no: u32,
    /// The turn that it is (a part) of.
    pub turn: TurnNo,
    /// Its words.
    pub text: String,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline.
    pub end_ms: u64,
    /// In which phase.
    pub phase: PhaseId,
    /// BCP 47 language.
    pub language: String,
}

/// A coding of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCoding {
    /// Of which segment.
    pub segment_no: u32,
    /// What it says.
    pub coding: CodingRow,
}

/// Sentiment of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sentiment {
    /// Positive.
    Positive,
    /// Neither.
    Neutral,
    /// Negative.
    Negative,
    /// Positive and negative at once.
    Mixed,
}

impl Sentiment {
    /// All of them.
    pub const ALL: [Sentiment; 4] = [
        Sentiment::Positive,
        Sentiment::Neutral,
        Sentiment::Negative,
        Sentiment::Mixed,
    ];

    /// The name in database, API and model output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sentiment::Positive => "positive",
            Sentiment::Neutral => "neutral",
            Sentiment::Negative => "negative",
            Sentiment::Mixed => "mixed",
        }
    }

    /// The sentiment of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Sentiment> {
        Sentiment::ALL
            .into_iter()
            .find(|sentiment| sentiment.name() == name)
    }
}

/// What a segment says, according to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodingRow {
    /// Its sentiment.
    pub sentiment: Sentiment,
    /// How strong: -1,000 (negative) to 1,000 (positive).
    pub score_permille: i32,
    /// Topics: ids of the codebook, or open labels.
    pub topics: Vec<String>,
    /// A key quote, if there is one. A verbatim part of the segment's text, or the completion is refused.
    pub quote: Option<QuoteSpan>,
    /// The model that coded.
    pub model: String,
    /// Version of the instructions that it was given.
    pub prompt_version: String,
    /// Version of the schema that it answered in.
    pub schema_version: String,
}

/// A part of a segment's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteSpan {
    /// Its first character: Unicode scalar values from the start of the segment's text, not bytes.
    pub start_char: u32,
    /// One past its last character.
    pub end_char: u32,
    /// The words between the two.
    pub text: String,
}

impl QuoteSpan {
    /// Whether this is word for word what stands at this place of `segment`.
    #[must_use]
    pub fn is_verbatim(&self, segment: &str) -> bool {
        let Some(length) = self
            .end_char
            .checked_sub(self.start_char)
            .filter(|length| *length > 0)
        else {
            return false;
        };
        let mut rest = segment.chars().skip(self.start_char as usize);
        let mut quoted = self.text.chars();
        (0..length).all(|_| {
            rest.next()
                .is_some_and(|character| quoted.next() == Some(character))
        }) && quoted.next().is_none()
    }
}

/// A segment with its latest coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// Counted from 1 in speech order.
    pub segment_no: u32,
    /// The turn that it is (a part) of.
    pub turn: TurnNo,
    /// Its words.
    pub text: String,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline.
    pub end_ms: u64,
    /// In which phase.
    pub phase: PhaseId,
    /// BCP 47 language.
    pub language: String,
    /// What it says: as a researcher corrected it, else as it was coded last.
    pub coding: Option<CodingRow>,
    /// When a researcher corrected it; then the model of `coding` is [`RESEARCHER`].
    pub corrected_at_us: Option<i64>,
}

/// An open label and the theme that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTheme {
    /// As segments were coded.
    pub label: String,
    /// One label for all that mean the same.
    pub theme: String,
    /// Who said so.
    pub model: String,
    /// By which instructions.
    pub prompt_version: String,
}

/// An open label of a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTopic {
    /// As segments were coded.
    pub label: String,
    /// The theme that it belongs to; none as long as nobody has said so.
    pub theme: Option<String>,
}

/// What a second model heard in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecond {
    /// In which turn.
    pub turn: TurnNo,
    /// What it heard.
    pub second: SecondRow,
}

/// What a second model heard, beside the live transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondRow {
    /// Its words; empty if it heard none.
    pub text: String,
    /// The model.
    pub model: String,
}

/// Who coded, in place of a model, where a researcher did.
pub const RESEARCHER: &str = "researcher";

/// What a researcher says about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCorrection {
    /// Its sentiment.
    pub sentiment: Sentiment,
    /// Topics: ids of the codebook, or open labels.
    pub topics: Vec<String>,
}

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRow {
    /// Name of its object, for `Store::get_object`.
    pub object: String,
    /// Its length.
    pub duration_ms: u64,
    /// Its size.
    pub bytes: u64,
    /// Its waveform.
    pub peaks: Peaks,
}

/// A waveform: the loudest moment of each stretch, 0 to 255.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Peaks {
    /// Length of a stretch.
    pub ms_per_peak: u32,
    /// The participant's.
    pub participant: Vec<u8>,
    /// The interviewer's.
    pub interviewer: Vec<u8>,
}
