//! A table as Apache Parquet: typed columns, null where nothing is known, texts as they are (no spreadsheet runs them).

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::Interview;
use super::table::{Cell, Kind, Table};
use crate::http::rfc3339;

/// Version of the columns and their meanings, in the file's metadata.
const SCHEMA_VERSION: &str = "1";
/// Rows that are written together: what is held besides the file.
const ROWS_AT_ONCE: usize = 20_000;
const INTO_MEMORY: &str = "columns of their schema's types can be written into memory";

/// A file in the making. What is held is the compressed file and the rows of one group.
pub struct Sheet {
    table: Table,
    writer: SerializedFileWriter<Vec<u8>>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// Without any interview.
    ///
    /// # Panics
    /// Never: the columns of every table make a schema (a test makes each).
    #[must_use]
    pub fn new(table: Table) -> Sheet {
        let schema = parse_message_type(&schema(table)).expect("the columns make a schema");
        let note =
            |key: &str, value: &str| KeyValue::new(format!("colloquy.{key}"), value.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("Colloquy {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(vec![
                note("table", table.name()),
                note("schema_version", SCHEMA_VERSION),
            ]))
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
            .expect(INTO_MEMORY);
        Sheet {
            table,
            writer,
            rows: Vec::new(),
        }
    }

    /// Adds one.
    pub fn add(&mut self, interview: &Interview) {
        self.rows.extend(self.table.rows(interview));
        if self.rows.len() >= ROWS_AT_ONCE {
            self.flush();
        }
    }

    /// The file.
    ///
    /// # Panics
    /// Never: writing into memory cannot fail.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.writer.into_inner().expect(INTO_MEMORY)
    }

    fn flush(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return;
        }
        let mut group = self.writer.next_row_group().expect(INTO_MEMORY);
        for (index, (_, kind, _)) in self.table.columns().iter().enumerate() {
            let cells = rows
                .iter()
                .map(|row| row.get(index).unwrap_or(&Cell::Empty));
            let column = group.next_column().expect(INTO_MEMORY);
            let column = column.expect("the schema has every column of the table");
            write(column, *kind, cells);
        }
        group.close().expect(INTO_MEMORY);
    }
}

/// In the format's own language. Every column may be empty, so that a later release can leave one out.
fn schema(table: Table) -> String {
    let columns = table.columns().iter().map(|(name, kind, _)| match kind {
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
        Kind::Int => format!("OPTIONAL INT64 {name};"),
        Kind::Real => format!("OPTIONAL DOUBLE {name};"),
        Kind::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::List => format!(
            "OPTIONAL GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED BYTE_ARRAY element (STRING); }} }}"
        ),
    });
    format!(
        "message {} {{ {} }}",
        table.name(),
        columns.collect::<String>()
    )
}

fn write<'a>(
    mut column: SerializedColumnWriter<'_>,
    kind: Kind,
    cells: impl Iterator<Item = &'a Cell>,
) {
    match kind {
        Kind::Text => {
            let (values, known) = some(cells, |cell| {
                text(cell).map(|text| ByteArray::from(text.as_str()))
            });
            let column = column.typed::<ByteArrayType>();
            column
                .write_batch(&values, Some(&known), None)
                .expect(INTO_MEMORY);
        }
        Kind::Int | Kind::Time => {
            let (values, known) = some(cells, |cell| match cell {
                Cell::Int(number) | Cell::Time(number) => Some(*number),
                Cell::Text(_) | Cell::List(_) | Cell::Own(_) | Cell::Real(_) | Cell::Empty => None,
            });
            let column = column.typed::<Int64Type>();
            column
                .write_batch(&values, Some(&known), None)
                .expect(INTO_MEMORY);
        }
        Kind::Real => {
            let (values, known) = some(cells, |cell| match cell {
                Cell::Real(number) => Some(*number),
                Cell::Text(_)
                | Cell::List(_)
                | Cell::Own(_)
                | Cell::Int(_)
                | Cell::Time(_)
                | Cell::Empty => None,
            });
            let column = column.typed::<DoubleType>();
            column
                .write_batch(&values, Some(&known), None)
                .expect(INTO_MEMORY);
        }
        Kind::List => {
            let (values, known, places) = lists(cells);
            let column = column.typed::<ByteArrayType>();
            column
                .write_batch(&values, Some(&known), Some(&places))
                .expect(INTO_MEMORY);
        }
    }
    column.close().expect(INTO_MEMORY);
}

/// The values that are there, and for each cell whether it is (definition levels 0 and 1).
fn some<'a, V>(
    cells: impl Iterator<Item = &'a Cell>,
    value: impl Fn(&Cell) -> Option<V>,
) -> (Vec<V>, Vec<i16>) {
    let (mut values, mut known) = (Vec::new(), Vec::new());
    for cell in cells {
        let value = value(cell);
        known.push(i16::from(value.is_some()));
        values.extend(value);
    }
    (values, known)
}

/// Elements of all lists; their definition levels (0 no list, 1 an empty one, 2 an element) and repetition levels (0 begins a
/// cell, 1 goes on with it).
fn lists<'a>(cells: impl Iterator<Item = &'a Cell>) -> (Vec<ByteArray>, Vec<i16>, Vec<i16>) {
    let (mut values, mut known, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        let Cell::List(items) = cell else {
            known.push(0);
            places.push(0);
            continue;
        };
        if items.is_empty() {
            known.push(1);
            places.push(0);
        }
        for (index, item) in items.iter().enumerate() {
            values.push(ByteArray::from(item.as_str()));
            known.push(2);
            places.push(i16::from(index > 0));
        }
    }
    (values, known, places)
}

fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(text) | Cell::Own(text) => Some(text.clone()),
        Cell::Int(number) => Some(number.to_string()),
        Cell::Real(number) => Some(number.to_string()),
        Cell::Time(at_us) => Some(rfc3339(*at_us)),
        Cell::List(_) | Cell::Empty => None,
    }
}
