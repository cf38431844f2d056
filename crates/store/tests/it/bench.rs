//! A store in a temporary folder, and short names for what tests put into it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::cost::{Charge, Component, MicroUsd};
use engine::ids::{SessionId, TurnNo};
use engine::journal::{Entry, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::Speaker;
use serde_json::json;
use store::{
    Clock, Lane, Lease, Length, ManualClock, NEVER_DUE, NewJob, NewSession, NewStudy, Store,
    StoreConfig, Take,
};
use tempfile::TempDir;

/// When tests begin: 2026-11-23 00:00:00 UTC.
pub(crate) const START_US: i64 = 1_795_392_000_000_000;

/// How long leases last.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A store, its folder and its clock.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) folder: TempDir,
    pub(crate) place: PathBuf,
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        Bench::with(|_| {}).await
    }

    /// With other bounds than the default ones.
    pub(crate) async fn with(change: impl FnOnce(&mut StoreConfig)) -> Bench {
        let folder = TempDir::new().unwrap();
        let clock = ManualClock::at(START_US);
        let place = crate::place(folder.path()).await;
        let mut config = config(&folder, &place, &clock);
        change(&mut config);
        let store = Store::open(config).await.unwrap();
        store.put_study(study("title: Tools")).await.unwrap();
        Bench {
            store,
            clock,
            folder,
            place,
        }
    }

    /// Closes the store and opens what it left.
    pub(crate) async fn reopen(self) -> Bench {
        self.store.close().await.unwrap();
        let store = Store::open(self.config()).await.unwrap();
        Bench { store, ..self }
    }

    /// How this store was opened, but for bounds that were changed.
    pub(crate) fn config(&self) -> StoreConfig {
        config(&self.folder, &self.place, &self.clock)
    }

    /// A session of that number.
    pub(crate) async fn session(&self, number: u8) -> SessionId {
        let id = SessionId::from(format!("S{number:03}"));
        self.store
            .create_sessions(vec![new_session(number)])
            .await
            .unwrap();
        id
    }

    /// A session that is over.
    pub(crate) async fn finished(&self, number: u8) -> SessionId {
        let id = self.session(number).await;
        let epoch = self.store.claim_session(&id, "n").await.unwrap();
        let entries = vec![begin(), ended()];
        self.store
            .finish_session(&id, epoch, entries, vec![])
            .await
            .unwrap();
        id
    }

    /// Takes up to `count` jobs, one by one, newest first.
    pub(crate) async fn claim(&self, lane: Lane, count: usize) -> Vec<Lease> {
        let mut leases = Vec::new();
        for _ in 0..count {
            leases.extend(self.store.claim(lane, &Take::one(LEASE)).await.unwrap());
        }
        leases
    }

    /// The kinds of a session's journal, in order; and that its numbers have no gap.
    pub(crate) async fn kinds(&self, id: &SessionId) -> Vec<String> {
        let journal = self.store.journal(id).await.unwrap();
        let numbers: Vec<u64> = journal.iter().map(|row| row.seq).collect();
        assert_eq!(
            numbers,
            (1..=journal.len() as u64).collect::<Vec<_>>(),
            "dense"
        );
        journal.into_iter().map(|row| row.kind).collect()
    }
}

pub(crate) fn config(folder: &TempDir, place: &Path, clock: &ManualClock) -> StoreConfig {
    let mut config = StoreConfig::new(place, folder.path().join("recordings"));
    config.clock = Clock::Manual(clock.clone());
    config.gather = Duration::from_millis(1);
    config
}

pub(crate) fn study(source: &str) -> NewStudy {
    NewStudy {
        study_id: "tools".into(),
        title: "Tools".to_owned(),
        source: source.to_owned(),
    }
}

pub(crate) fn new_session(number: u8) -> NewSession {
    NewSession {
        session_id: format!("S{number:03}").into(),
        study_id: "tools".into(),
        study_version: 1,
        link_hash: [number; 32],
        language: "en".to_owned(),
        length: Length::Full,
        external_id: None,
        expires_at_us: None,
    }
}

pub(crate) fn nudge() -> Entry {
    Entry::Nudged {
        phase: "warmup".into(),
    }
}

pub(crate) fn begin() -> Entry {
    Entry::PhaseEntered {
        phase: "warmup".into(),
        cause: MoveCause::Start,
        timeline_ms: 0,
    }
}

pub(crate) fn ended() -> Entry {
    Entry::Ended {
        outcome: Outcome::Complete,
        timeline_ms: 61_000,
    }
}

pub(crate) fn turn(number: u32, start_ms: u64, text: &str) -> Entry {
    Entry::Turn(Turn {
        turn: TurnNo(number),
        speaker: Speaker::Participant,
        item: format!("item_{number}").into(),
        phase: "warmup".into(),
        start_ms,
        end_ms: start_ms + 1_000,
        text: text.to_owned(),
        unheard: String::new(),
        ending: TurnEnding::Complete,
    })
}

pub(crate) fn charge(component: Component, quantity: u64, micro_usd: i64) -> Charge {
    Charge {
        component,
        quantity,
        cost: MicroUsd(micro_usd),
    }
}

pub(crate) fn job(id: &SessionId, key: &str, rank: i64) -> NewJob {
    NewJob {
        lane: Lane::Enrichment,
        kind: "code_segments".to_owned(),
        session_id: id.clone(),
        key: key.to_owned(),
        rank,
        due_us: NEVER_DUE,
        body: json!({"from": 1, "to": 10}),
    }
}
