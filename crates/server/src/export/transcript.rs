//! Transcripts and subtitles: a cue or a paragraph for each turn.

use std::fmt::Write as _;

use super::{Interview, flat};

/// WebVTT, <https://www.w3.org/TR/webvtt1/>: cue starts never go back, ends come after starts, `-->` stands nowhere else.
pub(super) fn vtt(interview: &Interview) -> String {
    let session = &interview.session;
    let mut text = format!(
        "WEBVTT\n\nNOTE\nColloquy. Session {}, study {} version {}, language {}.\n\n",
        session.session_id,
        escaped(session.study_id.as_str()),
        session.study_version,
        session.language
    );
    for (turn, (start_ms, end_ms)) in cues(interview) {
        let speaker = escaped(&interview.speaker(turn.speaker));
        let _ = writeln!(
            text,
            "{}\n{} --> {}\n<v {speaker}>{}</v>\n",
            turn.turn.0,
            clock(start_ms, '.'),
            clock(end_ms, '.'),
            escaped(&flat(turn.words()))
        );
    }
    text
}

/// SubRip: numbered from 1 without gaps, a comma before the milliseconds.
pub(super) fn srt(interview: &Interview) -> String {
    let mut text = String::new();
    for (number, (turn, (start_ms, end_ms))) in (1..).zip(cues(interview)) {
        let _ = writeln!(
            text,
            "{number}\n{} --> {}\n{}: {}\n",
            clock(start_ms, ','),
            clock(end_ms, ','),
            interview.speaker(turn.speaker),
            // An arrow within the words would read as times.
            flat(turn.words()).replace("-->", "->")
        );
    }
    text
}

/// `[hh:mm:ss] NAME: words`, a paragraph for each turn.
pub(super) fn plain(interview: &Interview) -> String {
    let mut text = String::new();
    for turn in interview.heard() {
        let _ = writeln!(
            text,
            "[{}] {}: {}\n",
            whole_seconds(turn.start_ms),
            interview.speaker(turn.speaker),
            flat(turn.words())
        );
    }
    text
}

/// Turns in the order of their starts, each with a time of at least a millisecond.
fn cues(interview: &Interview) -> Vec<(&store::TurnRow, (u64, u64))> {
    let mut cues: Vec<_> = interview
        .heard()
        .map(|turn| (turn, (turn.start_ms, turn.end_ms.max(turn.start_ms + 1))))
        .collect();
    cues.sort_by_key(|(turn, (start_ms, _))| (*start_ms, turn.turn));
    cues
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// `hh:mm:ss.mmm`.
fn clock(ms: u64, point: char) -> String {
    format!("{}{point}{:03}", whole_seconds(ms), ms % 1_000)
}

/// `hh:mm:ss`.
pub(super) fn whole_seconds(ms: u64) -> String {
    let seconds = ms / 1_000;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}
