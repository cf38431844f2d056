//! A session's journal, read back; also a damaged one.

use engine::ids::{SessionId, TurnNo};
use engine::journal::Entry;

use super::Store;
use crate::body;
use crate::error::StoreError;
use crate::op::SetAside;
use crate::rows::{JournalRow, Kept};

impl Store {
    /// The journal of a session.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn journal(&self, id: &SessionId) -> Result<Vec<JournalRow>, StoreError> {
        self.shared.reader.journal(id).await
    }

    /// The engine's part of a session's journal, read back.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt` if an entry does not have its shape.
    pub async fn entries(&self, id: &SessionId) -> Result<Vec<Entry>, StoreError> {
        match self.read_back(id).await? {
            ReadBack::Whole(kept) => Ok(kept.entries),
            ReadBack::Damaged(damage) => Err(damage.error(id)),
        }
    }

    /// As [`Store::entries`], for whoever goes on with a session that nobody runs. If only the last entry is damaged (a
    /// write that was torn), it is set aside: its bytes are kept apart, and the journal says in its place, under its number,
    /// that it was. Damage before the last entry stays as it is: what was written after it may hang on it.
    ///
    /// # Errors
    /// `Corrupt` if an entry before the last does not have its shape; else as for any write.
    pub async fn entries_to_go_on_from(&self, id: &SessionId) -> Result<Kept, StoreError> {
        let damage = match self.read_back(id).await? {
            ReadBack::Whole(kept) => return Ok(kept),
            ReadBack::Damaged(damage) => damage,
        };
        if !damage.is_last {
            return Err(damage.error(id));
        }
        let set_aside = SetAside {
            session_id: id.clone(),
            seq: damage.seq,
            kind: damage.kind.clone(),
            at_us: self.now_us(),
        };
        if !self.write(set_aside).await? {
            return Err(damage.error(id));
        }
        tracing::error!(
            session.id = %id,
            seq = damage.seq,
            kind = damage.kind,
            why = damage.why,
            "the last entry of a journal is damaged and was set aside; its bytes are in the table damaged_entry, and the \
             interview goes on from what is before it"
        );
        match self.read_back(id).await? {
            ReadBack::Whole(kept) => Ok(Kept {
                set_aside_now: true,
                ..kept
            }),
            ReadBack::Damaged(damage) => Err(damage.error(id)),
        }
    }

    /// The highest number that a turn of this session has, also if its entry was set aside.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn last_turn(&self, id: &SessionId) -> Result<Option<TurnNo>, StoreError> {
        self.shared.reader.last_turn(id).await
    }

    async fn read_back(&self, id: &SessionId) -> Result<ReadBack, StoreError> {
        let rows = self.shared.reader.raw_journal(id).await?;
        let last = rows.last().map(|row| row.seq);
        let mut kept = Kept::default();
        for row in rows {
            if row.kind == body::SET_ASIDE {
                kept.set_aside += 1;
            }
            match body::read::raw(&row.kind, &row.body) {
                Ok(entry) => kept.entries.extend(entry),
                Err(why) => {
                    return Ok(ReadBack::Damaged(Damage {
                        seq: row.seq,
                        is_last: last == Some(row.seq),
                        kind: row.kind,
                        why,
                    }));
                }
            }
        }
        Ok(ReadBack::Whole(kept))
    }
}

enum ReadBack {
    Whole(Kept),
    Damaged(Damage),
}

/// The first entry that cannot be read.
struct Damage {
    seq: u64,
    is_last: bool,
    kind: String,
    why: String,
}

impl Damage {
    fn error(&self, id: &SessionId) -> StoreError {
        StoreError::corrupt(format!("entry {} of session {id}: {}", self.seq, self.why))
    }
}
