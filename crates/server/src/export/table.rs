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

/// A cell: text of people or of a study, or something of ours.
enum Cell {
    Text(String),
    Own(String),
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn own(value: impl ToString) -> Cell {
    Cell::Own(value.to_string())
}

fn maybe(value: Option<impl ToString>) -> Cell {
    Cell::Own(value.map(|value| value.to_string()).unwrap_or_default())
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
    pub const fn columns(self) -> &'static [(&'static str, &'static str)] {
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
            let names = self.columns().iter().map(|(name, _)| name);
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

    fn rows(self, interview: &Interview) -> Vec<Vec<Cell>> {
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

const SESSIONS: &[(&str, &str)] = &[
    ("session_id", "The interview"),
    ("participant", "Who took part, the same in all files"),
    ("study_id", "The study"),
    ("study_version", "Its version"),
    ("language", "BCP 47"),
    ("external_id", "What the link was made with"),
    (
        "state",
        "invited, waiting, active, paused, closing or ended",
    ),
    ("outcome", "Why it ended; empty while it runs"),
    ("started_at", "UTC, RFC 3339"),
    ("ended_at", "UTC, RFC 3339"),
    ("duration_ms", "Length of the recording's timeline"),
    ("turns", "Of both speakers"),
    ("cost_micro_usd", "In millionths of a dollar"),
];
const TURNS: &[(&str, &str)] = &[
    ("session_id", "The interview"),
    ("participant", "Who took part"),
    ("turn", "Number within the interview"),
    ("speaker", "The participant or MODERATOR"),
    ("phase", "Section of the study"),
    ("start_ms", "On the recording's timeline"),
    ("end_ms", "On the recording's timeline"),
    ("ending", "complete, or how it was cut off"),
    ("text", "What was heard"),
    ("unheard", "What the interviewer had ready and nobody heard"),
];
const CODINGS: &[(&str, &str)] = &[
    ("session_id", "The interview"),
    ("participant", "Who took part"),
    (
        "segment",
        "Number of the segment: its turn times 1,000 and its part",
    ),
    ("turn", "The turn that it is a part of"),
    ("phase", "Section of the study"),
    ("start_ms", "On the recording's timeline"),
    ("end_ms", "On the recording's timeline"),
    ("text", "What was said"),
    ("sentiment", "negative, neutral, positive or mixed"),
    ("score", "-1 to 1"),
    ("topics", "JSON list of ids of the codebook, or open labels"),
    ("topic_labels", "JSON list of what people read for them"),
    ("model", "Who coded"),
    ("prompt_version", "By which instructions"),
    ("schema_version", "In which form"),
    (
        "corrected_at",
        "When a researcher corrected it, UTC; empty if the coding is the model's",
    ),
];
const QUOTES: &[(&str, &str)] = &[
    ("session_id", "The interview"),
    ("participant", "Who took part"),
    ("segment", "The segment that it stands in"),
    ("turn", "The turn that it stands in"),
    ("phase", "Section of the study"),
    ("start_ms", "Of its segment, on the recording's timeline"),
    ("end_ms", "Of its segment, on the recording's timeline"),
    (
        "start_char",
        "First character within the segment, from 0, Unicode code points",
    ),
    ("end_char", "One past the last"),
    ("quote", "Verbatim"),
    ("sentiment", "Of its segment"),
    ("topics", "Of its segment, JSON list"),
];

fn session(interview: &Interview) -> Vec<Cell> {
    let session = &interview.session;
    vec![
        own(&session.session_id),
        own(interview.participant()),
        own(&session.study_id),
        own(session.study_version),
        text(&session.language),
        text(session.external_id.clone().unwrap_or_default()),
        own(session.state.name()),
        maybe(session.outcome.map(engine::journal::Outcome::name)),
        maybe(session.started_at_us.map(rfc3339)),
        maybe(session.ended_at_us.map(rfc3339)),
        maybe(session.duration_ms),
        own(session.turns),
        own(session.cost_micro_usd),
    ]
}

fn turn_row(interview: &Interview, turn: &store::TurnRow) -> Vec<Cell> {
    vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        own(turn.turn.0),
        own(interview.speaker(turn.speaker)),
        text(turn.phase.as_str()),
        own(turn.start_ms),
        own(turn.end_ms),
        own(turn.ending.name()),
        text(&turn.text),
        text(&turn.unheard),
    ]
}

fn coding(interview: &Interview, row: &store::SegmentRow) -> Option<Vec<Cell>> {
    let coding = row.coding.as_ref()?;
    let labels = coding.topics.iter().map(|topic| interview.label(topic));
    Some(vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        own(row.segment_no),
        own(row.turn.0),
        text(row.phase.as_str()),
        own(row.start_ms),
        own(row.end_ms),
        text(&row.text),
        own(coding.sentiment.name()),
        own(f64::from(coding.score_permille) / 1_000.0),
        text(list(coding.topics.iter().map(String::as_str))),
        text(list(labels)),
        text(&coding.model),
        text(&coding.prompt_version),
        text(&coding.schema_version),
        maybe(row.corrected_at_us.map(rfc3339)),
    ])
}

fn quote(interview: &Interview, row: &store::SegmentRow) -> Option<Vec<Cell>> {
    let coding = row.coding.as_ref()?;
    let quote = coding.quote.as_ref()?;
    Some(vec![
        own(&interview.session.session_id),
        own(interview.participant()),
        own(row.segment_no),
        own(row.turn.0),
        text(row.phase.as_str()),
        own(row.start_ms),
        own(row.end_ms),
        own(quote.start_char),
        own(quote.end_char),
        text(&quote.text),
        own(coding.sentiment.name()),
        text(list(coding.topics.iter().map(String::as_str))),
    ])
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(items).to_string()
}

fn written(cell: Cell, cells: Cells) -> String {
    match (cell, cells) {
        (Cell::Own(own), _) => own,
        (Cell::Text(text), Cells::Raw) => text,
        (Cell::Text(text), Cells::Safe) => {
            if text.starts_with([
                '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
            ]) {
                format!("'{text}")
            } else {
                text
            }
        }
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
        for (name, meaning) in table.columns() {
            let _ = writeln!(text, "  {name}: {meaning}");
        }
    }
    text
}
