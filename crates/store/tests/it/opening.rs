//! Opening what cannot, or must not, be opened.

use std::path::{Path, PathBuf};

use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use store::{JobFilter, JobState, ManualClock, Store, StoreConfig, StoreError};
use tempfile::TempDir;

use crate::bench::{Bench, START_US, config, nudge};

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("colloquy.db")
}

#[tokio::test]
async fn a_database_is_opened_once_at_a_time() {
    let bench = Bench::new().await;
    let refused = Store::open(bench.config()).await.unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    assert!(
        refused
            .to_string()
            .contains("already in use by another Colloquy process"),
        "{refused}"
    );
    bench.store.close().await.unwrap();
    Store::open(bench.config()).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let bench = Bench::new().await;
    bench.store.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(&bench.place);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'of the future', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let refused = Store::open(bench.config()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerDatabase { found: 999, .. }),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("Start that release"),
        "{refused}"
    );
}

/// What the release before jobs per segment left: one interview whose recording was not finished, and one of three segments, of
/// which the first was coded and the others were in a call that was not made.
const OF_AN_OLDER_RELEASE: &str = "
    INSERT INTO study VALUES ('tools', 1, 'Tools', 'title: Tools', x'00', 1);
    INSERT INTO session (session_id, study_id, study_version, link_hash, language, length, created_at_us, state, finished_at_us)
    VALUES ('ended', 'tools', 1, zeroblob(32), 'en', 'full', 1, 'ended', 2),
           ('coding', 'tools', 1, randomblob(32), 'en', 'full', 1, 'ended', 2);
    INSERT INTO segment VALUES ('coding', 1, 2, 0, 1, 'warmup', 'en', CAST('{\"text\":\"a\"}' AS BLOB)),
                               ('coding', 2, 4, 2, 3, 'warmup', 'en', CAST('{\"text\":\"b\"}' AS BLOB)),
                               ('coding', 3, 6, 4, 5, 'warmup', 'en', CAST('{\"text\":\"c\"}' AS BLOB));
    INSERT INTO coding (session_id, segment_no, model, prompt_version, schema_version, sentiment, score_permille, created_at_us, body)
    VALUES ('coding', 1, 'm', 'p', 's', 'neutral', 0, 1, CAST('{\"topics\":[],\"quote\":null}' AS BLOB));
    INSERT INTO job (lane, kind, session_id, key, rank, state, not_before_us, created_at_us, body)
    VALUES ('recording', 'finish_recording', 'ended', '', 7, 0, 1, 1, CAST('{}' AS BLOB)),
           ('recording', 'finish_recording', 'coding', '', 8, 2, 1, 1, CAST('{}' AS BLOB)),
           ('enrichment', 'code', 'coding', '1/1', 8, 2, 1, 1, CAST('{}' AS BLOB)),
           ('enrichment', 'code', 'coding', '2,3/1', 8, 0, 1, 1, CAST('{}' AS BLOB));";

#[tokio::test]
async fn work_that_an_older_release_left_is_done_by_this_one() {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(database(&folder))
        .create_if_missing(true);
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut older = Migrator::new(path).await.unwrap();
    let before = older.migrations.iter().filter(|one| one.version <= 3);
    older.migrations = before.cloned().collect::<Vec<_>>().into();
    older.run(&mut db).await.unwrap();
    sqlx::raw_sql(OF_AN_OLDER_RELEASE)
        .execute(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();

    let store = Store::open(config(
        &folder,
        &database(&folder),
        &ManualClock::at(START_US),
    ))
    .await
    .unwrap();
    let filter = JobFilter {
        state: Some(JobState::Ready),
        ..JobFilter::default()
    };
    let mut waiting: Vec<(String, String, String, i64)> = store
        .jobs(filter)
        .await
        .unwrap()
        .into_iter()
        .map(|job| (job.session_id.to_string(), job.kind, job.key, job.rank))
        .collect();
    waiting.sort();
    let job = |session: &str, kind: &str, key: &str, rank| {
        (session.to_owned(), kind.to_owned(), key.to_owned(), rank)
    };
    assert_eq!(
        waiting,
        [
            job("coding", "code", "2", 8),
            job("coding", "code", "3", 8),
            job("ended", "cut_transcript", "", 7),
            job("ended", "finish_recording", "", 7),
        ]
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
    let refused = Store::open(config(
        &folder,
        &database(&folder),
        &ManualClock::at(START_US),
    ))
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
