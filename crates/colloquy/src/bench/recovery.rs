//! How soon interviews go on after what broke under all of them at once: the network, the page, the server.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sim::participant::{
    Ears, Manners, Moment, PATIENCE, ParticipantConfig, Progress, Return, Rung, Tab, Trouble,
    run_troubled,
};
use sim::provider::{Latency, SimConfig};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::figure::{Figure, percentile_ms};
use super::machine;
use crate::house::api::Invitation;
use crate::house::{House, STUDY, Simulator};

/// Sessions at once.
const SESSIONS: u32 = 100;
/// Between two joins.
const JOIN_EVERY: Duration = Duration::from_millis(200);
/// For everybody to have answered.
const STEADY_WITHIN: Duration = Duration::from_secs(120);
/// Who has not come back after this has not come back.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// How long pages are gone.
const GONE_FOR: Duration = Duration::from_secs(3);
/// How long the server is down: longer than a page takes to notice.
const DOWN_FOR: Duration = Duration::from_secs(10);
const VOICES: [&str; 4] = ["maya", "marcus", "tasha", "leon"];

/// Something that a participant told.
enum Told {
    Answered(usize),
    Back(usize, Return, Instant),
}

/// Everybody who takes part.
struct Crowd {
    people: JoinSet<()>,
    troubles: Vec<mpsc::Sender<Trouble>>,
    told: mpsc::Receiver<Told>,
}

/// How soon they were heard again.
struct Recovered {
    samples: Vec<Duration>,
    missing: usize,
}

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::open(SimConfig {
        latency: Latency::ZERO,
        ..SimConfig::default()
    })
    .await?;
    let mut house = House::open(simulator.addr).await?;
    let invitations = house.api.invite(STUDY, "full", SESSIONS).await?;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let mut crowd = Crowd::gather(&invitations, &stop);
    crowd.everybody().await?;
    let moment = Moment::Listening;
    crowd.befall(Trouble::Moved { at: moment })?;
    let network = crowd.recovered(None, Some(Rung::Network)).await;
    let (span, page) = (GONE_FOR, Tab::Reloaded);
    crowd.befall(Trouble::Gone { span, page })?;
    let grant = crowd.recovered(None, Some(Rung::Grant)).await;
    house.kill().await?;
    sleep(DOWN_FOR).await;
    house.start().await?;
    let server = crowd.recovered(Some(Instant::now()), None).await;
    for invitation in &invitations {
        let state = house.api.session(&invitation.id).await?.state;
        ensure!(
            state == "active",
            "a session is {state} and not active after all of it"
        );
    }
    stop.cancel();
    let _ = crowd.people.join_all().await;
    let measured = [
        (
            "network_recovery",
            500,
            network,
            "a new local address while the interviewer speaks, ICE restart by PATCH -> audible again".to_owned(),
        ),
        (
            "page_recovery",
            1_000,
            grant,
            format!(
                "all pages gone without a word for {} s, then the first offer with the grant -> audible welcome back",
                GONE_FOR.as_secs()
            ),
        ),
        (
            "server_recovery",
            3_000,
            server,
            format!(
                "kill -9, {} s without a server, then from its line that it serves -> audible again; pages knock every 2 s",
                DOWN_FOR.as_secs()
            ),
        ),
    ];
    let mut all = Vec::new();
    for (name, goal_ms, recovered, what) in measured {
        all.extend(figures(name, goal_ms, &recovered, &what)?);
    }
    Ok(all)
}

fn figures(
    name: &str,
    goal_ms: u32,
    recovered: &Recovered,
    what: &str,
) -> anyhow::Result<Vec<Figure>> {
    let method = format!(
        "{what}; {SESSIONS} sessions at once, {} measured, {} not heard again within {} s, simulator's model delay 0; participants and \
         simulator in another process on the same cores; {}",
        recovered.samples.len(),
        recovered.missing,
        BACK_WITHIN.as_secs(),
        machine::describe(),
    );
    let goal = format!("<= {goal_ms}");
    [50, 95]
        .into_iter()
        .map(|percent| {
            let value = percentile_ms(&recovered.samples, percent)
                .with_context(|| format!("nobody was heard again: {what}"))?;
            let name = format!("{name}_p{percent}");
            Ok(Figure::new(&name, value, "ms", Some(&goal), method.clone()))
        })
        .collect()
}

impl Crowd {
    fn gather(invitations: &[Invitation], stop: &CancellationToken) -> Crowd {
        let (tell, told) = mpsc::channel(8_192);
        let (mut people, mut troubles) = (JoinSet::new(), Vec::new());
        for (number, invitation) in invitations.iter().enumerate() {
            let (trouble, suffered) = mpsc::channel(1);
            troubles.push(trouble);
            let (config, stop, tell) = (config(invitation, number), stop.clone(), tell.clone());
            people.spawn(async move {
                // What is full by then is no longer read.
                let progress = |progress: Progress| {
                    let _ = match progress {
                        Progress::Answering { .. } => tell.try_send(Told::Answered(number)),
                        Progress::Returned(back) => {
                            tell.try_send(Told::Back(number, back, Instant::now()))
                        }
                        Progress::Consented { .. }
                        | Progress::InLine { .. }
                        | Progress::Connected
                        | Progress::Dropped
                        | Progress::Phase { .. }
                        | Progress::Heard { .. }
                        | Progress::Ended { .. } => Ok(()),
                    };
                };
                if let Err(error) = run_troubled(config, suffered, stop, progress).await {
                    tracing::debug!(%error, "a participant stopped");
                }
            });
        }
        Crowd {
            people,
            troubles,
            told,
        }
    }

    /// Waits until everybody has answered once.
    async fn everybody(&mut self) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + STEADY_WITHIN;
        let mut answered = vec![false; self.troubles.len()];
        while answered.contains(&false) {
            let told = timeout_at(until, self.told.recv()).await.with_context(|| {
                format!(
                    "not everybody had answered after {} s: too many sessions for this machine",
                    STEADY_WITHIN.as_secs()
                )
            })?;
            if let Some(Told::Answered(number)) = told
                && let Some(answered) = answered.get_mut(number)
            {
                *answered = true;
            }
        }
        Ok(())
    }

    /// Lets the same thing befall everybody.
    fn befall(&self, trouble: Trouble) -> anyhow::Result<()> {
        for troubles in &self.troubles {
            troubles
                .try_send(trouble)
                .context("a participant was gone before anything befell it")?;
        }
        Ok(())
    }

    /// Waits until everybody is heard again. The time counts from when each participant's network works, or from `since`
    /// for all.
    async fn recovered(&mut self, since: Option<Instant>, rung: Option<Rung>) -> Recovered {
        let until = tokio::time::Instant::now() + BACK_WITHIN;
        let mut samples = vec![None; self.troubles.len()];
        while samples.contains(&None) {
            let Ok(Some(told)) = timeout_at(until, self.told.recv()).await else {
                break;
            };
            let Told::Back(number, back, at) = told else {
                continue;
            };
            let from_network = back.voice_ms.map(|ms| Duration::from_millis(u64::from(ms)));
            let sample = match since {
                Some(since) => Some(at.saturating_duration_since(since)),
                None => from_network,
            };
            if rung.is_none_or(|rung| rung == back.rung)
                && let Some(slot) = samples.get_mut(number)
            {
                *slot = slot.or(sample);
            }
        }
        Recovered {
            missing: samples.iter().filter(|sample| sample.is_none()).count(),
            samples: samples.into_iter().flatten().collect(),
        }
    }
}

fn config(invitation: &Invitation, number: usize) -> ParticipantConfig {
    let place = u32::try_from(number).unwrap_or_default();
    ParticipantConfig {
        link: invitation.link.clone(),
        persona: VOICES[number % VOICES.len()].to_owned(),
        start_after: JOIN_EVERY * place,
        seed: u64::from(place),
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline: STEADY_WITHIN + BACK_WITHIN * 4,
        local_ip: None,
        patience: PATIENCE,
    }
}
