//! The server that is loaded: one that runs somewhere, or one that is started here.

use anyhow::{Context, bail};
use sim::provider::SimConfig;

use super::args::Arguments;
use crate::house::api::{Api, Invitation};
use crate::house::{House, Simulator};

/// Invitations in one request.
const INVITATIONS_MAX: u32 = 500;
/// What a server takes if it is not told otherwise.
const SESSIONS_MAX: u32 = 400;

/// A server, and what belongs to it as long as it is loaded.
pub(super) struct Target {
    pub(super) api: Api,
    /// Its process, if it is on this machine.
    pub(super) pid: Option<u32>,
    /// What reports call it.
    pub(super) name: String,
    study: String,
    _started: Option<(House, Simulator)>,
}

impl Target {
    pub(super) async fn open(arguments: &Arguments) -> anyhow::Result<Target> {
        let study = arguments.study.clone();
        if let (Some(url), Some(token)) = (&arguments.url, &arguments.token) {
            let url = url.trim_end_matches('/');
            let Some((_, host)) = url.split_once("://") else {
                bail!(
                    "--url {url} is no address of a server: write such as https://interviews.example"
                );
            };
            return Ok(Target {
                api: Api::new(url.to_owned(), token.clone())?,
                pid: arguments.pid,
                name: host.to_owned(),
                study,
                _started: None,
            });
        }
        let mut config = SimConfig::default();
        if let Some(delay) = arguments.model_delay {
            config.latency.first_audio_ms = u64::try_from(delay.as_millis())?;
        }
        let simulator = Simulator::open_calm(config, arguments.sessions).await?;
        let sessions_max = arguments.sessions_max;
        let sessions_max = sessions_max.unwrap_or(arguments.sessions.max(SESSIONS_MAX));
        let settings = vec![("COLLOQUY__CAPACITY__SESSIONS_MAX", sessions_max.to_string())];
        let house = House::open_with(simulator.addr, settings).await?;
        Ok(Target {
            api: house.api.clone(),
            pid: Some(house.pid),
            name: "a server started for this, with the simulator as its provider".to_owned(),
            study,
            _started: Some((house, simulator)),
        })
    }

    /// Invites so many to the whole interview.
    pub(super) async fn invite(&self, count: u32) -> anyhow::Result<Vec<Invitation>> {
        let mut invitations = Vec::new();
        let mut left = count;
        while left > 0 {
            let part = left.min(INVITATIONS_MAX);
            let invited = self.api.invite(&self.study, "full", part).await;
            invitations.extend(invited.with_context(|| {
                format!(
                    "nobody could be invited to the study {}, so there is no load: check --url, --token and --study",
                    self.study
                )
            })?);
            left -= part;
        }
        Ok(invitations)
    }
}
