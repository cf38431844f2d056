#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Cursor, Read as _};

use engine::ids::{PhaseId, TurnNo};
use engine::journal::{Outcome, TurnEnding};
use engine::session::State;
use store::{CodingRow, Consent, Epoch, Length, QuoteSpan, ReportState, Sentiment};

use super::*;

fn session() -> SessionRow {
    SessionRow {
        session_id: SessionId::from("01JD0B2DONE0000000000AB12C"),
        study_id: "tools".into(),
        study_version: 3,
        study_title: "Tools & <tags>".to_owned(),
        language: "en".to_owned(),
        length: Length::Full,
        external_id: Some("=HYPERLINK(\"http://x\")".to_owned()),
        state: State::Ended,
        phase: None,
        outcome: Some(Outcome::Complete),
        consent: Consent::Given,
        cost_micro_usd: 118_200,
        turns: 2,
        first_voice_ms: None,
        duration_ms: Some(3_700_000),
        owner: None,
        epoch: Epoch(1),
        last_seq: 9,
        created_at_us: 1_795_392_000_000_000,
        started_at_us: Some(1_795_392_060_000_000),
        paused_at_us: None,
        ended_at_us: None,
        expires_at_us: None,
        report: ReportState::Ready,
    }
}

fn turn(number: u32, speaker: Speaker, start_ms: u64, end_ms: u64, text: &str) -> TurnRow {
    TurnRow {
        turn: TurnNo(number),
        speaker,
        phase: PhaseId::from("warmup"),
        start_ms,
        end_ms,
        text: text.to_owned(),
        unheard: String::new(),
        ending: TurnEnding::Complete,
        second: None,
    }
}

/// Turns that a careless writer would break on.
fn interview() -> Interview {
    let nasty = "I <b>like</b> it & more --> yes\n\n\"quoted\",\r\nnext\u{7}";
    Interview {
        session: session(),
        turns: vec![
            turn(1, Speaker::Interviewer, 0, 1_500, "What do you use?"),
            turn(2, Speaker::Participant, 1_400, 1_400, nasty),
            turn(
                3,
                Speaker::Participant,
                3_661_007,
                3_662_000,
                "مرحبا 👩‍👩‍👧 これは",
            ),
            turn(4, Speaker::Interviewer, 3_663_000, 3_664_000, "  "),
        ],
        segments: vec![SegmentRow {
            segment_no: 2_001,
            turn: TurnNo(2),
            text: "=1+1 I like it".to_owned(),
            start_ms: 1_400,
            end_ms: 1_400,
            phase: PhaseId::from("warmup"),
            language: "en".to_owned(),
            coding: Some(CodingRow {
                sentiment: Sentiment::Negative,
                score_permille: -640,
                topics: vec!["cost".to_owned()],
                quote: Some(QuoteSpan {
                    start_char: 5,
                    end_char: 14,
                    text: "I like it".to_owned(),
                }),
                model: "m".to_owned(),
                prompt_version: "p".to_owned(),
                schema_version: "s".to_owned(),
            }),
            corrected_at_us: None,
        }],
        labels: BTreeMap::from([("cost".to_owned(), "What it costs".to_owned())]),
    }
}

fn written(format: Format, table: Table, cells: Cells) -> String {
    String::from_utf8(interview().file(format, table, cells)).unwrap()
}

fn rows(table: Table, cells: Cells) -> Vec<Vec<String>> {
    let text = written(Format::Csv, table, cells);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn webvtt_has_ascending_cues_of_some_length_and_no_arrow_or_tag_of_the_speakers() {
    let text = written(Format::Vtt, Table::Turns, Cells::Safe);
    assert!(text.starts_with("WEBVTT\n\nNOTE\n"), "{text}");
    let cues: Vec<&str> = text.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        cues,
        [
            "00:00:00.000 --> 00:00:01.500",
            "00:00:01.400 --> 00:00:01.401",
            "01:01:01.007 --> 01:01:02.000"
        ]
    );
    assert!(text.contains("<v P-0AB12C>"), "{text}");
    assert!(
        text.contains("I &lt;b&gt;like&lt;/b&gt; it &amp; more --&gt; yes \"quoted\", next"),
        "{text}"
    );
}

#[test]
fn srt_counts_without_gaps_and_has_commas_in_its_times() {
    let text = written(Format::Srt, Table::Turns, Cells::Safe);
    assert!(
        text.starts_with("1\n00:00:00,000 --> 00:00:01,500\nMODERATOR: What do you use?\n\n2\n"),
        "{text}"
    );
    assert_eq!(text.matches("-->").count(), 3, "{text}");
}

#[test]
fn a_transcript_has_a_paragraph_for_each_turn_that_was_heard() {
    let text = written(Format::Txt, Table::Turns, Cells::Safe);
    let paragraphs: Vec<&str> = text.split("\n\n").filter(|part| !part.is_empty()).collect();
    assert_eq!(paragraphs.len(), 3, "{text}");
    assert!(paragraphs[2].starts_with("[01:01:01] P-"), "{text}");
}

#[test]
fn tables_have_a_head_one_row_each_and_survive_quotes_and_line_ends() {
    for table in Table::ALL {
        let rows = rows(table, Cells::Raw);
        let names: Vec<&str> = table.columns().iter().map(|(name, ..)| *name).collect();
        assert_eq!(rows[0], names);
        assert!(rows.iter().all(|row| row.len() == names.len()));
    }
    let turns = rows(Table::Turns, Cells::Raw);
    assert_eq!(turns.len(), 5);
    assert_eq!(turns[2][8], interview().turns[1].text);
    let codings = rows(Table::Codings, Cells::Raw);
    assert_eq!(
        codings[1][9..12],
        ["-0.64", "[\"cost\"]", "[\"What it costs\"]"]
    );
    let text = written(Format::Csv, Table::Turns, Cells::Raw);
    assert!(text.starts_with("session_id,participant,turn,"), "{text}");
}

#[test]
fn what_a_spreadsheet_could_run_is_made_inert_and_numbers_stay_numbers() {
    let sessions = rows(Table::Sessions, Cells::Safe);
    assert_eq!(sessions[1][5], "'=HYPERLINK(\"http://x\")");
    let codings = rows(Table::Codings, Cells::Safe);
    assert_eq!(codings[1][7], "'=1+1 I like it");
    assert_eq!(codings[1][9], "-0.64");
    assert_eq!(
        rows(Table::Sessions, Cells::Raw)[1][5],
        "=HYPERLINK(\"http://x\")"
    );
}

#[test]
fn a_line_of_json_holds_the_interview() {
    let text = written(Format::Jsonl, Table::Turns, Cells::Safe);
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["turns"][1]["text"], interview().turns[1].text);
    assert_eq!(line["segments"][0]["coding"]["quote"]["text"], "I like it");
    assert_eq!(
        line["segments"][0]["coding"]["topics"][0]["label"],
        "What it costs"
    );
    assert_eq!(line["started_at"], "2026-11-23T00:01:00.000Z");
}

fn unpacked(file: Vec<u8>) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(entry.name().unwrap().into_owned(), text);
    }
    files
}

#[test]
fn an_archive_has_every_table_and_says_what_every_column_is() {
    let files = unpacked(interview().file(Format::Zip, Table::Turns, Cells::Safe));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "README.txt",
            "codings.csv",
            "quotes.csv",
            "sessions.csv",
            "turns.csv"
        ]
    );
    for table in Table::ALL {
        for (name, ..) in table.columns() {
            assert!(
                files["README.txt"].contains(&format!("  {name}: ")),
                "{name}"
            );
        }
    }
    assert_eq!(files["quotes.csv"].lines().count(), 2);
}

#[test]
fn a_document_is_well_formed_and_has_a_paragraph_for_each_turn() {
    let files = unpacked(interview().file(Format::Docx, Table::Turns, Cells::Safe));
    let body = &files["word/document.xml"];
    assert!(body.contains("Tools &amp; &lt;tags&gt;"), "{body}");
    assert!(!body.contains('\u{7}'), "not a character of XML");
    assert_eq!(body.matches("<w:p>").count(), 2 + 1 + 3, "{body}");
    assert_eq!(
        body.matches("<w:p>").count(),
        body.matches("</w:p>").count()
    );
    assert!(files.contains_key("[Content_Types].xml") && files.contains_key("_rels/.rels"));
}

#[test]
fn names_lead_back_to_their_formats_and_tables() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    for table in Table::ALL {
        assert_eq!(Table::from_name(table.name()), Some(table));
    }
}

#[test]
fn parquet_says_the_same_as_csv_with_types_and_nulls() {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    for table in Table::ALL {
        let file = interview().file(Format::Parquet, table, Cells::Raw);
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let notes = reader
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .unwrap();
        assert!(
            notes
                .iter()
                .any(|note| note.value.as_deref() == Some(table.name()))
        );
        let flat = rows(table, Cells::Raw);
        let typed: Vec<_> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(typed.len(), flat.len() - 1, "{table:?}");
        for (typed, flat) in typed.iter().zip(&flat[1..]) {
            let columns = table.columns().iter();
            for (((name, field), flat), (column, kind, _)) in
                typed.get_column_iter().zip(flat).zip(columns)
            {
                assert_eq!(name, column);
                let written = match (kind, field) {
                    (_, Field::Null) => String::new(),
                    (Kind::Text, Field::Str(text)) => text.clone(),
                    (Kind::Int, Field::Long(number)) => number.to_string(),
                    (Kind::Real, Field::Double(number)) => number.to_string(),
                    (Kind::Time, Field::TimestampMicros(at_us)) => crate::http::rfc3339(*at_us),
                    (Kind::List, Field::ListInternal(list)) => {
                        let items = list.elements().iter().map(|item| {
                            let Field::Str(text) = item else {
                                panic!("{item:?} in a list")
                            };
                            text.clone()
                        });
                        serde_json::Value::from_iter(items).to_string()
                    }
                    other => panic!("{other:?} in {name}"),
                };
                assert_eq!(&written, flat, "{name}");
            }
        }
    }
}

#[test]
fn an_empty_study_is_a_parquet_file_without_rows() {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    let file = Sheet::new(Table::Codings).finish();
    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}
