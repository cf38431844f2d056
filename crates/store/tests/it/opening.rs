//! Opening what cannot, or must not, be opened.

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use store::{ManualClock, Store, StoreConfig, StoreError};
use tempfile::TempDir;

use crate::bench::{Bench, START_US, config, database, nudge};

#[tokio::test]
async fn a_database_is_opened_once_at_a_time() {
    let bench = Bench::new().await;
    let refused = Store::open(config(&bench.folder, &bench.clock))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .contains("already in use by another Colloquy process"),
        "{refused}"
    );
    bench.store.close().await.unwrap();
    Store::open(config(&bench.folder, &bench.clock))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let bench = Bench::new().await;
    bench.store.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(database(&bench.folder));
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'of the future', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let refused = Store::open(config(&bench.folder, &bench.clock))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerDatabase { found: 999, .. }),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("Start that release"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "in the way").unwrap();
    let open = |database: &std::path::Path, recordings: &std::path::Path| {
        Store::open(StoreConfig::new(database.to_owned(), recordings.to_owned()))
    };
    let fine = folder.path().join("fine");
    for refused in [
        open(&file.join("colloquy.db"), &fine).await,
        open(&fine.join("colloquy.db"), &file.join("r")).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, StoreError::NotWritable { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("a-file"), "{refused}");
    }
    // A folder where the database file should be.
    std::fs::create_dir(fine.join("taken.db")).unwrap();
    let refused = open(&fine.join("taken.db"), &fine).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NotWritable { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_overwritten() {
    let folder = TempDir::new().unwrap();
    let words = "these are somebody's notes and not a database. ".repeat(100);
    std::fs::write(database(&folder), &words).unwrap();
    let refused = Store::open(config(&folder, &ManualClock::at(START_US)))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(database(&folder)).unwrap(), words);
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_closes_twice() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    bench.store.ping().await.unwrap();
    bench.store.close().await.unwrap();
    bench.store.close().await.unwrap();
    let refused = bench
        .store
        .append(&id, epoch, vec![nudge()])
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    assert!(bench.store.ping().await.is_err());
}

#[tokio::test]
async fn what_was_queued_before_closing_is_written() {
    let bench = Bench::with(|config| config.gather = std::time::Duration::from_millis(300)).await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let (appended, closed) = tokio::join!(
        bench.store.append(&id, epoch, vec![nudge()]),
        bench.store.close()
    );
    assert_eq!(appended, Ok(2));
    closed.unwrap();
}
