//! CPU and memory of one session: the server process alone, synthetic participants in natural turns.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use sim::participant::{
    Ears, Manners, ParticipantConfig, ParticipantReport, Progress, run as take_part,
};
use sim::provider::SimConfig;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Extent;
use super::figure::Figure;
use super::machine::{self, Used};
use crate::house::api::Invitation;
use crate::house::{House, STUDY, Simulator};

/// Voices, in turn.
const PERSONAS: [&str; 8] = [
    "maya", "marcus", "tasha", "leon", "priya", "nora", "victor", "owen",
];
/// Between two joins.
const JOIN_EVERY: Duration = Duration::from_millis(500);
/// For everybody to have answered once.
const STEADY_WITHIN: Duration = Duration::from_secs(120);
/// From the operator's end of a session to its participant's report: the closing statement is spoken.
const CLOSED_WITHIN: Duration = Duration::from_secs(90);

pub(super) async fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let simulator = Simulator::open(SimConfig::default()).await?;
    let house = House::open(simulator.addr).await?;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let idle = machine::used(house.pid)?;
    let invitations = house.api.invite(STUDY, "full", extent.sessions).await?;
    let (answered, mut answers) = mpsc::channel(1_024);
    let mut people = JoinSet::new();
    let deadline = STEADY_WITHIN + extent.length + CLOSED_WITHIN;
    for (number, (invitation, persona)) in
        invitations.iter().zip(PERSONAS.iter().cycle()).enumerate()
    {
        let number = u32::try_from(number)?;
        people.spawn(person(
            config(invitation, persona, number, deadline),
            stop.clone(),
            number,
            answered.clone(),
        ));
    }
    tokio::select! {
        steady = timeout(STEADY_WITHIN, everybody(&mut answers, extent.sessions)) => {
            steady.with_context(|| format!("not everybody had answered twice after {} s: too many sessions for this machine", STEADY_WITHIN.as_secs()))??;
        }
        Some(ended) = people.join_next() => {
            ended.context("a participant panicked")??;
            bail!("an interview ended before everybody had answered twice: too many sessions, or too long");
        }
    }
    let (first, began) = (machine::used(house.pid)?, Instant::now());
    let load_before = machine::load_average();
    sleep(extent.length).await;
    let (last, seconds) = (machine::used(house.pid)?, began.elapsed().as_secs_f64());
    for invitation in &invitations {
        let session = house.api.session(&invitation.id).await?;
        ensure!(
            session.state == "active",
            "a session was {} and not active at the end of the measurement ({:?}): measure for a shorter time",
            session.state,
            session.outcome
        );
    }
    let metrics = house.api.metrics().await?;
    for invitation in &invitations {
        house.api.end(&invitation.id).await?;
    }
    let reports = timeout(CLOSED_WITHIN, people.join_all())
        .await
        .context("the participants did not come to an end")?;
    let reports: Vec<ParticipantReport> = reports.into_iter().collect::<Result<_, _>>()?;
    let method = method(extent, &load_before, &reports, &metrics.dropped());
    Ok(figures(
        extent.sessions,
        seconds,
        idle,
        first,
        last,
        &method,
    ))
}

fn config(
    invitation: &Invitation,
    persona: &str,
    number: u32,
    deadline: Duration,
) -> ParticipantConfig {
    ParticipantConfig {
        link: invitation.link.clone(),
        persona: persona.to_owned(),
        start_after: JOIN_EVERY * number,
        seed: u64::from(number),
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline,
        local_ip: None,
        patience: Duration::ZERO,
    }
}

/// Takes part; says when it answers.
async fn person(
    config: ParticipantConfig,
    stop: CancellationToken,
    number: u32,
    answered: mpsc::Sender<u32>,
) -> anyhow::Result<ParticipantReport> {
    let progress = move |progress: Progress| {
        if let Progress::Answering { .. } = progress {
            // After the steady state nobody listens any more.
            let _ = answered.try_send(number);
        }
    };
    take_part(config, stop, progress)
        .await
        .with_context(|| format!("participant {number}"))
}

/// Waits until everybody has answered the second time: the greeting is over and the questions have begun.
async fn everybody(answers: &mut mpsc::Receiver<u32>, sessions: u32) -> anyhow::Result<()> {
    let mut counts = vec![0_u32; usize::try_from(sessions)?];
    while counts.iter().any(|count| *count < 2) {
        let number = answers.recv().await.context("the participants are gone")?;
        if let Some(count) = counts.get_mut(usize::try_from(number)?) {
            *count += 1;
        }
    }
    Ok(())
}

fn method(
    extent: Extent,
    load_before: &str,
    reports: &[ParticipantReport],
    dropped: &[String],
) -> String {
    let received: u64 = reports.iter().map(|report| report.packets.received).sum();
    let lost: u64 = reports.iter().map(|report| report.packets.lost).sum();
    let heard_ms: u64 = reports.iter().map(|report| report.heard_ms).sum();
    let duration_ms: u64 = reports.iter().map(|report| report.duration_ms).sum();
    let speaking = heard_ms * 100 / duration_ms.max(1);
    let dropped = if dropped.is_empty() {
        "nothing".to_owned()
    } else {
        dropped.join(", ")
    };
    format!(
        "server process only, {} sessions that had all answered twice, {} s; participants and simulator in another process on the same cores; \
         interviewer audible {speaking} % of the time; packets to participants: {received} received, {lost} lost; dropped by the server: {dropped}; \
         load average {load_before} before; {}",
        extent.sessions,
        extent.length.as_secs(),
        machine::describe(),
    )
}

fn figures(
    sessions: u32,
    seconds: f64,
    idle: Used,
    first: Used,
    last: Used,
    method: &str,
) -> Vec<Figure> {
    let sessions = f64::from(sessions);
    let cpu = last.cpu.saturating_sub(first.cpu).as_secs_f64() / seconds / sessions;
    let kb = |kb: u64| f64::from(u32::try_from(kb).unwrap_or(u32::MAX));
    let per_session =
        |of: fn(&Used) -> u64| kb(of(&last).saturating_sub(of(&idle))) / 1_024.0 / sessions;
    let memory = format!(
        "proportional set size (/proc/PID/smaps_rollup), end of the measurement minus before the first session, divided by the sessions, so one-time \
         costs are in it; idle {:.1} MB, end {:.1} MB, growth of the resident set {:.2} MB per session; {method}",
        kb(idle.pss_kb) / 1_024.0,
        kb(last.pss_kb) / 1_024.0,
        per_session(|used| used.rss_kb),
    );
    vec![
        Figure::new(
            "cpu_per_session",
            cpu,
            "cores",
            Some("<= 0.01"),
            format!("user and system time (/proc/PID/stat); {method}"),
        ),
        Figure::new(
            "memory_per_session",
            per_session(|used| used.pss_kb),
            "MB",
            Some("<= 1"),
            memory,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::figure::Verdict;
    use super::*;

    #[test]
    fn what_a_session_costs_is_the_growth_divided_by_the_sessions() {
        let used = |cpu_s, pss_kb| Used {
            cpu: Duration::from_secs(cpu_s),
            pss_kb,
            rss_kb: pss_kb,
        };
        let figures = figures(
            20,
            60.0,
            used(1, 10_240),
            used(5, 20_480),
            used(17, 30_720),
            "m",
        );
        // 12 s of CPU in 60 s for 20 sessions; 20 MB more than when idle.
        assert!(
            figures
                .iter()
                .all(|figure| figure.verdict() == Verdict::Met),
            "{figures:?}"
        );
        assert!(
            figures
                .iter()
                .any(|figure| figure.row().contains("0.01 cores")),
            "{figures:?}"
        );
    }
}
