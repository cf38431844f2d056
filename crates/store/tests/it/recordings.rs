//! Chunks and objects.

use bytes::Bytes;
use store::{NewChunk, StoreError};

use crate::bench::Bench;

fn chunk(no: u32, bytes: &'static [u8]) -> NewChunk {
    let start_ms = u64::from(no) * 2_000;
    NewChunk {
        no,
        start_ms,
        end_ms: start_ms + 2_000,
        bytes: Bytes::from_static(bytes),
    }
}

#[tokio::test]
async fn chunks_come_back_in_order_and_the_same_one_twice_is_one() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    for no in [0, 2, 1, 10, 2] {
        bench
            .store
            .put_chunk(&id, chunk(no, b"OggS"))
            .await
            .unwrap();
    }
    let bench = bench.reopen().await;
    let rows = bench.store.chunks(&id).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| row.no).collect::<Vec<_>>(),
        [0, 1, 2, 10]
    );
    assert_eq!(
        (rows[3].start_ms, rows[3].end_ms, rows[3].bytes),
        (20_000, 22_000, 4)
    );
    assert_eq!(bench.store.chunk_numbers(&id).await.unwrap(), [0, 1, 2, 10]);
    assert_eq!(bench.store.read_chunk(&id, 10).await.unwrap(), "OggS");
}

#[tokio::test]
async fn a_chunk_is_never_overwritten_with_other_bytes() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench
        .store
        .put_chunk(&id, chunk(1, b"first"))
        .await
        .unwrap();
    let refused = bench
        .store
        .put_chunk(&id, chunk(1, b"other"))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    assert_eq!(bench.store.read_chunk(&id, 1).await.unwrap(), "first");
}

#[tokio::test]
async fn audio_is_safe_though_the_index_cannot_be_written() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    bench.store.close().await.unwrap();
    // The object is put first, so a writer that is gone, busy or out of room costs the row, not the audio.
    assert!(
        bench
            .store
            .put_chunk(&id, chunk(1, b"words"))
            .await
            .is_err()
    );
    assert_eq!(bench.store.read_chunk(&id, 1).await.unwrap(), "words");
    assert_eq!(bench.store.chunk_numbers(&id).await.unwrap(), [1]);

    let bench = bench.reopen().await;
    assert_eq!(bench.store.chunks(&id).await.unwrap(), []);
    bench
        .store
        .put_chunk(&id, chunk(1, b"words"))
        .await
        .unwrap();
    assert_eq!(bench.store.chunks(&id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_without_audio_has_no_chunks() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    assert!(bench.store.chunk_numbers(&id).await.unwrap().is_empty());
    assert!(matches!(
        bench.store.read_chunk(&id, 1).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(bench.store.recording(&id).await.unwrap(), None);
}

#[tokio::test]
async fn a_part_of_an_object_is_read_with_the_length_of_the_whole() {
    let bench = Bench::new().await;
    let name = "sessions/S001/recording.ogg";
    bench
        .store
        .put_object(name, Bytes::from_static(b"old"))
        .await
        .unwrap();
    bench
        .store
        .put_object(name, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    let read = |range| bench.store.get_object(name, range);
    assert_eq!(
        read(None).await.unwrap(),
        (Bytes::from_static(b"0123456789"), 10)
    );
    assert_eq!(
        read(Some(2..5)).await.unwrap(),
        (Bytes::from_static(b"234"), 10)
    );
    assert_eq!(
        read(Some(8..99)).await.unwrap(),
        (Bytes::from_static(b"89"), 10)
    );
    assert_eq!(read(Some(10..99)).await.unwrap(), (Bytes::new(), 10));
    let outside = bench
        .store
        .get_object("../colloquy.db", None)
        .await
        .unwrap_err();
    assert!(matches!(outside, StoreError::Conflict { .. }), "{outside}");
}
