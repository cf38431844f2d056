//! Time to first voice: from a participant's first packet to the first interviewer audio that it can hear.

use std::time::{Duration, Instant};

use anyhow::Context;
use media::Certificate;
use media::opus::Decoder;
use sim::provider::{Delivery, Latency, SimConfig};
use tokio::time::{sleep, timeout};

use super::call::{Call, Event};
use super::figure::{Figure, percentile_ms};
use super::machine;
use crate::house::api::Invitation;
use crate::house::{House, STUDY, Simulator};

/// Joins that count, and one before them in which the simulator reads its clips.
const JOINS: u32 = 30;
/// A voice that is not there after this is not measured but missed.
const VOICE_WITHIN: Duration = Duration::from_secs(10);
/// A sample beyond this is audible: -40 dBFS.
const AUDIBLE: u16 = 328;
/// A microphone before anybody speaks: 20 ms of Opus silence (RFC 6716, section 3.1: configuration 31, one frame).
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// From the participant's measurement to the server's being durable.
const JOURNALED_WITHIN: Duration = Duration::from_secs(3);

/// One join: to the first packet, and to the first that can be heard.
struct Voice {
    packet: Duration,
    audible: Duration,
    /// The same by the server's account.
    server: Duration,
}

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let config = SimConfig {
        latency: Latency::ZERO,
        delivery: Delivery::TimesRealTime(4),
        ..SimConfig::default()
    };
    let simulator = Simulator::open(config).await?;
    let house = House::open(simulator.addr).await?;
    let cert = Certificate::generate();
    let mut voices = Vec::new();
    for (number, invitation) in house
        .api
        .invite(STUDY, "full", JOINS + 1)
        .await?
        .into_iter()
        .enumerate()
    {
        let voice = listen(&house, &invitation, &cert).await?;
        if number > 0 {
            voices.push(voice);
        }
    }
    let samples = |of: fn(&Voice) -> Duration| voices.iter().map(of).collect::<Vec<_>>();
    let percent = |samples: &[Duration], percent| {
        percentile_ms(samples, percent).context("no join was measured")
    };
    let (audible, packet, server) = (
        samples(|voice| voice.audible),
        samples(|voice| voice.packet),
        samples(|voice| voice.server),
    );
    let setting = format!(
        "{} joins one after another on loopback, simulator's model delay 0, one join before them not counted, {}",
        voices.len(),
        machine::describe(),
    );
    let heard = format!(
        "participant's first RTP packet sent -> first decoded audio above -40 dBFS, by the participant's clock; p50 {:.0} ms, max {:.0} ms; \
         to the first packet of any loudness p95 {:.0} ms; {setting}",
        percent(&audible, 50)?,
        percent(&audible, 100)?,
        percent(&packet, 95)?,
    );
    let account = format!(
        "the same as the server journals it: first packet in -> first packet out; p50 {:.0} ms, max {:.0} ms; {setting}",
        percent(&server, 50)?,
        percent(&server, 100)?
    );
    Ok(vec![
        Figure::new(
            "first_voice_p95",
            percent(&audible, 95)?,
            "ms",
            Some("<= 300"),
            heard,
        ),
        Figure::new(
            "first_voice_server_p95",
            percent(&server, 95)?,
            "ms",
            Some("<= 300"),
            account,
        ),
    ])
}

/// Joins, listens for the first words, and leaves.
async fn listen(
    house: &House,
    invitation: &Invitation,
    cert: &Certificate,
) -> anyhow::Result<Voice> {
    let mut call = Call::join(&house.api, invitation, cert).await?;
    let heard = timeout(VOICE_WITHIN, first_words(&mut call)).await;
    let (packet, audible) =
        heard.with_context(|| format!("no voice within {} s", VOICE_WITHIN.as_secs()))??;
    let server = journaled(house, &invitation.id).await?;
    house.api.end(&invitation.id).await?;
    call.leave();
    Ok(Voice {
        packet,
        audible,
        server,
    })
}

async fn first_words(call: &mut Call) -> anyhow::Result<(Duration, Duration)> {
    let mut decoder = Decoder::new(24_000)?;
    let (mut first_sent, mut first_packet): (Option<Instant>, Option<Duration>) = (None, None);
    loop {
        match call.next().await? {
            Event::FrameDue => {
                let sent = call.send(&SILENCE);
                first_sent.get_or_insert(sent);
            }
            Event::Audio { payload, at } => {
                let since = at.saturating_duration_since(
                    first_sent
                        .context("interviewer audio came before the participant's first packet")?,
                );
                let packet = *first_packet.get_or_insert(since);
                if decoder
                    .decode(&payload)?
                    .iter()
                    .any(|sample| sample.unsigned_abs() > AUDIBLE)
                {
                    return Ok((packet, since));
                }
            }
        }
    }
}

async fn journaled(house: &House, id: &str) -> anyhow::Result<Duration> {
    let reading = async {
        loop {
            if let Some(ms) = house.api.session(id).await?.first_voice_ms {
                return anyhow::Ok(Duration::from_millis(ms));
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(JOURNALED_WITHIN, reading)
        .await
        .context("the server did not journal the first voice")?
}
