//! From the first invitation to the last closing statement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::args::Arguments;
use super::figures::{self, Exported, Process, Row};
use super::people::{self, Board};
use super::plan;
use super::progress::Display;
use super::sample::{self, Wave, WaveFolder};
use super::tally::{Each, Tally, Went, tally};
use super::target::Target;
use super::watch::{Look, Watch};
use crate::bench::machine;
use crate::output;
use crate::serve::stop_on_signal;

/// From the end of a session to its participant's report: the closing statement is spoken, by all at once.
const CLOSED_WITHIN: Duration = Duration::from_secs(90);
/// From the last report until the server has counted the last session out.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);
/// From one look at the board to the next.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// A load, when it is over.
#[derive(Debug, Serialize)]
pub(super) struct Loaded {
    pub(super) options: Options,
    pub(super) target: String,
    pub(super) machine: String,
    pub(super) seconds: f64,
    /// Between the last join and the operator's end, on the clock of the load.
    pub(super) held_s: (f64, f64),
    pub(super) numbers: Vec<Row>,
    /// The server's process alone; none where it cannot be read.
    pub(super) process: Option<Process>,
    pub(super) tally: Tally,
    pub(super) exported: Exported,
    pub(super) looks: Vec<Look>,
    /// Looks at which the server did not answer.
    pub(super) looks_missed: u32,
    pub(super) waves: Vec<Wave>,
    /// Every participant.
    pub(super) people: Vec<Each>,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Options {
    pub(super) sessions: u32,
    pub(super) ramp_ms: u64,
    pub(super) duration_ms: u64,
    pub(super) seed: u64,
    pub(super) drop_share: f64,
    pub(super) return_share: f64,
    pub(super) barge_in_share: f64,
    pub(super) persona_mix: String,
}

impl Loaded {
    /// Gaps while nobody joined any more and nobody was ended yet.
    pub(super) fn gaps_held(&self) -> usize {
        let (from, until) = self.held_s;
        let held = self.tally.gaps_at_s.iter();
        held.filter(|at_s| (from..until).contains(*at_s)).count()
    }

    /// For programs.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

/// Loads a server.
pub(super) async fn hold(arguments: &Arguments) -> anyhow::Result<Loaded> {
    let wanted = arguments.wanted()?;
    let people = plan::draw(&wanted);
    let folder = WaveFolder::open(arguments)?;
    let stop = stop_on_signal()?;
    let target = Target::open(arguments).await?;
    let invitations = target.invite(arguments.sessions).await?;
    let ids: Vec<String> = invitations.iter().map(|one| one.id.clone()).collect();
    output::line(headline(arguments, &target));
    let abort = CancellationToken::new();
    let _abort = abort.clone().drop_guard();
    let board = Arc::new(Board::new(ids.len(), &abort));
    let length = wanted.ramp + wanted.duration;
    let watch = Watch::begin(&target.api, target.pid, &board, length).await?;
    let mut stage = Stage {
        began: Instant::now(),
        display: Display::new(Instant::now()),
        board: &board,
        stop: &stop,
    };
    let load = people::Load {
        board: &board,
        began: stage.began,
        within: length + CLOSED_WITHIN * 2,
        waves: &folder.path,
    };
    let crowd = people::begin(people, invitations, &load);
    stage.until(wanted.ramp, "joining").await;
    let from = (stage.now_s(), watch.used());
    let page_from = watch.page().await;
    stage.until(length, "held").await;
    let until = (stage.now_s(), watch.used());
    let held = page_from.zip(watch.page().await);
    let went = stage.close(&target, &ids, crowd, &abort).await?;
    counted_out(&target).await;
    let watched = watch.finish().await?;
    let process = from
        .1
        .zip(until.1)
        .and_then(|(first, last)| figures::process(&watched, (from.0, first), (until.0, last)));
    let tally = tally(&went, stage.began);
    Ok(Loaded {
        options: options(arguments),
        target: target.name.clone(),
        machine: machine::describe(),
        seconds: stage.now_s(),
        held_s: (from.0, until.0),
        numbers: figures::rows(&tally, &watched),
        process,
        tally,
        exported: figures::distributions(&watched, held.as_ref()),
        looks_missed: watched.missed,
        looks: watched.looks,
        waves: sample::measure(&went, folder.is_kept).await?,
        people: went.iter().map(Each::of).collect(),
    })
}

/// What is needed to wait and to show it.
struct Stage<'s> {
    began: Instant,
    display: Display,
    board: &'s Arc<Board>,
    stop: &'s CancellationToken,
}

impl Stage<'_> {
    fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Waits until so long after the beginning, until nobody takes part any more, or until somebody wants it to stop.
    async fn until(&mut self, length: Duration, stage: &str) {
        let until = self.began + length;
        while Instant::now() < until && !self.board.unfinished().is_empty() {
            self.display.show(self.board.counts(), stage);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = sleep_until((Instant::now() + SHOW_EVERY).min(until).into()) => {}
            }
        }
    }

    /// Ends what still runs, and waits for everybody's report.
    async fn close(
        &mut self,
        target: &Target,
        ids: &[String],
        mut crowd: JoinSet<Went>,
        abort: &CancellationToken,
    ) -> anyhow::Result<Vec<Went>> {
        self.board.close_line();
        let unfinished = self.board.unfinished();
        for (index, id) in ids.iter().enumerate() {
            if unfinished.contains(&index) {
                self.board.ended(index);
            }
            // The sessions of those who left are still waiting for them; those that are over refuse, and whose end is
            // refused for another reason fails by itself.
            if let Err(error) = target.api.end(id).await {
                tracing::debug!(%error, "a session was not ended");
            }
        }
        let mut went = Vec::new();
        let deadline = Instant::now() + CLOSED_WITHIN;
        while !crowd.is_empty() {
            self.display.show(self.board.counts(), "closing");
            if Instant::now() >= deadline {
                abort.cancel();
            }
            if let Ok(Some(one)) = timeout(SHOW_EVERY, crowd.join_next()).await {
                went.push(one.context("a participant panicked: this is a bug of colloquy load")?);
            }
        }
        self.display.done(self.board.counts(), "over");
        Ok(went)
    }
}

/// Waits a while for the last session to be counted out, so that what it cost is in the server's numbers.
async fn counted_out(target: &Target) {
    let until = Instant::now() + COUNTED_WITHIN;
    while Instant::now() < until {
        let live = target.api.metrics().await.ok();
        let live = live.and_then(|page| page.gauge("colloquy_sessions_live"));
        if live.is_none_or(|live| live <= 0.0) {
            return;
        }
        sleep(SHOW_EVERY).await;
    }
}

fn headline(arguments: &Arguments, target: &Target) -> String {
    format!(
        "load: {} participants join within {:.0} s and are held for {:.0} s on {}; seed {}",
        arguments.sessions,
        arguments.ramp.as_secs_f64(),
        arguments.duration.as_secs_f64(),
        target.name,
        arguments.seed
    )
}

fn options(arguments: &Arguments) -> Options {
    let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    Options {
        sessions: arguments.sessions,
        ramp_ms: ms(arguments.ramp),
        duration_ms: ms(arguments.duration),
        seed: arguments.seed,
        drop_share: arguments.drop_share,
        return_share: arguments.return_share,
        barge_in_share: arguments.barge_in_share,
        persona_mix: arguments.persona_mix.clone(),
    }
}
