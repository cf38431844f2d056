//! Looks at the server while it is loaded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::people::Board;
use super::server::Scrape;
use crate::bench::machine::{self, Used};
use crate::house::api::Api;

/// A scrape that takes longer is missed.
const SCRAPED_WITHIN: Duration = Duration::from_secs(5);
/// From one look to the next: at least this, and so long that there are not more than so many.
const LOOK_EVERY_MIN: Duration = Duration::from_secs(1);
const LOOKS_MAX: u32 = 600;

/// One look.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Look {
    /// Since the beginning of the load.
    pub(super) at_s: f64,
    /// Participants that are connected.
    pub(super) connected: u32,
    /// Sessions, as the server counts them.
    pub(super) live: Option<f64>,
    /// Segments that wait for enrichment.
    pub(super) queue: Option<f64>,
    /// Share of the provider's answers that were errors, as the server exports it.
    pub(super) error_ratio: Option<f64>,
    /// CPU time of the server's process until now.
    pub(super) cpu_s: Option<f64>,
    /// Its proportional set size.
    pub(super) pss_mb: Option<f64>,
}

/// All looks, and what the server said before and after.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) before: Scrape,
    pub(super) after: Scrape,
    pub(super) looks: Vec<Look>,
    /// Looks at which the server did not answer.
    pub(super) missed: u32,
    /// The process before the first session.
    pub(super) idle: Option<Used>,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    looks: Vec<Look>,
    missed: u32,
    /// The last page that was given.
    last: Option<Scrape>,
}

/// Who looks.
pub(super) struct Watch {
    api: Api,
    pid: Option<u32>,
    before: Scrape,
    idle: Option<Used>,
    stop: CancellationToken,
    looking: JoinHandle<Seen>,
}

impl Watch {
    /// Looks for the first time, and then until it is finished.
    pub(super) async fn begin(
        api: &Api,
        pid: Option<u32>,
        board: &Arc<Board>,
        length: Duration,
    ) -> anyhow::Result<Watch> {
        let before = scrape(api).await?;
        let idle = pid.map(machine::used).transpose()?;
        let stop = CancellationToken::new();
        let every = (length / LOOKS_MAX).max(LOOK_EVERY_MIN);
        let looking = tokio::spawn(look(
            api.clone(),
            pid,
            Arc::clone(board),
            every,
            stop.clone(),
        ));
        Ok(Watch {
            api: api.clone(),
            pid,
            before,
            idle,
            stop,
            looking,
        })
    }

    /// What the process has used until now.
    pub(super) fn used(&self) -> Option<Used> {
        self.pid.and_then(|pid| machine::used(pid).ok())
    }

    /// What the server says now; none if it does not.
    pub(super) async fn page(&self) -> Option<Scrape> {
        scrape(&self.api).await.ok()
    }

    /// Looks for the last time; what is no longer given is what was given last.
    pub(super) async fn finish(self) -> anyhow::Result<Watched> {
        self.stop.cancel();
        let seen = self.looking.await;
        let seen = seen.context("looking at the server panicked")?;
        let page = scrape(&self.api).await;
        Ok(Watched {
            missed: seen.missed + u32::from(page.is_err()),
            after: page.ok().or(seen.last).unwrap_or_default(),
            before: self.before,
            looks: seen.looks,
            idle: self.idle,
        })
    }
}

async fn scrape(api: &Api) -> anyhow::Result<Scrape> {
    let page = timeout(SCRAPED_WITHIN, api.metrics())
        .await
        .context("the server did not give its metrics in time: it is overloaded or gone")?;
    let page = page.context("the server's metrics cannot be read: check --url and --token")?;
    Ok(Scrape::read(page.text()))
}

async fn look(
    api: Api,
    pid: Option<u32>,
    board: Arc<Board>,
    every: Duration,
    stop: CancellationToken,
) -> Seen {
    let mut seen = Seen::default();
    let began = Instant::now();
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return seen,
            _ = tick.tick() => {}
        }
        let used = pid.and_then(|pid| machine::used(pid).ok());
        let mut look = Look {
            at_s: began.elapsed().as_secs_f64(),
            connected: board.counts().connected,
            cpu_s: used.map(|used| used.cpu.as_secs_f64()),
            pss_mb: used.map(|used| megabytes(used.pss_kb)),
            ..Look::default()
        };
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => return seen,
            page = scrape(&api) => page,
        };
        match page {
            Ok(page) => {
                look.live = page.sum("colloquy_sessions_live");
                look.queue = page.sum("colloquy_enrichment_queue_segments");
                look.error_ratio = page.sum("colloquy_provider_error_ratio");
                seen.last = Some(page);
            }
            Err(_) => seen.missed += 1,
        }
        seen.looks.push(look);
    }
}

/// Of kilobytes.
pub(super) fn megabytes(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap_or(u32::MAX)) / 1_024.0
}
