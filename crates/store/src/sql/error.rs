//! What the databases' codes mean for a caller. <https://www.sqlite.org/rescode.html>,
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use sqlx::error::ErrorKind;
use sqlx::postgres::PgDatabaseError;

use crate::error::StoreError;

/// `SQLITE_FULL`: the disk, or `max_page_count`.
const FULL: i32 = 13;
/// `SQLITE_IOERR_SHMSIZE`: no room to grow the shared-memory index of the WAL.
const SHM_SIZE: i32 = 4_874;
/// `SQLITE_BUSY` and `SQLITE_LOCKED`: another program holds the database for longer than `busy_timeout`.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

/// The low byte of an extended result code is its primary code.
const PRIMARY: i32 = 0xff;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        if let sqlx::Error::Database(database) = &error {
            if let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() {
                return from_state(postgres.code(), &database.kind(), postgres.message());
            }
            let code = database
                .code()
                .and_then(|code| code.parse::<i32>().ok())
                .unwrap_or(0);
            return from_code(code, &database.kind(), database.message());
        }
        if crate::objects::is_full(&error) {
            return full();
        }
        StoreError::unavailable(error.to_string())
    }
}

fn from_code(code: i32, kind: &ErrorKind, message: &str) -> StoreError {
    if code == SHM_SIZE {
        return full();
    }
    match code & PRIMARY {
        FULL => full(),
        BUSY | LOCKED => StoreError::unavailable(
            "another program (a backup, say) has kept the database locked for more than 5 s",
        ),
        CORRUPT | NOT_A_DATABASE => {
            StoreError::corrupt(format!("SQLite says: {message} (code {code})"))
        }
        _ if !matches!(kind, ErrorKind::Other) => StoreError::Conflict {
            what: message.to_owned(),
        },
        _ => StoreError::unavailable(format!("SQLite says: {message} (code {code})")),
    }
}

/// By SQLSTATE. 53100 is `disk_full`; class XX an internal error, of which XX001 and XX002 are corrupted data and index; class
/// 22 is data that PostgreSQL cannot hold, of which only a NUL in a text can come from outside.
fn from_state(state: &str, kind: &ErrorKind, message: &str) -> StoreError {
    match state {
        "53100" => full(),
        "XX001" | "XX002" => StoreError::corrupt(format!("PostgreSQL says: {message} ({state})")),
        _ if !matches!(kind, ErrorKind::Other) || state.starts_with("22") => StoreError::Conflict {
            what: message.to_owned(),
        },
        _ => StoreError::unavailable(format!("PostgreSQL says: {message} ({state})")),
    }
}

fn full() -> StoreError {
    StoreError::Full {
        what: "the database".to_owned(),
        place: "the folder of the database".to_owned(),
    }
}

/// Whether the transaction may be gone as a whole. SQLite rolls all of it back by itself on some of these codes
/// (<https://www.sqlite.org/lang_transaction.html>, section 3); a refusal of ours leaves it standing.
pub(super) fn breaks_transaction(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Full { .. } | StoreError::Unavailable { .. } | StoreError::Corrupt { .. }
    )
}

/// Whether a ROLLBACK failed because SQLite had rolled back by itself. It has no code of its own for that.
pub(super) fn is_rolled_back(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.message().contains("no transaction is active"))
}
