//! Columns to values and back, with one complaint for all that does not fit.

use serde_json::Value;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};

use super::db::Row;
use crate::error::StoreError;

/// A column of a row.
pub(super) fn col<'r, T: Column<'r>>(row: &'r Row, name: &str) -> Result<T, StoreError> {
    let value = match row {
        Row::Sqlite(row) => row.try_get(name),
        Row::Postgres(row) => row.try_get(name),
    };
    value.map_err(|error| StoreError::corrupt(format!("column {name}: {error}")))
}

/// The first column of a row: that of a statement which asks for one thing.
pub(super) fn first<'r, T: Column<'r>>(row: &'r Row) -> Result<T, StoreError> {
    let value = match row {
        Row::Sqlite(row) => row.try_get(0),
        Row::Postgres(row) => row.try_get(0),
    };
    value.map_err(|error| StoreError::corrupt(format!("the first column: {error}")))
}

/// What a column of either database can hold.
pub(super) trait Column<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Column<'r> for T where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

/// A column that holds a count or a time and is never negative.
pub(super) fn natural<N: TryFrom<i64>>(row: &Row, name: &str) -> Result<N, StoreError> {
    let value: i64 = col(row, name)?;
    N::try_from(value).map_err(|_| StoreError::corrupt(format!("column {name} holds {value}")))
}

/// As [`natural`], or nothing.
pub(super) fn natural_or_none<N: TryFrom<i64>>(
    row: &Row,
    name: &str,
) -> Result<Option<N>, StoreError> {
    let value: Option<i64> = col(row, name)?;
    value
        .map(|value| {
            N::try_from(value)
                .map_err(|_| StoreError::corrupt(format!("column {name} holds {value}")))
        })
        .transpose()
}

/// A column that holds one of our names.
pub(super) fn named<T>(
    row: &Row,
    name: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text: &str = col(row, name)?;
    parse(text).ok_or_else(|| {
        StoreError::corrupt(format!("column {name} holds the unknown name {text:?}"))
    })
}

/// A body.
pub(super) fn body(row: &Row) -> Result<Value, StoreError> {
    let bytes: &[u8] = col(row, "body")?;
    from_bytes(bytes)
}

/// What a body's bytes say. The error names the place, never the words.
pub(super) fn from_bytes<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| {
        StoreError::corrupt(format!(
            "a body is not the JSON that it should be ({:?})",
            error.classify()
        ))
    })
}

/// A body's bytes.
pub(super) fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A count or a time as both databases hold it. Nothing here comes near 2^63; what does is held there.
pub(super) fn int<N: TryInto<i64>>(value: N) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}
