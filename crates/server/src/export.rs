//! What came of interviews, as files that other programs read: transcripts, subtitles, tables.
//!
//! Writers are pure: an [`Interview`] in, text or bytes out. Speakers are named the same everywhere, so that a tool that codes
//! by speaker finds one participant in all of its files: `P-` and the end of the session's id, and [`MODERATOR`].

mod docx;
mod json;
mod parquet;
mod table;
mod transcript;

use std::collections::BTreeMap;

use engine::ids::SessionId;
use engine::link::Speaker;
use store::{SegmentRow, SessionRow, Store, StoreError, TurnRow};

use crate::topics::Merged;
pub use parquet::Sheet;
pub use table::{Archive, Cells, Kind, Table};

/// The interviewer, in every format.
pub const MODERATOR: &str = "MODERATOR";

/// Characters of the session's id that name its participant.
const TOKEN_CHARS: usize = 6;

/// All that is exported of one interview.
#[derive(Clone, Debug)]
pub struct Interview {
    /// The session.
    pub session: SessionRow,
    /// In speech order.
    pub turns: Vec<TurnRow>,
    /// In speech order, with their codings.
    pub segments: Vec<SegmentRow>,
    /// What people read for the ids of the study's codebook, or the themes of open labels.
    pub labels: BTreeMap<String, String>,
}

/// What one interview can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, with turns and codings.
    Jsonl,
    /// A table.
    Csv,
    /// A table with types (Apache Parquet).
    Parquet,
    /// Subtitles with speakers (W3C WebVTT).
    Vtt,
    /// Subtitles (SubRip).
    Srt,
    /// A transcript to read.
    Txt,
    /// The same for a word processor.
    Docx,
    /// All tables of a study, with a description of their columns.
    Zip,
}

impl Format {
    /// Whether there is one for each table.
    #[must_use]
    pub const fn is_table(self) -> bool {
        matches!(self, Format::Csv | Format::Parquet)
    }

    /// All of them.
    pub const ALL: [Format; 8] = [
        Format::Jsonl,
        Format::Csv,
        Format::Parquet,
        Format::Vtt,
        Format::Srt,
        Format::Txt,
        Format::Docx,
        Format::Zip,
    ];

    /// Those of one session.
    pub const OF_SESSION: [Format; 7] = [
        Format::Jsonl,
        Format::Csv,
        Format::Parquet,
        Format::Vtt,
        Format::Srt,
        Format::Txt,
        Format::Docx,
    ];

    /// Those of a whole study.
    pub const OF_STUDY: [Format; 4] = [Format::Jsonl, Format::Csv, Format::Parquet, Format::Zip];

    /// The name, which is the file's ending too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::Vtt => "vtt",
            Format::Srt => "srt",
            Format::Txt => "txt",
            Format::Docx => "docx",
            Format::Zip => "zip",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
            Format::Parquet => "application/vnd.apache.parquet",
            Format::Vtt => "text/vtt; charset=utf-8",
            Format::Srt => "application/x-subrip; charset=utf-8",
            Format::Txt => "text/plain; charset=utf-8",
            Format::Docx => {
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            }
            Format::Zip => "application/zip",
        }
    }
}

impl Interview {
    /// Reads it; none if there is no such session.
    ///
    /// # Errors
    /// As for any read of the store.
    pub async fn load(store: &Store, id: &SessionId) -> Result<Option<Interview>, StoreError> {
        let Some(session) = store.session(id).await? else {
            return Ok(None);
        };
        let study = store
            .study(&session.study_id, Some(session.study_version))
            .await?;
        // A study of an older release that is not accepted any more has no labels; its ids are exported all the same.
        let study = study.and_then(|row| crate::study::parse(&row.source).ok());
        let codes = study.into_iter().flat_map(|study| study.codebook);
        let mut labels: BTreeMap<String, String> =
            codes.map(|code| (code.id, code.label)).collect();
        if labels.is_empty() {
            let merged = Merged::of(&store.open_topics(&session.study_id).await?);
            labels.extend(
                merged
                    .iter()
                    .map(|(label, theme)| (label.to_owned(), theme.to_owned())),
            );
        }
        Ok(Some(Interview {
            turns: store.turns(id).await?,
            segments: store.segments(id).await?,
            labels,
            session,
        }))
    }

    /// The participant, in every format.
    #[must_use]
    pub fn participant(&self) -> String {
        participant(&self.session.session_id)
    }

    fn speaker(&self, speaker: Speaker) -> String {
        match speaker {
            Speaker::Participant => self.participant(),
            Speaker::Interviewer => MODERATOR.to_owned(),
        }
    }

    /// Turns in which something was heard.
    fn heard(&self) -> impl Iterator<Item = &TurnRow> {
        self.turns
            .iter()
            .filter(|turn| !turn.words().trim().is_empty())
    }

    fn label<'a>(&'a self, topic: &'a str) -> &'a str {
        self.labels.get(topic).map_or(topic, String::as_str)
    }

    /// The file. `table` and `cells` matter to tables only: which one, and for whom.
    #[must_use]
    pub fn file(&self, format: Format, table: Table, cells: Cells) -> Vec<u8> {
        match format {
            Format::Jsonl => json::line(self).into_bytes(),
            Format::Csv => table.of(std::slice::from_ref(self), cells, table::Head::With),
            Format::Parquet => {
                let mut sheet = Sheet::new(table);
                sheet.add(self);
                sheet.finish()
            }
            Format::Vtt => transcript::vtt(self).into_bytes(),
            Format::Srt => transcript::srt(self).into_bytes(),
            Format::Txt => transcript::plain(self).into_bytes(),
            Format::Docx => docx::document(self),
            Format::Zip => {
                let mut archive = Archive::new(cells);
                archive.add(self);
                archive.finish()
            }
        }
    }

    /// Its rows of a table, without the head.
    #[must_use]
    pub fn rows(&self, table: Table, cells: Cells) -> Vec<u8> {
        table.of(std::slice::from_ref(self), cells, table::Head::Without)
    }
}

/// Who took part in a session, as all files and pages name them.
#[must_use]
pub fn participant(id: &SessionId) -> String {
    let id = id.as_str();
    let chars = id.chars().count();
    let end: String = id.chars().skip(chars.saturating_sub(TOKEN_CHARS)).collect();
    format!("P-{end}")
}

/// One line, however many there were.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
