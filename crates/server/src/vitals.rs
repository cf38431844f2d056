//! The six numbers over rolling windows: whoever measures tells, a sampler looks at what only has a present.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::time::Mono;
use engine::vitals::Vitals;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Between two counts of the queue for scrapes.
const COUNT_EVERY_MS: u64 = 1_000;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// [`Vitals`] that all parts of the server tell.
pub struct Shared {
    clock: Clock,
    vitals: Mutex<Vitals>,
}

impl Shared {
    pub(crate) fn new() -> Shared {
        let clock = Clock::start();
        Shared {
            clock,
            vitals: Mutex::new(Vitals::new(clock.now())),
        }
    }

    /// Tells, or asks. Never across a wait.
    pub fn with<T>(&self, what: impl FnOnce(&mut Vitals, Mono) -> T) -> T {
        // Counts are whole between any two statements.
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut vitals, self.clock.now())
    }
}

/// Looks at what is there, until stopped.
pub async fn watch(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut used = Used::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        crate::work::measure(&app).await;
        let now = Used::now();
        let cpu = now.share_since(&used);
        used = now;
        app.metrics.cpu_share.set(cpu);
        let late = app.registry.lateness();
        app.machine.set(cpu, late.worst);
        let before = app.registry.strain();
        let strain = app.registry.strained(cpu, late.share);
        if strain != before {
            tracing::warn!(
                cpu,
                late = late.share,
                ?strain,
                "whether new interviews may begin has changed"
            );
        }
        look(&app);
    }
}

/// Brings numbers up to date for a scrape. However many scrape, the database is asked once a second.
pub(crate) async fn count(app: &App) {
    if app.machine.is_due(app.clock.now()) {
        crate::work::measure(app).await;
        look(app);
    }
    app.measure();
}

/// What there is now, and what follows from the last hour.
pub(crate) fn look(app: &App) {
    let metrics = &app.metrics;
    app.raised.now(metrics, app.store.now_us());
    let natural = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
    let sessions = natural(metrics.sessions_live.get());
    let queue = natural(metrics.enrichment_queue_segments.get());
    let (shares, cost, ratio) = metrics.vitals.with(|vitals, now| {
        vitals.looked(now, sessions, queue);
        (
            vitals.error_shares(now),
            vitals.mean_cost_micro_usd(now),
            vitals.reading(now, engine::vitals::Number::Cost).value,
        )
    });
    for provider in providers::Dialect::ALL.map(providers::Dialect::provider) {
        let share = shares.get(provider).copied().unwrap_or_default();
        let labels = [("provider", provider)];
        metrics
            .provider_error_ratio
            .get_or_create(&labels)
            .set(share);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "dollars for a gauge; the ledger keeps integers"
    )]
    metrics
        .session_cost_usd
        .set(cost.unwrap_or_default() as f64 / 1e6);
    metrics
        .session_cost_target_ratio
        .set(ratio.unwrap_or_default());
}

/// How the machine did when it was looked at last.
#[derive(Debug, Default)]
pub struct Machine {
    did: Mutex<Option<(f64, Duration)>>,
    /// When the queue was counted last, in milliseconds since the start.
    counted_ms: AtomicU64,
}

impl Machine {
    fn set(&self, cpu: f64, worst_lag: Duration) {
        *self.did.lock().unwrap_or_else(PoisonError::into_inner) = Some((cpu, worst_lag));
    }

    /// Whether to count again; for one of those who ask within a second.
    fn is_due(&self, now: Mono) -> bool {
        let (now_ms, last_ms) = (now.as_millis(), self.counted_ms.load(Ordering::Relaxed));
        let (now_ms, never) = (now_ms.max(1), 0);
        let due = last_ms == never || now_ms.saturating_sub(last_ms) >= COUNT_EVERY_MS;
        let order = Ordering::Relaxed;
        due && self
            .counted_ms
            .compare_exchange(last_ms, now_ms, order, order)
            .is_ok()
    }

    /// Share of all cores, and the longest that a media thread was late. None before the first look.
    #[must_use]
    pub fn get(&self) -> Option<(f64, Duration)> {
        *self.did.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is wrong as long as it is there, whatever the six numbers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The chat endpoint refuses: nothing is coded.
    EnrichmentStopped,
    /// Jobs were given up.
    DeadLetters,
    /// Participants stand in line.
    ParticipantsWaiting,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 3] = [
        Standing::EnrichmentStopped,
        Standing::DeadLetters,
        Standing::ParticipantsWaiting,
    ];

    /// As in `deploy/alerts.yml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Standing::EnrichmentStopped => "EnrichmentStopped",
            Standing::DeadLetters => "DeadLetters",
            Standing::ParticipantsWaiting => "ParticipantsWaiting",
        }
    }

    fn is_there(self, metrics: &Metrics) -> bool {
        let gauge = match self {
            Standing::EnrichmentStopped => &metrics.enrichment_stopped,
            Standing::DeadLetters => &metrics.dead_letters,
            Standing::ParticipantsWaiting => &metrics.sessions_waiting,
        };
        gauge.get() > 0
    }
}

/// Since when what is wrong was seen, at the sampler's looks: what came and went between two of them began anew.
#[derive(Debug, Default)]
pub struct Raised(Mutex<BTreeMap<Standing, i64>>);

impl Raised {
    /// All that is wrong now, each with the moment at which it was first seen, in microseconds UTC.
    pub fn now(&self, metrics: &Metrics, now_us: i64) -> Vec<(Standing, i64)> {
        let mut raised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for on in Standing::ALL {
            if on.is_there(metrics) {
                raised.entry(on).or_insert(now_us);
            } else {
                raised.remove(&on);
            }
        }
        raised.iter().map(|(on, since)| (*on, *since)).collect()
    }
}

/// What this process used so far, and when that was.
struct Used {
    at: std::time::Instant,
    cpu: Duration,
}

impl Used {
    /// Zero where the system does not tell.
    fn now() -> Used {
        Used {
            at: std::time::Instant::now(),
            cpu: cpu().unwrap_or_default(),
        }
    }

    /// Share of all cores in between.
    fn share_since(&self, earlier: &Used) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let wall_s = (self.at - earlier.at).as_secs_f64().max(1e-3);
        let cores = u32::try_from(cores).unwrap_or(1);
        self.cpu.saturating_sub(earlier.cpu).as_secs_f64() / wall_s / f64::from(cores)
    }
}

/// Fields 14 and 15 of `/proc/self/stat` (proc(5)), in ticks of a hundredth of a second.
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_since_it_was_first_seen_and_anew_after_it_was_gone() {
        let (metrics, raised) = (Metrics::new(), Raised::default());
        assert_eq!(raised.now(&metrics, 1), []);
        metrics.dead_letters.set(2);
        assert_eq!(raised.now(&metrics, 10), [(Standing::DeadLetters, 10)]);
        metrics.sessions_waiting.set(1);
        assert_eq!(
            raised.now(&metrics, 20),
            [
                (Standing::DeadLetters, 10),
                (Standing::ParticipantsWaiting, 20)
            ]
        );
        metrics.dead_letters.set(0);
        raised.now(&metrics, 30);
        metrics.dead_letters.set(1);
        assert_eq!(
            raised.now(&metrics, 40).first(),
            Some(&(Standing::DeadLetters, 40))
        );
    }
}
