//! An utterance, with all that was heard of it.

use serde::Serialize;
use store::{SecondRow, TurnRow};
use utoipa::ToSchema;

use super::Segment;
use crate::second::{Difference, difference};
use crate::study::Study;

/// One utterance.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Turn {
    turn: u32,
    /// participant or interviewer.
    speaker: &'static str,
    phase: String,
    phase_title: String,
    /// On the recording's timeline.
    start_ms: u64,
    end_ms: u64,
    /// What was heard.
    text: String,
    /// What was generated and not heard.
    unheard: String,
    /// complete, interrupted or abandoned.
    ending: &'static str,
    /// What a second model heard, if one was asked.
    second: Option<SecondText>,
    segments: Vec<Segment>,
}

/// A second transcript of a turn.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SecondText {
    text: String,
    model: String,
    /// Words of the first transcript.
    words: usize,
    /// Words that are other, missing or more in the second.
    differing: usize,
    /// Where the second has words that the first has not.
    spans: Vec<TextSpan>,
}

/// A part of a text, in characters (code points).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TextSpan {
    from_char: usize,
    to_char: usize,
}

impl SecondText {
    fn new(live: &str, second: SecondRow) -> SecondText {
        let Difference {
            words,
            differing,
            spans,
        } = difference(live, &second.text);
        SecondText {
            text: second.text,
            model: second.model,
            words,
            differing,
            spans: spans
                .into_iter()
                .map(|span| TextSpan {
                    from_char: span.start,
                    to_char: span.end,
                })
                .collect(),
        }
    }
}

impl Turn {
    pub(in crate::http) fn new(row: TurnRow, study: &Study, segments: Vec<Segment>) -> Turn {
        Turn {
            turn: row.turn.0,
            speaker: row.speaker.name(),
            phase_title: study
                .phase(&row.phase)
                .map(|(_, phase)| phase.title.clone())
                .unwrap_or_default(),
            phase: row.phase.to_string(),
            start_ms: row.start_ms,
            end_ms: row.end_ms,
            second: row.second.map(|second| SecondText::new(&row.text, second)),
            text: row.text,
            unheard: row.unheard,
            ending: row.ending.name(),
            segments,
        }
    }
}
