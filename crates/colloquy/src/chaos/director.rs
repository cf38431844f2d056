//! Lets one event after another happen, and looks at the journals around those that end a process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::time::sleep;

use super::check;
use super::events::{Event, KINDS, Kind, Target};
use super::people::Crowd;
use crate::house::{House, Simulator};
use crate::output;

/// For somebody to be there whom an event can befall.
const TARGET_WITHIN: Duration = Duration::from_secs(60);
/// From SIGTERM to the end of the process; the server's own deadline is shorter.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// How often it is told how far it is.
const TELL_EVERY: usize = 20;

/// Who lets things happen.
pub(super) struct Director<'a> {
    house: &'a mut House,
    simulator: &'a Simulator,
    crowd: &'a Crowd,
    rng: fastrand::Rng,
    happened: BTreeMap<Kind, u32>,
    wrong: Vec<String>,
}

impl<'a> Director<'a> {
    pub(super) fn new(
        house: &'a mut House,
        simulator: &'a Simulator,
        crowd: &'a Crowd,
        seed: u64,
    ) -> Director<'a> {
        Director {
            house,
            simulator,
            crowd,
            rng: fastrand::Rng::with_seed(!seed),
            happened: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Lets all of them happen.
    pub(super) async fn direct(&mut self, events: &[Event]) -> anyhow::Result<()> {
        self.full().await?;
        for (index, event) in events.iter().enumerate() {
            sleep(event.after).await;
            self.happen(event)
                .await
                .with_context(|| format!("event {} ({:?})", index + 1, event.kind))?;
            *self.happened.entry(event.kind).or_default() += 1;
            if (index + 1) % TELL_EVERY == 0 {
                output::line(format!("  {} of {} events", index + 1, events.len()));
            }
        }
        Ok(())
    }

    /// How often each kind happened, and what was found wrong on the way.
    pub(super) fn done(self) -> (BTreeMap<Kind, u32>, Vec<String>) {
        (self.happened, self.wrong)
    }

    /// Waits until everybody is connected for the first time.
    async fn full(&self) -> anyhow::Result<()> {
        let until = Instant::now() + TARGET_WITHIN;
        while self.crowd.sessions().len() < usize::try_from(self.crowd.size)? {
            if Instant::now() >= until {
                bail!(
                    "only {} of {} participants were connected after {} s: too many for this machine",
                    self.crowd.sessions().len(),
                    self.crowd.size,
                    TARGET_WITHIN.as_secs()
                );
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn happen(&mut self, event: &Event) -> anyhow::Result<()> {
        match event.target {
            Target::Deploy | Target::Kill => return self.restart(event).await,
            Target::Participant(_) | Target::Link(_) | Target::AllLinks(_) => {}
        }
        let until = Instant::now() + TARGET_WITHIN;
        while !self.hits(event) {
            if Instant::now() >= until {
                bail!(
                    "nobody was there for it within {} s",
                    TARGET_WITHIN.as_secs()
                );
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn hits(&mut self, event: &Event) -> bool {
        let sockets = &self.simulator.sockets;
        match event.target {
            Target::Participant(trouble) => self.crowd.befall(trouble, &mut self.rng),
            Target::Link(strike) => {
                let open = sockets.open();
                self.rng
                    .choice(&open)
                    .is_some_and(|link| sockets.strike(*link, strike))
            }
            Target::AllLinks(strike) => {
                let open = sockets.open();
                let struck = open.iter().filter(|link| sockets.strike(**link, strike));
                struck.count() > 0
            }
            Target::Deploy | Target::Kill => false,
        }
    }

    /// Ends the process and starts the next one; what was committed must be there afterwards.
    async fn restart(&mut self, event: &Event) -> anyhow::Result<()> {
        let before = self.journals(self.crowd.sessions()).await?;
        if event.target == Target::Kill {
            self.house.kill().await?;
        } else {
            let status = self.house.terminate(STOPPED_WITHIN).await?;
            if !status.success() {
                self.wrong.push(format!("SIGTERM ended with {status}"));
            }
        }
        self.house.start().await?;
        let after = self.journals(before.keys().cloned().collect()).await?;
        let name = KINDS.iter().find(|(kind, ..)| *kind == event.kind);
        let name = name.map_or("", |(.., name)| name);
        for (session, before) in &before {
            let after = after.get(session).map(Vec::as_slice).unwrap_or_default();
            if let Some(what) = check::kept(before, after) {
                self.wrong.push(format!("{session}: after {name}: {what}"));
            }
        }
        Ok(())
    }

    async fn journals(
        &self,
        sessions: Vec<String>,
    ) -> anyhow::Result<BTreeMap<String, Vec<Value>>> {
        let mut journals = BTreeMap::new();
        for session in sessions {
            let journal = self.house.api.journal(&session).await?;
            journals.insert(session, journal);
        }
        Ok(journals)
    }
}
