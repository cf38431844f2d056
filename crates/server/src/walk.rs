//! The sessions of a study, newest first, a page at a time.

use std::collections::VecDeque;

use engine::ids::{SessionId, StudyId};
use store::{SessionFilter, SessionRow, Store, StoreError};

/// Sessions that are looked up together.
const PAGE: u32 = 100;

/// Walks over them without holding more than a page.
pub struct Walk {
    store: Store,
    filter: SessionFilter,
    page: VecDeque<SessionRow>,
    more: bool,
}

impl Walk {
    /// From the newest on.
    #[must_use]
    pub fn over(store: Store, study_id: StudyId) -> Walk {
        Walk {
            store,
            filter: SessionFilter {
                study_id: Some(study_id),
                limit: PAGE,
                ..SessionFilter::default()
            },
            page: VecDeque::new(),
            more: true,
        }
    }

    /// Goes on behind that one.
    #[must_use]
    pub fn behind(mut self, before: Option<SessionId>) -> Walk {
        self.filter.before = before;
        self
    }

    /// The next one; none after the last.
    ///
    /// # Errors
    /// As for any read of the store.
    pub async fn next(&mut self) -> Result<Option<SessionRow>, StoreError> {
        if self.page.is_empty() && self.more {
            let rows = self.store.sessions(self.filter.clone()).await?;
            self.more = rows.len() >= PAGE as usize;
            self.filter.before = rows.last().map(|row| row.session_id.clone());
            self.page = rows.into();
        }
        Ok(self.page.pop_front())
    }
}
