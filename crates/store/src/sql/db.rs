//! Two databases behind one way of asking: statements are written once, and twice where the dialects differ.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Postgres, Sqlite};

use crate::error::StoreError;

/// Longer than PostgreSQL itself lets a statement take (`postgres::STATEMENT_MAX`), so that its own word comes first.
const STATEMENT_WAIT: Duration = Duration::from_secs(25);

/// A connection.
#[derive(Debug)]
pub(crate) enum Db {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Connections for reading.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A row that was read.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A statement. Parameters are `$1`, `$2`, in both dialects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

/// A statement that each dialect says in its own way.
pub(super) const fn each(sqlite: &'static str, postgres: &'static str) -> Sql {
    Sql { sqlite, postgres }
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Sql {
        each(both, both)
    }
}

/// What is bound to a parameter: integers, text and bytes are all there is.
pub(super) enum Value<'q> {
    Int(Option<i64>),
    Text(Option<Cow<'q, str>>),
    Bytes(Cow<'q, [u8]>),
}

/// Where a statement is carried out.
pub(super) enum On<'c> {
    Sqlite(&'c mut SqliteConnection),
    SqlitePool(&'c SqlitePool),
    Postgres(&'c mut PgConnection),
    PostgresPool(&'c PgPool),
}

/// A statement with what is bound to it.
pub(super) struct Query<'q> {
    sql: Sql,
    values: Vec<Value<'q>>,
}

/// A statement, nothing bound to it yet.
pub(super) fn query<'q>(sql: impl Into<Sql>) -> Query<'q> {
    Query {
        sql: sql.into(),
        values: Vec::new(),
    }
}

impl<'q> Query<'q> {
    /// Binds the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Query<'q> {
        self.values.push(value.into());
        self
    }

    /// Carries it out; gives back how many rows it touched.
    pub(super) async fn execute<'c>(self, on: impl Into<On<'c>>) -> Result<u64, StoreError> {
        Ok(match on.into() {
            On::Sqlite(db) => self.for_sqlite().execute(db).await?.rows_affected(),
            On::SqlitePool(pool) => self.for_sqlite().execute(pool).await?.rows_affected(),
            On::Postgres(db) => within(self.for_postgres().execute(db))
                .await?
                .rows_affected(),
            On::PostgresPool(pool) => self.for_postgres().execute(pool).await?.rows_affected(),
        })
    }

    /// All rows.
    pub(super) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<Row>, StoreError> {
        let sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(Row::Sqlite).collect();
        let postgres = |rows: Vec<PgRow>| rows.into_iter().map(Row::Postgres).collect();
        Ok(match on.into() {
            On::Sqlite(db) => sqlite(self.for_sqlite().fetch_all(db).await?),
            On::SqlitePool(pool) => sqlite(self.for_sqlite().fetch_all(pool).await?),
            On::Postgres(db) => postgres(within(self.for_postgres().fetch_all(db)).await?),
            On::PostgresPool(pool) => postgres(self.for_postgres().fetch_all(pool).await?),
        })
    }

    /// The row, if there is one.
    pub(super) async fn fetch_optional<'c>(
        self,
        on: impl Into<On<'c>>,
    ) -> Result<Option<Row>, StoreError> {
        let (sqlite, postgres) = (Row::Sqlite, Row::Postgres);
        Ok(match on.into() {
            On::Sqlite(db) => self.for_sqlite().fetch_optional(db).await?.map(sqlite),
            On::SqlitePool(pool) => self.for_sqlite().fetch_optional(pool).await?.map(sqlite),
            On::Postgres(db) => within(self.for_postgres().fetch_optional(db))
                .await?
                .map(postgres),
            On::PostgresPool(pool) => self
                .for_postgres()
                .fetch_optional(pool)
                .await?
                .map(postgres),
        })
    }

    /// The row of a statement that always has one.
    pub(super) async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> Result<Row, StoreError> {
        let row = self.fetch_optional(on).await?;
        row.ok_or_else(|| StoreError::corrupt("a statement that always has a row had none"))
    }

    fn for_sqlite(self) -> sqlx::query::Query<'q, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(self.sql.sqlite);
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value.map(Cow::into_owned)),
                Value::Bytes(value) => query.bind(value.into_owned()),
            };
        }
        query
    }

    fn for_postgres(self) -> sqlx::query::Query<'q, Postgres, PgArguments> {
        let mut query = sqlx::query(self.sql.postgres);
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value.map(Cow::into_owned)),
                Value::Bytes(value) => query.bind(value.into_owned()),
            };
        }
        query
    }
}

/// A connection whose way is gone says nothing for a quarter of an hour; the writer has others to write.
async fn within<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_WAIT, statement)
        .await
        .unwrap_or_else(|_late| {
            let late = std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the database did not answer in time",
            );
            Err(sqlx::Error::Io(late))
        })
}

impl Db {
    /// Carries out statements without parameters, which may be several.
    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Db::Sqlite(db) => sqlx::raw_sql(sql).execute(db).await.map(|_| ()),
            Db::Postgres(db) => within(sqlx::raw_sql(sql).execute(db)).await.map(|_| ()),
        }
    }
}

impl<'c> From<&'c mut Db> for On<'c> {
    fn from(db: &'c mut Db) -> On<'c> {
        match db {
            Db::Sqlite(db) => On::Sqlite(db),
            Db::Postgres(db) => On::Postgres(db),
        }
    }
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(pool: &'c Pool) -> On<'c> {
        match pool {
            Pool::Sqlite(pool) => On::SqlitePool(pool),
            Pool::Postgres(pool) => On::PostgresPool(pool),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Value::Int(value)
    }
}

impl From<Option<u32>> for Value<'_> {
    fn from(value: Option<u32>) -> Self {
        Value::Int(value.map(i64::from))
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(value: &'q str) -> Self {
        Value::Text(Some(Cow::Borrowed(value)))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Value::Text(Some(Cow::Owned(value)))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(value: &'q String) -> Self {
        Value::from(value.as_str())
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(value: Option<&'q str>) -> Self {
        Value::Text(value.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(value: Option<String>) -> Self {
        Value::Text(value.map(Cow::Owned))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(value: &'q Option<String>) -> Self {
        Value::from(value.as_deref())
    }
}

impl<'q> From<&'q [u8]> for Value<'q> {
    fn from(value: &'q [u8]) -> Self {
        Value::Bytes(Cow::Borrowed(value))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Value::Bytes(Cow::Owned(value))
    }
}
