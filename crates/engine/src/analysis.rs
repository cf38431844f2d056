//! What the interviews of a study say together: themes, who is against, and a grid of respondents and topics.
//!
//! Counts are of participants and not of mentions: one person who says a thing ten times is one. Every number carries the
//! interviews that it is made of, so that each is a click from what was said.

use std::collections::{BTreeMap, BTreeSet};

use crate::enrich::Sentiment;
use crate::ids::{PhaseId, SessionId, TurnNo};

/// Quotes of a cell at most: the most telling are the first ones with words.
const QUOTES_MAX: usize = 3;

/// One coded segment of one interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// The interview.
    pub session: SessionId,
    /// The wave: version of the study that it ran.
    pub version: u32,
    /// Section of the study.
    pub phase: PhaseId,
    /// The turn.
    pub turn: TurnNo,
    /// On the recording's timeline.
    pub start_ms: u64,
    /// On the recording's timeline.
    pub end_ms: u64,
    /// How it feels.
    pub sentiment: Sentiment,
    /// What it is about.
    pub topics: Vec<String>,
    /// The part that is worth quoting.
    pub quote: Option<String>,
}

/// How many participants feel how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feelings {
    /// Against.
    pub negative: u32,
    /// Neither.
    pub neutral: u32,
    /// For.
    pub positive: u32,
    /// Both.
    pub mixed: u32,
}

/// So many of so many participants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Who did.
    pub participants: u32,
    /// Of whom.
    pub of: u32,
}

/// Those who were in a section or wave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Who spoke of the topic there.
    pub share: Share,
    /// How they feel about it there, each once.
    pub feelings: Feelings,
    /// Where each of them speaks of it there first.
    pub places: Vec<Case>,
}

/// A topic over all interviews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Id in the codebook, or open label.
    pub topic: String,
    /// Who spoke of it.
    pub share: Share,
    /// How often it was spoken of.
    pub segments: u32,
    /// How those participants feel about it, each once.
    pub feelings: Feelings,
    /// Negative cases: of those who are for or against, the fewer, each with the first place where they say so. Empty where both
    /// are as many.
    pub against: Vec<Case>,
    /// Who spoke of it in which section, of all who were in it.
    pub phases: BTreeMap<PhaseId, Part>,
    /// The same by wave.
    pub waves: BTreeMap<u32, Part>,
}

/// A negative case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Whose.
    pub session: SessionId,
    /// The turn in which they say so first.
    pub turn: TurnNo,
}

/// A respondent and a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How they feel about it.
    pub sentiment: Sentiment,
    /// How often they spoke of it.
    pub segments: u32,
    /// Verbatim, with their places; the first few.
    pub quotes: Vec<Quoted>,
}

/// Words and where they were said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Verbatim; empty where nothing was worth quoting.
    pub text: String,
    /// The turn.
    pub turn: TurnNo,
    /// On the recording's timeline.
    pub start_ms: u64,
    /// On the recording's timeline.
    pub end_ms: u64,
}

/// What one respondent said, topic by topic.
pub type Row = BTreeMap<String, Cell>;

/// How somebody who said these things feels: both, if there is some of both.
#[must_use]
pub fn prevailing(said: impl IntoIterator<Item = Sentiment>) -> Sentiment {
    let (mut good, mut bad) = (false, false);
    for sentiment in said {
        good |= matches!(sentiment, Sentiment::Positive | Sentiment::Mixed);
        bad |= matches!(sentiment, Sentiment::Negative | Sentiment::Mixed);
    }
    match (good, bad) {
        (true, true) => Sentiment::Mixed,
        (true, false) => Sentiment::Positive,
        (false, true) => Sentiment::Negative,
        (false, false) => Sentiment::Neutral,
    }
}

/// Themes, what most participants spoke of first; among equals by name.
#[must_use]
pub fn themes(coded: &[Coded]) -> Vec<Theme> {
    let everybody: BTreeSet<&SessionId> = coded.iter().map(|row| &row.session).collect();
    let mut in_phase: BTreeMap<&PhaseId, BTreeSet<&SessionId>> = BTreeMap::new();
    let mut in_wave: BTreeMap<u32, BTreeSet<&SessionId>> = BTreeMap::new();
    let mut by_topic: BTreeMap<&str, Vec<&Coded>> = BTreeMap::new();
    for row in coded {
        in_phase.entry(&row.phase).or_default().insert(&row.session);
        in_wave.entry(row.version).or_default().insert(&row.session);
        for topic in row.topics.iter().collect::<BTreeSet<_>>() {
            by_topic.entry(topic).or_default().push(row);
        }
    }
    let theme = |(topic, rows): (&str, Vec<&Coded>)| {
        let felt = felt(rows.iter().copied());
        let part = |all: &BTreeSet<&SessionId>, there: &dyn Fn(&Coded) -> bool| {
            let said: Vec<&Coded> = rows.iter().copied().filter(|row| there(row)).collect();
            let felt = self::felt(said.iter().copied());
            Part {
                share: Share {
                    participants: count(felt.len()),
                    of: count(all.len()),
                },
                feelings: feelings(felt.values().copied()),
                places: places(&said),
            }
        };
        let whole = part(&everybody, &|_| true);
        Theme {
            topic: topic.to_owned(),
            share: whole.share,
            segments: count(rows.len()),
            feelings: whole.feelings,
            against: against(whole.feelings, &felt, &rows),
            phases: in_phase
                .iter()
                .map(|(phase, all)| ((*phase).clone(), part(all, &|row| row.phase == **phase)))
                .collect(),
            waves: in_wave
                .iter()
                .map(|(wave, all)| (*wave, part(all, &|row| row.version == *wave)))
                .collect(),
        }
    };
    let mut themes: Vec<Theme> = by_topic.into_iter().map(theme).collect();
    themes.sort_by(|a, b| {
        let by_share = b.share.participants.cmp(&a.share.participants);
        by_share.then_with(|| a.topic.cmp(&b.topic))
    });
    themes
}

/// How each person who said some of this feels.
fn felt<'a>(rows: impl Iterator<Item = &'a Coded>) -> BTreeMap<&'a SessionId, Sentiment> {
    let mut said: BTreeMap<&SessionId, Vec<Sentiment>> = BTreeMap::new();
    for row in rows {
        said.entry(&row.session).or_default().push(row.sentiment);
    }
    said.into_iter()
        .map(|(session, said)| (session, prevailing(said)))
        .collect()
}

fn feelings(felt: impl Iterator<Item = Sentiment>) -> Feelings {
    let mut feelings = Feelings::default();
    for sentiment in felt {
        let count = match sentiment {
            Sentiment::Negative => &mut feelings.negative,
            Sentiment::Neutral => &mut feelings.neutral,
            Sentiment::Positive => &mut feelings.positive,
            Sentiment::Mixed => &mut feelings.mixed,
        };
        *count += 1;
    }
    feelings
}

/// The first place of each person, by session.
fn places(said: &[&Coded]) -> Vec<Case> {
    let mut first: BTreeMap<&SessionId, (u64, TurnNo)> = BTreeMap::new();
    for row in said {
        let place = (row.start_ms, row.turn);
        let known = first.entry(&row.session).or_insert(place);
        *known = place.min(*known);
    }
    let case = |(session, (_, turn)): (&SessionId, (u64, TurnNo))| Case {
        session: session.clone(),
        turn,
    };
    first.into_iter().map(case).collect()
}

fn against(
    feelings: Feelings,
    felt: &BTreeMap<&SessionId, Sentiment>,
    rows: &[&Coded],
) -> Vec<Case> {
    let opposite = match feelings.positive.cmp(&feelings.negative) {
        std::cmp::Ordering::Greater => Sentiment::Negative,
        std::cmp::Ordering::Less => Sentiment::Positive,
        std::cmp::Ordering::Equal => return Vec::new(),
    };
    let opposed = felt.iter().filter(|(_, sentiment)| **sentiment == opposite);
    let case = |(session, _): (&&SessionId, &Sentiment)| {
        let said = rows
            .iter()
            .filter(|row| row.session == **session && row.sentiment == opposite);
        let first = said.min_by_key(|row| (row.start_ms, row.turn))?;
        Some(Case {
            session: first.session.clone(),
            turn: first.turn,
        })
    };
    opposed.filter_map(case).collect()
}

/// What each respondent said about each topic.
#[must_use]
pub fn grid(coded: &[Coded]) -> BTreeMap<SessionId, Row> {
    let mut said: BTreeMap<(&SessionId, &str), Vec<&Coded>> = BTreeMap::new();
    let mut grid: BTreeMap<SessionId, Row> = BTreeMap::new();
    for row in coded {
        grid.entry(row.session.clone()).or_default();
        for topic in row.topics.iter().collect::<BTreeSet<_>>() {
            said.entry((&row.session, topic)).or_default().push(row);
        }
    }
    for ((session, topic), mut rows) in said {
        rows.sort_by_key(|row| (row.start_ms, row.turn));
        let cell = Cell {
            sentiment: prevailing(rows.iter().map(|row| row.sentiment)),
            segments: count(rows.len()),
            quotes: quotes(&rows),
        };
        grid.entry(session.clone())
            .or_default()
            .insert(topic.to_owned(), cell);
    }
    grid
}

/// The first few quotes; where there is none the first place, so that every cell leads to what was said.
fn quotes(rows: &[&Coded]) -> Vec<Quoted> {
    let quoted = |row: &&Coded| Quoted {
        text: row.quote.clone().unwrap_or_default(),
        turn: row.turn,
        start_ms: row.start_ms,
        end_ms: row.end_ms,
    };
    let with_words: Vec<Quoted> = rows
        .iter()
        .filter(|row| row.quote.is_some())
        .take(QUOTES_MAX)
        .map(quoted)
        .collect();
    if with_words.is_empty() {
        rows.iter().take(1).map(quoted).collect()
    } else {
        with_words
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
