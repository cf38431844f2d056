//! Audio, and what is made of it.

use std::ops::Range;

use bytes::Bytes;
use engine::ids::SessionId;

use super::Store;
use crate::error::StoreError;
use crate::objects::chunk_name;
use crate::op::IndexChunk;
use crate::results::RecordingRow;
use crate::rows::{ChunkRow, NewChunk};

impl Store {
    /// Keeps a piece of a recording: the object first, its row in the index after. The audio is safe as soon as the object
    /// is; an error of the row alone (`Busy`, `Full` of the database) loses nothing, and the call can be repeated: the
    /// same number with the same bytes is a success.
    ///
    /// # Errors
    /// `Full` if the recordings or the database have no room, `Conflict` if the number is kept with other bytes,
    /// `NotFound` if there is no such session; else as for any write.
    pub async fn put_chunk(&self, id: &SessionId, chunk: NewChunk) -> Result<(), StoreError> {
        let NewChunk {
            no,
            start_ms,
            end_ms,
            bytes,
        } = chunk;
        let length = bytes.len() as u64;
        self.shared
            .objects
            .create(&chunk_name(id, no), bytes)
            .await?;
        self.write(IndexChunk {
            session_id: id.clone(),
            no,
            start_ms,
            end_ms,
            bytes: length,
        })
        .await
    }

    /// The pieces that are indexed, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn chunks(&self, id: &SessionId) -> Result<Vec<ChunkRow>, StoreError> {
        self.shared.reader.chunks(id).await
    }

    /// Numbers of the pieces that are really there, in order. After a crash there may be one more than in the index:
    /// a recording is finished from these.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn chunk_numbers(&self, id: &SessionId) -> Result<Vec<u32>, StoreError> {
        self.shared.objects.chunk_numbers(id).await
    }

    /// A piece of a recording.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn read_chunk(&self, id: &SessionId, no: u32) -> Result<Bytes, StoreError> {
        Ok(self.shared.objects.get(&chunk_name(id, no), None).await?.0)
    }

    /// Keeps an object, replacing an older one of that name. A name is a relative path such as
    /// `sessions/ID/recording.ogg`.
    ///
    /// # Errors
    /// `Full`, `Unavailable`; `Conflict` if the name is none.
    pub async fn put_object(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.shared.objects.put(name, bytes).await
    }

    /// An object or a part of it, and its whole length. A part beyond the end is cut there: empty if all of it is beyond.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`; `Conflict` if the name is none.
    pub async fn get_object(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<(Bytes, u64), StoreError> {
        self.shared.objects.get(name, range).await
    }

    /// The finished recording of a session.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn recording(&self, id: &SessionId) -> Result<Option<RecordingRow>, StoreError> {
        self.shared.reader.recording(id).await
    }
}
