//! From the end of an interview to its report, in the interview of the demo.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use sim::participant::{Ears, Manners, ParticipantConfig, Progress, run as take_part};
use sim::provider::SimConfig;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::figure::Figure;
use super::machine;
use crate::house::{House, STUDY, Simulator};

/// The interview takes about two minutes; after this something is wrong.
const INTERVIEW_WITHIN: Duration = Duration::from_secs(6 * 60);
/// After this the goal is missed by far and there is nothing left to learn.
const REPORT_WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::open(SimConfig::default()).await?;
    let house = House::open(simulator.addr).await?;
    let invitations = house.api.invite(STUDY, "rehearsal", 1).await?;
    let invitation = invitations.first().context("the server made no session")?;
    let config = ParticipantConfig {
        link: invitation.link.clone(),
        persona: "maya".to_owned(),
        start_after: Duration::ZERO,
        seed: 1,
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline: INTERVIEW_WITHIN,
        local_ip: None,
        patience: Duration::ZERO,
    };
    let ended: Arc<Mutex<Option<Instant>>> = Arc::default();
    let told = Arc::clone(&ended);
    let progress = move |progress: Progress| {
        if let Progress::Ended { .. } = progress {
            told.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(Instant::now());
        }
    };
    let joined = Instant::now();
    let taking_part = tokio::spawn(take_part(config, CancellationToken::new(), progress));
    // Watched from the participant's first notice of the end on, not from when it has hung up.
    let ready = timeout(
        INTERVIEW_WITHIN + REPORT_WITHIN,
        ready(&house, &invitation.id),
    );
    let (ready, took_part) = (
        ready.await.context("no report")??,
        taking_part.await.context("the participant panicked")??,
    );
    let ended = ended
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .context("the participant was not told of the end")?;
    ensure!(
        took_part.outcome == "complete",
        "the interview ended as {}, so its report says nothing about the goal",
        took_part.outcome
    );
    let method = format!(
        "the participant is told of the end -> the API says that the report is ready, asked every 50 ms; one rehearsal of {STUDY}, \
         {:.0} s long, {} answers, simulator with its usual delays (120 ms for a completion); {}",
        ended.saturating_duration_since(joined).as_secs_f64(),
        took_part.answers.len(),
        machine::describe(),
    );
    let seconds = ready.saturating_duration_since(ended).as_secs_f64();
    Ok(vec![Figure::new(
        "report_after_end",
        seconds,
        "s",
        Some("<= 10"),
        method,
    )])
}

/// The moment at which the report is there.
async fn ready(house: &House, id: &str) -> anyhow::Result<Instant> {
    loop {
        let session = house.api.session(id).await?;
        match session.report.as_str() {
            "ready" => return Ok(Instant::now()),
            "failed" => bail!(
                "the report failed; the interview ended as {:?}",
                session.outcome
            ),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
