//! Entries of a journal that cannot be read.

use engine::ids::{SessionId, TurnNo};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use store::{Database, StoreError};

use crate::bench::{Bench, begin, nudge, turn};

const PUT: &str = "UPDATE journal SET body = $3 WHERE session_id = $1 AND seq = $2";
const ASIDE: &str = "SELECT seq, kind, body FROM damaged_entry ORDER BY seq";

async fn put(bench: &Bench, id: &SessionId, seq: i64, body: &[u8]) {
    let changed = match bench.config().database {
        Database::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path);
            let mut db = options.connect().await.unwrap();
            let put = sqlx::query(PUT).bind(id.as_str()).bind(seq).bind(body);
            put.execute(&mut db).await.unwrap().rows_affected()
        }
        Database::Postgres(_) => {
            let mut db = postgres(bench).connect().await.unwrap();
            let put = sqlx::query(PUT).bind(id.as_str()).bind(seq).bind(body);
            put.execute(&mut db).await.unwrap().rows_affected()
        }
    };
    assert_eq!(changed, 1);
}

async fn aside(bench: &Bench) -> Vec<(i64, String, Vec<u8>)> {
    match bench.config().database {
        Database::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path);
            let mut db = options.connect().await.unwrap();
            sqlx::query_as(ASIDE).fetch_all(&mut db).await.unwrap()
        }
        Database::Postgres(_) => {
            let mut db = postgres(bench).connect().await.unwrap();
            sqlx::query_as(ASIDE).fetch_all(&mut db).await.unwrap()
        }
    }
}

fn postgres(bench: &Bench) -> PgConnectOptions {
    bench.place.to_str().unwrap().parse().unwrap()
}

/// A session with a phase, two turns and a nudge: entries 2 to 5.
async fn session(bench: &Bench) -> (SessionId, store::Epoch) {
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let entries = vec![begin(), turn(1, 0, "one"), turn(2, 2_000, "two"), nudge()];
    bench.store.append(&id, epoch, entries).await.unwrap();
    (id, epoch)
}

#[tokio::test]
async fn whatever_is_wrong_with_the_last_entry_its_bytes_are_kept_and_its_number_is_not_used_again()
{
    for damaged in [
        &b""[..],
        b"{\"v\":1,\"pha",
        b"\xff\xfe",
        b"{\"v\":1}",
        b"[]",
        b"null",
    ] {
        let bench = Bench::new().await;
        let (id, epoch) = session(&bench).await;
        put(&bench, &id, 5, damaged).await;
        let told = bench.store.entries(&id).await.unwrap_err().to_string();
        assert!(told.contains("entry 5") && told.contains("S001"), "{told}");
        let kept = bench.store.entries_to_go_on_from(&id).await.unwrap();
        assert_eq!((kept.entries.len(), kept.set_aside), (3, 1));
        assert!(kept.set_aside_now);
        assert_eq!(
            aside(&bench).await,
            [(5, "nudged".to_owned(), damaged.to_vec())]
        );
        let again = bench.store.entries_to_go_on_from(&id).await.unwrap();
        assert_eq!((again.entries.len(), again.set_aside_now), (3, false));
        assert_eq!(bench.store.append(&id, epoch, vec![nudge()]).await, Ok(6));
        assert_eq!(bench.kinds(&id).await[4..], ["set_aside", "nudged"]);
    }
}

#[tokio::test]
async fn damage_before_the_last_entry_is_left_as_it_is() {
    let bench = Bench::new().await;
    let (id, _) = session(&bench).await;
    put(&bench, &id, 4, b"{").await;
    for _ in 0..2 {
        let refused = bench.store.entries_to_go_on_from(&id).await;
        assert!(
            matches!(refused, Err(StoreError::Corrupt { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(aside(&bench).await, []);
    // The turn's own row is whole.
    assert_eq!(bench.store.last_turn(&id).await, Ok(Some(TurnNo(2))));
    assert_eq!(bench.store.turns(&id).await.unwrap()[1].text, "two");
}
