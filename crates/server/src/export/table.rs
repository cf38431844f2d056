//! Tidy tables as CSV (RFC 4180: CRLF, one head), and all of them in an archive.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Format, Interview};
use crate::http::rfc3339;

/// A table: a row for each of its things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Interviews.
    Sessions,
    /// Turns.
    Turns,
    /// Codings of segments.
    Codings,
    /// Key quotes.
    Quotes,
}

/// For whom the cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// For spreadsheets: a text that one could take for a formula begins with an apostrophe (OWASP ASVS 1.2.10).
    Safe,
    /// For machines: as they are.
    Raw,
}

/// Whether the names of the columns come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    With,
    Without,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Real,
    /// A moment: RFC 3339 in text, microseconds UTC where there are types.
    Time,
    /// A list of texts: JSON where there are no lists.
    List,
}

/// A cell: text of people or of a study, or something of ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    List(Vec<String>),
    Own(String),
    Int(i64),
    Real(f64),
    Time(i64),
    Empty,
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn own(value: impl ToString) -> Cell {
    Cell::Own(value.to_string())
}

fn int(value: impl TryInto<i64>) -> Cell {
    value.try_into().map_or(Cell::Empty, Cell::Int)
}

fn time(at_us: Option<i64>) -> Cell {
    at_us.map_or(Cell::Empty, Cell::Time)
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> Cell {
    Cell::List(items.map(str::to_owned).collect())
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 4] = [Table::Sessions, Table::Turns, Table::Codings, Table::Quotes];

    /// The name, which is the file's too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Table::Sessions => "sessions",
            Table::Turns => "turns",
            Table::Codings => "codings",
            Table::Quotes => "quotes",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns, each with what stands in it.
    #[must_use]
    pub const fn columns(self) -> &'static [(&'static str, Kind, &'static str)] {
        match self {
            Table::Sessions => SESSIONS,
            Table::Turns => TURNS,
            Table::Codings => CODINGS,
            Table::Quotes => QUOTES,
        }
    }

    /// The names of the columns as a line.
    #[must_use]
    pub fn head(self) -> Vec<u8> {
        self.of(&[], Cells::Raw, Head::With)
    }

    pub(super) fn of(self, interviews: &[Interview], cells: Cells, head: Head) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        let into_memory = "writing rows of one length into memory cannot fail";
        if head == Head::With {
            let names = self.columns().iter().map(|(name, ..)| name);
            writer.write_record(names).expect(into_memory);
        }
        for interview in interviews {
            for row in self.rows(interview) {
                let row = row.into_iter().map(|cell| written(cell, cells));
                writer.write_record(row).expect(into_memory);
            }
        }
        writer
            .into_inner()
            .expect("flushing into memory cannot fail")
    }

    pub(super) fn rows(self, interview: &Interview) -> Vec<Vec<Cell>> {
        match self {
            Table::Sessions => vec![session(interview)],
            Table::Turns => interview
                .turns
                .iter()
                .map(|turn| turn_row(interview, turn))
                .collect(),
            Table::Codings => interview
                .segments
                .iter()
                .filter_map(|row| coding(interview, row))
                .collect(),
            Table::Quotes => interview
                .segments
                .iter()
                .filter_map(|row| quote(interview, row))
                .collect(),
        }
    }
}

const SESSIONS: &[(&str, Kind, &str)] = &[
    ("session_id", Kind::Text, "The interview"),
    (
        "participant",
        Kind::Text,
        "Who took part, the same in all files",
    ),
    ("study_id", Kind::Text, "The study"),
    ("study_version", Kind::Int, "Its version"),
    ("language", Kind::Text, "BCP 47"),
    ("external_id", Kind::Text, "What the link was made with"),
    (
        "state",
        Kind::Text,
        "invited, waiting, active, paused, closing or ended",
    ),
    ("outcome", Kind::Text, "Why it ended; empty while it runs"),
    ("started_at", Kind::Time, "UTC"),
    ("ended_at", Kind::Time, "UTC"),
    (
        "duration_ms",
        Kind::Int,
        "Length of the recording's timeline",
    ),
    ("turns", Kind::Int, "Of both speakers"),
    ("cost_micro_usd", Kind::Int, "In millionths of a dollar"),
];
const TURNS: &[(&str, Kind, &str)] = &[
    ("session_id", Kind::Text, "The interview"),
    ("participant", Kind::Text, "Who took part"),
    ("turn", Kind::Int, "Number within the interview"),
    ("speaker", Kind::Text, "The participant or MODERATOR"),
    ("phase", Kind::Text, "Section of the study"),
    ("start_ms", Kind::Int, "On the recording's timeline"),
    ("end_ms", Kind::Int, "On the recording's timeline"),
    ("ending", Kind::Text, "complete, or how it was cut off"),
    (
        "text",
        Kind::Text,
        "What was heard, according to the live transcript",
    ),
    (
        "unheard",
        Kind::Text,
        "What the interviewer had ready and nobody heard",
    ),
    (
        "second_text",
        Kind::Text,
        "What a second model heard; empty if none was asked",
    ),
    ("second_model", Kind::Text, "Which"),
];
const CODINGS: &[(&str, Kind, &str)] = &[
    ("session_id", Kind::Text, "The interview"),
    ("participant", Kind::Text, "Who took part"),
    (
        "segment",
        Kind::Int,
        "Number of the segment: its turn times 1,000 and its part",
    ),
    ("turn", Kind::Int, "The turn that it is a part of"),
    ("phase", Kind::Text, "Section of the study"),
    ("start_ms", Kind::Int, "On the recording's timeline"),
    ("end_ms", Kind::Int, "On the recording's timeline"),
    ("text", Kind::Text, "What was said"),
    (
        "sentiment",
        Kind::Text,
        "negative, neutral, positive or mixed",
    ),
    ("score", Kind::Real, "-1 to 1"),
    (
        "topics",
        Kind::List,
        "List of ids of the codebook, or open labels",
    ),
    (
        "topic_labels",
        Kind::List,
        "List of what people read for them; of open labels their themes",
    ),
    ("model", Kind::Text, "Who coded"),
    ("prompt_version", Kind::Text, "By which instructions"),
    ("schema_version", Kind::Text, "In which form"),
    (
        "corrected_at",
        Kind::Time,
        "When a researcher corrected it, UTC; empty if the coding is the model's",
    ),
];
const QUOTES: &[(&str, Kind, &str)] = &[
    ("session_id", Kind::Text, "The interview"),
    ("participant", Kind::Text, "Who took part"),
    ("segment", Kind::Int, "The segment that it stands in"),
    ("turn", Kind::Int, "The turn that it stands in"),
    ("phase", Kind::Text, "Section of the study"),
    (
        "start_ms",
        Kind::Int,
        "Of its segment, on the recording's timeline",
    ),
    (
        "end_ms",
        Kind::Int,
        "Of its segment, on the recording's timeline",
    ),
    (
        "start_char",
        Kind::Int,
        "First character within the segment, from 0, Unicode code points",
    ),
    ("end_char", Kind::Int, "One past the last"),
    ("quote", Kind::Text, "Verbatim"),
    ("sentiment", Kind::Text, "Of its segment"),
    ("topics", Kind::List, "Of its segment"),
];

fn session(interview: &Interview) -> Vec<Cell> {
    let session = &interview.session;
    vec![
        own(&session.session_id),
        own(interview.participant()),
        own(&session.study_id),
        int(session.study_version),
        text(&session.language),
        session.external_id.clone().map_or(Cell::Empty, text),
        own(session.state.name()),
        session
            .outcome
            .map_or(Cell::Empty, |outcome| own(outcome.name())),
        time(session.started_at_us),
        time(session.ended_at_us),
        session.duration_ms.map_or(Cell::Empty, int),
        int(session.turns),
        int(session.cost_micro_usd),
    ]
}

fn turn_row(interview: &Interview, turn: &store::TurnRow) -> Vec<Cell> {
    let second = |what: fn(&store::SecondRow) -> &String| {
        let second = turn.second.as_ref().map(what);
        second.map_or(Cell::Empty, text)
    };
    vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        int(turn.turn.0),
        own(interview.speaker(turn.speaker)),
        text(turn.phase.as_str()),
        int(turn.start_ms),
        int(turn.end_ms),
        own(turn.ending.name()),
        text(&turn.text),
        text(&turn.unheard),
        second(|second| &second.text),
        second(|second| &second.model),
    ]
}

fn coding(interview: &Interview, row: &store::SegmentRow) -> Option<Vec<Cell>> {
    let coding = row.coding.as_ref()?;
    let labels = coding.topics.iter().map(|topic| interview.label(topic));
    Some(vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        int(row.segment_no),
        int(row.turn.0),
        text(row.phase.as_str()),
        int(row.start_ms),
        int(row.end_ms),
        text(&row.text),
        own(coding.sentiment.name()),
        Cell::Real(f64::from(coding.score_permille) / 1_000.0),
        list(coding.topics.iter().map(String::as_str)),
        list(labels),
        text(&coding.model),
        text(&coding.prompt_version),
        text(&coding.schema_version),
        time(row.corrected_at_us),
    ])
}

fn quote(interview: &Interview, row: &store::SegmentRow) -> Option<Vec<Cell>> {
    let coding = row.coding.as_ref()?;
    let quote = coding.quote.as_ref()?;
    Some(vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        int(row.segment_no),
        int(row.turn.0),
        text(row.phase.as_str()),
        int(row.start_ms),
        int(row.end_ms),
        int(quote.start_char),
        int(quote.end_char),
        text(&quote.text),
        own(coding.sentiment.name()),
        list(coding.topics.iter().map(String::as_str)),
    ])
}

fn written(cell: Cell, cells: Cells) -> String {
    let text = match cell {
        Cell::Empty => return String::new(),
        Cell::Own(own) => return own,
        Cell::Int(number) => return number.to_string(),
        Cell::Real(number) => return number.to_string(),
        Cell::Time(at_us) => return rfc3339(at_us),
        Cell::Text(text) => text,
        Cell::List(items) => serde_json::Value::from_iter(items).to_string(),
    };
    let formula = [
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
    ];
    if cells == Cells::Safe && text.starts_with(formula) {
        format!("'{text}")
    } else {
        text
    }
}

/// All tables and a description of their columns, as a ZIP. Interviews are added one by one; what is held is their rows.
pub struct Archive {
    cells: Cells,
    tables: [Vec<u8>; Table::ALL.len()],
}

impl Archive {
    /// Without any interview.
    #[must_use]
    pub fn new(cells: Cells) -> Archive {
        Archive {
            cells,
            tables: Table::ALL.map(Table::head),
        }
    }

    /// Adds one.
    pub fn add(&mut self, interview: &Interview) {
        for (table, rows) in Table::ALL.into_iter().zip(&mut self.tables) {
            rows.extend(interview.rows(table, self.cells));
        }
    }

    /// The file.
    ///
    /// # Panics
    /// Never: writing into memory cannot fail.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let into_memory = "an archive in memory takes any file";
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        for (table, rows) in Table::ALL.into_iter().zip(self.tables) {
            let name = format!("{}.{}", table.name(), Format::Csv.name());
            zip.start_file(name, options).expect(into_memory);
            zip.write_all(&rows).expect(into_memory);
        }
        zip.start_file("README.txt", options).expect(into_memory);
        zip.write_all(readme(self.cells).as_bytes())
            .expect(into_memory);
        zip.finish().expect(into_memory).into_inner()
    }
}

fn readme(cells: Cells) -> String {
    let mut text = String::from(
        "Tables of a study, as Colloquy exports them. UTF-8, one head, RFC 4180. Times are UTC or milliseconds on the recording's timeline; empty means unknown.\n",
    );
    if cells == Cells::Safe {
        text.push_str("A text that a spreadsheet could take for a formula begins with an apostrophe that is not part of it; export with `cells=raw` for machines.\n");
    }
    for table in Table::ALL {
        let _ = writeln!(text, "\n{}.csv", table.name());
        for (name, _, meaning) in table.columns() {
            let _ = writeln!(text, "  {name}: {meaning}");
        }
    }
    text
}
