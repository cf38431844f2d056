//! What every part of the server shares: one `App` behind an `Arc`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::cost::Prices;
use engine::ids::{SessionId, StudyId};
use providers::{PriceBook, Profile, Profiles};
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::session::Registry;
use crate::study::Study;
use crate::work::Gate;

/// Changes that may wait for a slow reader of the event stream; it then misses some and is told to read again.
pub const CHANGES_MAX: usize = 1_024;

/// A session changed; whoever watches reads it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub session_id: SessionId,
}

/// Whether this process takes new sessions.
#[derive(Debug, Default)]
pub struct Readiness(AtomicBool);

impl Readiness {
    /// Takes new sessions from now on, or no longer.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it does.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The shared parts of a running server.
pub struct App {
    /// What links begin with, without a slash at its end.
    pub public_url: String,
    /// Configuration, checked.
    pub config: Config,
    /// Everything durable.
    pub store: store::Store,
    /// Live sessions.
    pub registry: Registry,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// Provider profiles.
    pub profiles: Profiles,
    /// Prices.
    pub prices: PriceBook,
    /// How the machine does.
    pub machine: crate::vitals::Machine,
    /// What is wrong, and since when.
    pub raised: crate::vitals::Raised,
    /// The door to the chat endpoint.
    pub gate: Arc<Gate>,
    /// Checked studies by id and version.
    pub studies: Studies,
    /// Told when a session changes. Full: the slowest reader loses the oldest and reads anew.
    pub changes: broadcast::Sender<Change>,
    /// Time.
    pub clock: Clock,
    /// SHA-256 of the console token.
    pub console_token_hash: [u8; 32],
    /// When this process had taken over what the last one left, in microseconds UTC.
    pub began_at_us: i64,
    /// Cancelled when this server answers nobody any more: what would be answered for ever ends then.
    pub closing: CancellationToken,
    /// Off while starting and draining.
    pub readiness: Arc<Readiness>,
}

impl App {
    /// Brings numbers up to date that are counted elsewhere.
    pub fn measure(&self) {
        let set_back = self.store.stats().clock_set_back;
        self.metrics
            .clock_set_back
            .inner()
            .store(set_back, Ordering::Relaxed);
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.metrics
            .open_handles
            .set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Tells whoever watches that a session changed.
    pub fn changed(&self, session_id: &SessionId) {
        // Without a reader there is nobody to tell.
        drop(self.changes.send(Change {
            session_id: session_id.clone(),
        }));
    }

    /// The study of that version, from memory or the store. `None` if there is none.
    ///
    /// # Errors
    /// When the store fails, or holds a text that this version of Colloquy no longer accepts.
    pub async fn study(&self, id: &StudyId, version: u32) -> anyhow::Result<Option<Arc<Study>>> {
        if let Some(study) = self.studies.get(id, version).await {
            return Ok(Some(study));
        }
        let Some(row) = self.store.study(id, Some(version)).await? else {
            return Ok(None);
        };
        let study = crate::study::parse(&row.source).map_err(|mistakes| {
            let first = mistakes
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            anyhow::anyhow!("version {version} of study {id} is no longer accepted: {first}")
        })?;
        let study = Arc::new(study);
        self.studies.put(id, version, Arc::clone(&study)).await;
        Ok(Some(study))
    }

    /// The first of the study's profiles that exists, else the default, with the study's model in it.
    #[must_use]
    pub fn profile(&self, study: &Study) -> Option<Profile> {
        let wanted = study.providers.iter().find_map(|id| self.profiles.get(id));
        let mut profile = wanted
            .or_else(|| self.profiles.get(&self.config.provider.default_profile))?
            .clone();
        if let Some(model) = &study.model {
            profile.model.clone_from(model);
        }
        Some(profile)
    }

    /// Prices today of a profile's model and of the one that transcribes for it.
    ///
    /// # Errors
    /// When the price book does not know a model: a session whose cost nobody knows does not start.
    pub fn prices_of(&self, profile: &Profile) -> anyhow::Result<Prices> {
        Ok(self.prices.prices_for(profile, &today())?)
    }
}

/// Today in UTC, as `YYYY-MM-DD`.
#[must_use]
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// The most studies kept in memory; beyond, the cache starts anew.
const STUDIES_MAX: usize = 256;

/// Checked studies, so that a participant's request does not parse YAML.
#[derive(Default)]
pub struct Studies(Mutex<BTreeMap<(StudyId, u32), Arc<Study>>>);

impl Studies {
    async fn get(&self, id: &StudyId, version: u32) -> Option<Arc<Study>> {
        self.0.lock().await.get(&(id.clone(), version)).cloned()
    }

    async fn put(&self, id: &StudyId, version: u32, study: Arc<Study>) {
        let mut known = self.0.lock().await;
        if known.len() >= STUDIES_MAX {
            known.clear();
        }
        known.insert((id.clone(), version), study);
    }
}
