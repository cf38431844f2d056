//! What the model hears of the participant under loss, jitter, reordering and silence.

use std::time::{Duration, Instant};

use media::DeskFact;

use crate::call::{Call, Link};
use crate::sound::{self, FRAME};

/// Speaks for `ms` over a link and returns the call two seconds later.
fn heard(seed: u64, link: Link, packets: Vec<Vec<u8>>) -> Call {
    let mut call = Call::up(seed, Link::PERFECT);
    call.up = link;
    let ms = packets.len() as u64 * 20;
    call.speak(packets);
    call.run_for(Duration::from_millis(ms + 2_000));
    call
}

#[test]
fn what_was_said_is_heard_bit_by_bit_and_at_once() {
    let packets = sound::packets(sound::ANSWER);
    let said = sound::decode(&packets);
    let call = heard(
        1,
        Link {
            jitter: Duration::from_millis(5),
            ..Link::PERFECT
        },
        packets,
    );
    let whole = said.len() / FRAME * FRAME;
    assert!(
        call.heard[..whole] == said[..whole],
        "the decoded audio differs"
    );
    let stats = call.desk.stats();
    assert_eq!(
        (stats.packets_lost, stats.packets_late, stats.concealed_ms),
        (0, 0, 0)
    );
    let latency = call.desk.latency().inbound_us.clone();
    assert!(
        latency.len() >= whole / FRAME && latency.iter().all(|us| *us == 0),
        "in-order packets waited"
    );
}

#[test]
fn loss_is_concealed_and_the_timeline_stays() {
    for (loss_permille, alive_min) in [(10, 1.0), (50, 0.99), (200, 0.93)] {
        for seed in 0..4 {
            check_loss(seed, loss_permille, alive_min);
        }
    }
}

fn check_loss(seed: u64, loss_permille: u32, alive_min: f64) {
    let what = format!("seed {seed}, loss {loss_permille}/1000");
    let tone = sound::tone(440.0, 20_000);
    let link = Link {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(15),
        loss_permille,
    };
    let call = heard(seed, link, sound::encode(&tone));
    let stats = call.desk.stats();
    let sent = tone.len() / FRAME;
    let lost = sent as u64 - stats.packets_in;
    // A few lost at the very beginning or end are no holes.
    assert!(
        stats.packets_lost.abs_diff(lost) <= 6,
        "{what}: {} counted, {lost} lost",
        stats.packets_lost
    );
    assert!(
        stats.concealed_ms <= stats.packets_lost * 20 + 20,
        "{what}: {stats:?}"
    );
    assert!(
        stats.concealed_ms * 10 >= stats.packets_lost * 20 * 9,
        "{what}: {stats:?}"
    );
    // Every packet's place is filled: the tone is as long as it was, and keeps its phase.
    let audible = call.heard.len() - stats.silence_ms as usize * 24;
    assert!(
        audible.abs_diff(tone.len()) <= 6 * FRAME,
        "{what}: {audible} of {} samples",
        tone.len()
    );
    // A tone is what the codec conceals worst: it fades to a quarter and takes a frame to come back. No frame is empty.
    let loud = sound::rms(&tone) * 0.15;
    let frames: Vec<f64> = call
        .heard
        .chunks(FRAME)
        .take(sent)
        .map(sound::rms)
        .collect();
    let alive = frames.iter().filter(|rms| **rms > loud).count() as f64 / sent as f64;
    assert!(alive >= alive_min, "{what}: {alive} of the frames sound");
}

#[test]
fn words_keep_their_place_however_much_is_lost() {
    let said = sound::pcm(sound::ANSWER);
    let packets = sound::packets(sound::ANSWER);
    let clip = packets.len() * FRAME;
    for (seed, loss_permille) in [(1, 10), (2, 50), (3, 200), (4, 200)] {
        let call = heard(
            seed,
            Link::lossy(loss_permille),
            vec![packets.clone(); 6].concat(),
        );
        // If the very first packets are lost, all is heard earlier by so much.
        let lags: Vec<isize> = [0, 2, 5]
            .iter()
            .map(|copy| {
                let (lag, likeness) = sound::best_lag(&said, &call.heard[copy * clip..], 6 * FRAME);
                assert!(
                    likeness > 0.6,
                    "copy {copy} at {loss_permille}/1000: likeness {likeness}"
                );
                lag
            })
            .collect();
        let spread = lags.iter().max().unwrap() - lags.iter().min().unwrap();
        assert!(
            spread <= 24,
            "{loss_permille}/1000: the copies lag by {lags:?} samples"
        );
    }
}

#[test]
fn speech_survives_a_twentieth_lost() {
    let said = sound::pcm(sound::ANSWER_WITH_PAUSE);
    let call = heard(5, Link::lossy(50), sound::packets(sound::ANSWER_WITH_PAUSE));
    let (lag, likeness) = sound::best_lag(&said, &call.heard, 4 * FRAME);
    assert!(likeness > 0.85, "likeness {likeness} at lag {lag}");
}

#[test]
fn what_the_next_packet_knows_is_better_than_imagination() {
    let said = sound::pcm(sound::ANSWER);
    let packets = sound::encode(&said);
    let heard = |recover: bool| {
        let mut decoder = media::opus::Decoder::new(24_000).unwrap();
        let mut pcm = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            // Every fifth packet is lost.
            let frame = match (n % 5 == 2, packets.get(n + 1)) {
                (true, Some(next)) if recover => decoder.recover(next, FRAME).unwrap(),
                (true, _) => decoder.conceal(FRAME).unwrap(),
                (false, _) => decoder.decode(packet).unwrap(),
            };
            pcm.extend_from_slice(frame);
        }
        sound::best_lag(&said, &pcm, FRAME).1
    };
    let (recovered, imagined) = (heard(true), heard(false));
    assert!(
        recovered > imagined + 0.02,
        "FEC {recovered}, PLC {imagined}"
    );
}

#[test]
fn reordering_costs_a_short_wait_and_no_audio() {
    let link = Link {
        jitter: Duration::from_millis(50),
        ..Link::PERFECT
    };
    let tone = sound::tone(300.0, 20_000);
    let call = heard(6, link, sound::encode(&tone));
    let stats = call.desk.stats();
    assert!(stats.packets_lost <= 3, "{stats:?}");
    assert!(stats.concealed_ms <= 60, "{stats:?}");
    let mut waits = call.desk.latency().inbound_us.clone();
    waits.sort_unstable();
    let at = |share: usize| waits[waits.len() * share / 100];
    assert!(
        at(50) <= 20_000 && at(95) <= 40_000 && at(99) <= 60_000,
        "{} {} {}",
        at(50),
        at(95),
        at(99)
    );
}

#[test]
fn audio_is_handed_over_within_the_latency_goal_at_a_hundredth_lost() {
    let tone = sound::tone(300.0, 20_000);
    let call = heard(7, Link::lossy(10), sound::encode(&tone));
    let mut waits = call.desk.latency().inbound_us.clone();
    waits.sort_unstable();
    let at = |share: usize| waits[waits.len() * share / 100];
    assert!(
        at(50) == 0 && at(95) <= 40_000,
        "p50 {} p95 {}",
        at(50),
        at(95)
    );
    assert!(
        waits.last().is_some_and(|worst| *worst <= 61_000),
        "{:?}",
        waits.last()
    );
}

#[test]
fn when_nothing_comes_silence_does_in_real_time_and_for_ten_seconds() {
    let mut call = heard(8, Link::PERFECT, sound::packets(sound::ANSWER));
    let at_two_seconds = call.heard.len();
    call.run_for(Duration::from_secs(5));
    let gained_ms = (call.heard.len() - at_two_seconds) / 24;
    assert!(
        (4_960..=5_040).contains(&gained_ms),
        "{gained_ms} ms of silence in 5 s"
    );
    assert!(
        call.heard[at_two_seconds..]
            .iter()
            .all(|sample| *sample == 0)
    );
    call.run_for(Duration::from_secs(60));
    assert_eq!(call.desk.stats().silence_ms, 10_000);
}

#[test]
fn discontinuous_transmission_keeps_the_timeline() {
    let tone = sound::encode(&sound::tone(440.0, 1_000));
    // A second of tone, three seconds without packets, a second of tone.
    let packets: Vec<Vec<u8>> = [tone.clone(), vec![Vec::new(); 150], tone].concat();
    let call = heard(9, Link::PERFECT, packets);
    let frames: Vec<bool> = call
        .heard
        .chunks(FRAME)
        .map(|frame| sound::rms(frame) > 2_000.0)
        .collect();
    let begins: Vec<usize> = (1..frames.len())
        .filter(|n| frames[*n] && !frames[n - 1])
        .collect();
    assert_eq!(begins.len(), 2 - usize::from(frames[0]), "{begins:?}");
    let second = begins.last().unwrap();
    assert!(
        (195..=202).contains(second),
        "the second tone begins at frame {second}"
    );
    assert_eq!(call.desk.stats().concealed_ms, 0);
}

#[test]
fn a_stalled_network_delays_words_but_loses_none() {
    let tone = sound::tone(440.0, 3_000);
    let mut call = Call::up(10, Link::PERFECT);
    call.speak(sound::encode(&tone));
    call.run_for(Duration::from_secs(1));
    // 150 ms during which nothing arrives and nothing is lost.
    call.up.delay = Duration::from_millis(160);
    call.run_for(Duration::from_millis(10));
    call.up.delay = Duration::from_millis(10);
    call.run_for(Duration::from_secs(4));
    let stats = call.desk.stats();
    assert!(stats.concealed_ms <= 40, "{stats:?}");
    let loud = call
        .heard
        .chunks(FRAME)
        .filter(|frame| sound::rms(frame) > 2_000.0)
        .count();
    assert!(loud >= 148, "{loud} of 150 frames");
}

#[test]
fn edges_of_speech_are_dated_when_they_were_heard() {
    // Quiet, an answer with a thinking pause, quiet: as a browser sends them.
    let answer = sound::packets(sound::ANSWER_WITH_PAUSE);
    let answer_ms = answer.len() as f64 * 20.0;
    let packets = [sound::quiet(2_000), answer, sound::quiet(2_000)].concat();
    let mut call = Call::up(11, Link::lossy(10));
    let began = call.ms(call.now) + 30.0;
    call.speak(packets);
    call.run_for(Duration::from_secs(10));
    let moment = |at: Instant| call.ms(at) - began - 2_000.0;
    let edges: Vec<(bool, f64, f64)> = call
        .facts
        .iter()
        .filter_map(|(told, fact)| match fact {
            DeskFact::SpeechStarted { at } => {
                Some((true, moment(*at), call.ms(*told) - call.ms(*at)))
            }
            DeskFact::SpeechEnded { at } => {
                Some((false, moment(*at), call.ms(*told) - call.ms(*at)))
            }
            _ => None,
        })
        .collect();
    assert!(
        edges.len() >= 4 && edges.len().is_multiple_of(2),
        "the pause splits the answer: {edges:?}"
    );
    assert!(
        edges
            .iter()
            .enumerate()
            .all(|(n, (start, ..))| *start == (n % 2 == 0)),
        "{edges:?}"
    );
    let (first, last) = (edges[0].1, edges[edges.len() - 1].1);
    assert!((0.0..=260.0).contains(&first), "{edges:?}");
    assert!(
        (answer_ms - 400.0..=answer_ms + 60.0).contains(&last),
        "{edges:?} of {answer_ms} ms"
    );
    for (start, _, told_after) in &edges {
        // An end is recognised 320 ms after the network's last frame of speech, which is after the last sound of it.
        let bound = if *start { 60.0..=170.0 } else { 300.0..=600.0 };
        assert!(bound.contains(told_after), "{edges:?}");
    }
}

#[test]
fn a_microphone_that_counts_from_elsewhere_is_heard_and_recorded_on() {
    for jump in [1u32 << 31, 48_000 * 600, 0u32.wrapping_sub(48_000 * 600)] {
        let mut call = Call::up(13, Link::PERFECT);
        call.speak(sound::packets(sound::ANSWER));
        call.run_for(Duration::from_secs(4));
        let before = call.heard.len();
        if let Some(mic) = &mut call.mic {
            mic.rtp_time = mic.rtp_time.wrapping_add(jump);
        }
        call.speak(sound::packets(sound::ANSWER));
        call.run_for(Duration::from_secs(4));
        call.with_desk(|desk, now, out| desk.finish(now, out));
        let loud = call.heard[before..]
            .chunks(FRAME)
            .filter(|frame| sound::rms(frame) > 500.0)
            .count();
        assert!(loud > 80, "{loud} frames after a jump of {jump}");
        let tracks = media::record::read(&call.recording());
        let stored = tracks
            .participant
            .iter()
            .filter(|(_, packet)| packet.len() > 20)
            .count();
        assert!(
            stored > 250,
            "{stored} packets recorded after a jump of {jump}"
        );
        assert!(
            (8_000..8_400).contains(&tracks.duration_ms),
            "{} ms",
            tracks.duration_ms
        );
    }
}

#[test]
fn speech_ends_also_when_the_connection_breaks_in_a_word() {
    let mut call = Call::up(12, Link::PERFECT);
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_millis(1_500));
    call.client = None;
    call.run_for(Duration::from_secs(2));
    assert!(
        call.has(|fact| matches!(fact, DeskFact::SpeechEnded { .. })),
        "{:?}",
        call.facts
    );
}
