//! What the platform adds to audio, measured from outside: a participant's packets against the vendor's socket, and the
//! vendor's first audio against the participant's socket, all on this process's clock.
//!
//! Both ends are scheduled on the same cores as the server, so their own lateness is in the figures.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use media::Certificate;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Extent;
use super::call::{Call, Event};
use super::figure::{Figure, percentile_ms};
use super::machine;
use super::mark::{Burst, burst};
use super::vendor::{Line, Vendor};
use crate::house::api::Metrics;
use crate::house::{House, STUDY};

/// Packets in a burst: 340 to 600 ms, odd and even numbers, so that the last one falls on both halves of a batch.
const BURST_PACKETS: std::ops::Range<usize> = 17..31;
/// Without interviewer audio for this long, a turn is over.
const QUIET: Duration = Duration::from_millis(200);
/// An answer that is not there after this does not come.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// Most that the platform can add for a sample to be matched: less than the distance of two bursts.
const MATCH_MAX: Duration = Duration::from_millis(500);
/// From a participant's connection to the link.
const LINKED_WITHIN: Duration = Duration::from_secs(10);
/// From the last join to the first sample.
const SETTLE: Duration = Duration::from_secs(2);

/// A burst that was sent: the moment of each packet of its tone.
type Spoken = Vec<Instant>;

/// What a participant did and heard.
#[derive(Debug, Default)]
struct Diary {
    bursts: Vec<Spoken>,
    /// First packets of the interviewer after a pause.
    heard: Vec<Instant>,
}

/// Samples of all sessions.
#[derive(Debug, Default)]
struct Samples {
    last_frames: Vec<Duration>,
    all_frames: Vec<Duration>,
    answers: Vec<Duration>,
    unmatched: usize,
}

pub(super) async fn measure(extent: Extent) -> anyhow::Result<Vec<Figure>> {
    let vendor = Vendor::open().await?;
    let house = House::open(vendor.addr).await?;
    let bursts: Vec<Burst> = BURST_PACKETS.map(burst).collect::<Result<_, _>>()?;
    let cert = Certificate::generate();
    let mut calls = JoinSet::new();
    let began = Instant::now();
    let joins = Duration::from_secs(u64::from(extent.sessions));
    let ends = began + joins + SETTLE + extent.length;
    for (number, invitation) in house
        .api
        .invite(STUDY, "full", extent.sessions)
        .await?
        .into_iter()
        .enumerate()
    {
        let call = Call::join(&house.api, &invitation, &cert).await?;
        calls.spawn(converse(call, bursts.clone(), u64::try_from(number)?, ends));
        linked(&vendor, number).await?;
    }
    sleep(SETTLE).await;
    drop(vendor.lines.take());
    let before = house.api.metrics().await?;
    let from = Instant::now();
    let mut diaries: Vec<(u64, Diary)> = Vec::new();
    while let Some(done) = calls.join_next().await {
        diaries.push(done.context("a participant failed")??);
    }
    let metrics = house.api.metrics().await?;
    let seconds = from.elapsed().as_secs();
    ensure!(
        vendor.lines.count() == diaries.len(),
        "a link was rebuilt, so links and participants cannot be paired: the figures would be wrong"
    );
    diaries.sort_by_key(|(number, _)| *number);
    let mut samples = Samples::default();
    for ((_, diary), line) in diaries.iter().zip(vendor.lines.take()) {
        samples.add(diary, &line, from);
    }
    figures(&samples, extent.sessions, seconds, &before, &metrics)
}

/// Waits for the link of this participant before the next one joins: so the n-th link is that of the n-th participant.
async fn linked(vendor: &Vendor, number: usize) -> anyhow::Result<()> {
    let waiting = async {
        while vendor.lines.count() <= number {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LINKED_WITHIN, waiting)
        .await
        .context("the server opened no link for a participant")
}

/// Where a conversation is.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// Waiting for the interviewer's answer.
    Expects {
        since: Instant,
    },
    /// The interviewer speaks, or has just spoken.
    Listens,
    /// Waiting a moment, as people do.
    Thinks {
        until: Instant,
    },
    Speaks {
        burst: usize,
        packet: usize,
    },
}

impl Turn {
    /// What a silent participant does next.
    fn next(self, now: Instant, quiet: bool, random: &mut fastrand::Rng, bursts: usize) -> Turn {
        match self {
            Turn::Expects { since } if now.saturating_duration_since(since) > ANSWERED_WITHIN => {
                Turn::Listens
            }
            Turn::Listens if quiet => Turn::Thinks {
                until: now + Duration::from_millis(random.u64(50..450)),
            },
            Turn::Thinks { until } if now >= until => Turn::Speaks {
                burst: random.usize(..bursts),
                packet: 0,
            },
            Turn::Expects { .. } | Turn::Listens | Turn::Thinks { .. } | Turn::Speaks { .. } => {
                self
            }
        }
    }
}

/// Talks by turns until the end.
async fn converse(
    mut call: Call,
    bursts: Vec<Burst>,
    number: u64,
    ends: Instant,
) -> anyhow::Result<(u64, Diary)> {
    let mut diary = Diary::default();
    let mut random = fastrand::Rng::with_seed(number);
    let silence = bursts
        .first()
        .and_then(|burst| burst.packets.last())
        .context("no packets")?
        .clone();
    let mut turn = Turn::Expects {
        since: Instant::now(),
    };
    let mut last_audio: Option<Instant> = None;
    // What has begun is finished, so that every burst has its last packet and every answer its first.
    while Instant::now() < ends || matches!(turn, Turn::Expects { .. } | Turn::Speaks { .. }) {
        match call.next().await? {
            Event::Audio { at, .. } => {
                if last_audio.is_none_or(|last| at.saturating_duration_since(last) > QUIET) {
                    diary.heard.push(at);
                }
                last_audio = Some(at);
                if let Turn::Expects { .. } = turn {
                    turn = Turn::Listens;
                }
            }
            Event::FrameDue => {
                let now = Instant::now();
                let payload = match turn {
                    Turn::Speaks { burst, packet } => bursts
                        .get(burst)
                        .and_then(|burst| burst.packets.get(packet))
                        .unwrap_or(&silence),
                    Turn::Expects { .. } | Turn::Listens | Turn::Thinks { .. } => &silence,
                };
                let sent = call.send(payload);
                turn = match turn {
                    Turn::Speaks { burst, packet } => {
                        spoke(&mut diary, &bursts, burst, packet, sent)
                    }
                    Turn::Expects { .. } | Turn::Listens | Turn::Thinks { .. } => {
                        let quiet = last_audio
                            .is_none_or(|last| now.saturating_duration_since(last) > QUIET);
                        turn.next(now, quiet, &mut random, bursts.len())
                    }
                };
            }
        }
    }
    call.leave();
    Ok((number, diary))
}

/// Notes a packet of a burst; says what comes next.
fn spoke(diary: &mut Diary, bursts: &[Burst], burst: usize, packet: usize, sent: Instant) -> Turn {
    let Some(whole) = bursts.get(burst) else {
        return Turn::Listens;
    };
    if packet == whole.lead {
        diary.bursts.push(Spoken::new());
    }
    if (whole.lead..whole.lead + whole.length).contains(&packet)
        && let Some(spoken) = diary.bursts.last_mut()
    {
        spoken.push(sent);
    }
    if packet + 1 < whole.packets.len() {
        Turn::Speaks {
            burst,
            packet: packet + 1,
        }
    } else {
        Turn::Expects { since: sent }
    }
}

impl Samples {
    /// Matches what was sent with what arrived, from the moment on from which it counts.
    fn add(&mut self, diary: &Diary, line: &Line, from: Instant) {
        for spoken in diary
            .bursts
            .iter()
            .filter(|spoken| spoken.first().is_some_and(|at| *at >= from))
        {
            match inbound(spoken, line) {
                Some(frames) => {
                    self.last_frames.extend(frames.last());
                    self.all_frames.extend(frames);
                }
                None => self.unmatched += 1,
            }
        }
        for answer in line.answers.iter().filter(|at| **at >= from) {
            let heard = diary
                .heard
                .iter()
                .find(|at| *at >= answer)
                .map(|at| at.saturating_duration_since(*answer));
            match heard.filter(|latency| *latency < MATCH_MAX) {
                Some(latency) => self.answers.push(latency),
                None => self.unmatched += 1,
            }
        }
    }
}

/// From each packet of a burst to the audio that holds its frame, at the vendor's socket.
fn inbound(spoken: &Spoken, line: &Line) -> Option<Vec<Duration>> {
    let first = *spoken.first()?;
    let arrival = |frame: usize| {
        let place = line.appends.partition_point(|(_, frames)| *frames <= frame);
        line.appends.get(place).map(|(at, _)| *at)
    };
    let onset = line.onsets.iter().copied().find(|frame| {
        arrival(*frame)
            .is_some_and(|at| at >= first && at.saturating_duration_since(first) < MATCH_MAX)
    })?;
    let frames = spoken.iter().enumerate().map(|(index, sent)| {
        // A frame that is there before its packet was sent is not that packet's: then nothing is known.
        arrival(onset + index)?.checked_duration_since(*sent)
    });
    frames.collect()
}

fn figures(
    samples: &Samples,
    sessions: u32,
    seconds: u64,
    before: &Metrics,
    after: &Metrics,
) -> anyhow::Result<Vec<Figure>> {
    let percent = |samples: &[Duration], percent| {
        percentile_ms(samples, percent)
            .context("nothing was measured: no burst and no answer could be matched")
    };
    let (last, all, answers) = (&samples.last_frames, &samples.all_frames, &samples.answers);
    let own = |histogram: &str, note: &str| match (
        after.percentile_ms(before, histogram, 50),
        after.percentile_ms(before, histogram, 95),
    ) {
        (Some((p50, count)), Some((p95, _))) => {
            format!(
                "the server's own histogram: p50 <= {p50:.0} ms, p95 <= {p95:.0} ms of {count}{note}"
            )
        }
        _ => "the server's own histogram is empty".to_owned(),
    };
    let setting = format!(
        "{sessions} sessions in dialogue for {seconds} s, {} unmatched, {}",
        samples.unmatched,
        machine::describe()
    );
    let inbound = format!(
        "last packet of a burst leaves the participant's socket -> the append event with its frame is read from the vendor's socket, \
         40 ms batches included; {} bursts; all {} speech packets: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms; {}; {setting}",
        last.len(),
        all.len(),
        percent(all, 50)?,
        percent(all, 95)?,
        percent(all, 100)?,
        own(
            "colloquy_audio_in_seconds",
            " (packets that complete a batch)"
        ),
    );
    let outbound = format!(
        "first audio delta written to the vendor's socket -> first RTP packet read from the participant's socket; {} answers, max {:.1} ms; {}; {setting}",
        answers.len(),
        percent(answers, 100)?,
        own("colloquy_audio_out_seconds", ""),
    );
    Ok(vec![
        Figure::new(
            "latency_in_p50",
            percent(last, 50)?,
            "ms",
            Some("<= 20"),
            inbound.clone(),
        ),
        Figure::new(
            "latency_in_p95",
            percent(last, 95)?,
            "ms",
            Some("<= 40"),
            inbound,
        ),
        Figure::new(
            "latency_out_p50",
            percent(answers, 50)?,
            "ms",
            Some("<= 20"),
            outbound.clone(),
        ),
        Figure::new(
            "latency_out_p95",
            percent(answers, 95)?,
            "ms",
            Some("<= 40"),
            outbound,
        ),
    ])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Packets every 20 ms from 1 s on; appends of two frames, each `delay` after its second packet, `skipped` frames late
    /// in the count.
    fn world(zero: Instant, packets: u64, delay: Duration, odd: usize) -> (Spoken, Line) {
        let spoken: Spoken = (0..packets)
            .map(|index| zero + ms(1_000 + index * 20))
            .collect();
        let mut line = Line {
            onsets: vec![100 + odd],
            ..Line::default()
        };
        for piece in 0..packets / 2 + 1 {
            // Frame 100 + odd is that of the first packet, so the piece is complete with packet `2 * piece + 1 - odd`.
            let complete =
                zero + ms(1_000 + (2 * piece + 1) * 20) - ms(20 * u64::try_from(odd).unwrap());
            line.appends
                .push((complete + delay, 102 + usize::try_from(piece).unwrap() * 2));
        }
        (spoken, line)
    }

    #[test]
    fn a_packet_that_waits_for_its_batch_is_later_by_one_packet() {
        let (spoken, line) = world(Instant::now(), 4, ms(3), 0);
        assert_eq!(
            inbound(&spoken, &line).unwrap(),
            [ms(23), ms(3), ms(23), ms(3)]
        );
        let (spoken, line) = world(Instant::now(), 4, ms(3), 1);
        assert_eq!(
            inbound(&spoken, &line).unwrap(),
            [ms(3), ms(23), ms(3), ms(23)]
        );
    }

    #[test]
    fn what_arrives_before_it_was_sent_or_far_too_late_is_not_matched() {
        let zero = Instant::now();
        let (spoken, mut line) = world(zero, 4, ms(3), 0);
        line.onsets = vec![98];
        assert_eq!(inbound(&spoken, &line), None);
        let (spoken, line) = world(zero, 4, MATCH_MAX, 0);
        assert_eq!(inbound(&spoken, &line), None);
    }

    #[test]
    fn only_what_was_said_after_the_beginning_counts() {
        let zero = Instant::now();
        let (spoken, line) = world(zero, 4, ms(3), 0);
        let line = Line {
            answers: vec![zero + ms(2_000), zero + ms(9_000)],
            ..line
        };
        let diary = Diary {
            bursts: vec![spoken],
            heard: vec![zero + ms(2_007)],
        };
        let mut samples = Samples::default();
        samples.add(&diary, &line, zero + ms(500));
        assert_eq!(
            (
                samples.last_frames.as_slice(),
                samples.answers.as_slice(),
                samples.unmatched
            ),
            ([ms(3)].as_slice(), [ms(7)].as_slice(), 1)
        );
        let mut samples = Samples::default();
        samples.add(&diary, &line, zero + ms(10_000));
        assert_eq!(
            (
                samples.all_frames.len(),
                samples.answers.len(),
                samples.unmatched
            ),
            (0, 0, 0)
        );
    }
}
