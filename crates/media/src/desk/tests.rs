//! An hour of interview without the network, which costs most of the time in a test.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;

use ogg::reading::PacketReader;

use super::*;
use crate::opus::Decoder;
use crate::record;

const ANSWER: &[u8] = include_bytes!("../../tests/data/a-priya-wrapup-advice-1.opus");
const QUESTION: &[u8] = include_bytes!("../../tests/data/q-probing-example-1.opus");

/// Packets of a turn of 20 s: quiet while the question is asked, an answer, quiet.
const TURN: u64 = 1_000;
/// Where in it the answer begins.
const ANSWER_AT: u64 = 250;

fn packets(clip: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = PacketReader::new(Cursor::new(clip));
    let all = std::iter::from_fn(|| reader.read_packet().unwrap().map(|packet| packet.data));
    all.filter(|packet| !packet.starts_with(b"Opus")).collect()
}

fn pcm(packets: &[Vec<u8>]) -> Vec<i16> {
    let mut decoder = Decoder::new(24_000).unwrap();
    packets
        .iter()
        .flat_map(|packet| decoder.decode(packet).unwrap().to_vec())
        .collect()
}

/// One hour with a microphone whose frames take `period_ns`; returns the recording and where questions and answers
/// should be in it, in milliseconds.
fn hour(period_ns: u64) -> (Vec<u8>, Vec<f64>, Vec<f64>, DeskStats) {
    let origin = Instant::now();
    let mut desk = Desk::new(origin, DeskConfig::default()).unwrap();
    let (answer, question) = (packets(ANSWER), pcm(&packets(QUESTION)));
    let quiet = opus::SILENCE.to_vec();
    let (mut recording, mut asked, mut answered) = (Vec::new(), Vec::new(), Vec::new());
    let mut rng = fastrand::Rng::with_seed(1);
    let mut out = Vec::new();
    for packet in 0..180 * TURN {
        let sent = origin + Duration::from_nanos(packet * period_ns);
        let now = sent + Duration::from_micros(rng.u64(0..15_000));
        while desk.deadline() <= now {
            let due = desk.deadline().max(origin);
            desk.timeout(due, &mut out);
        }
        let in_turn = packet % TURN;
        if in_turn == 20 {
            let item = ItemId::from(format!("q{packet}"));
            desk.interviewer_audio(now, &item, &question);
            desk.interviewer_done(now, &item);
        } else if in_turn == ANSWER_AT {
            answered.push((sent - origin).as_secs_f64() * 1_000.0);
        }
        let index = usize::try_from(in_turn.wrapping_sub(ANSWER_AT)).unwrap_or(usize::MAX);
        let payload = answer.get(index).unwrap_or(&quiet).clone();
        // None is lost: a hole would be an occasion to catch up.
        desk.on_audio(
            now,
            packet,
            5_000 + packet * 960,
            payload.into(),
            now,
            &mut out,
        );
        for output in out.drain(..) {
            if let DeskOutput::Chunk(chunk) = output {
                recording.extend(chunk.bytes);
            } else if let DeskOutput::Fact(DeskFact::PlayoutStarted { at, .. }) = output {
                asked.push((at - origin).as_secs_f64() * 1_000.0);
            }
        }
    }
    desk.finish(
        origin + Duration::from_nanos(180 * TURN * period_ns),
        &mut out,
    );
    for output in out {
        if let DeskOutput::Chunk(chunk) = output {
            recording.extend(chunk.bytes);
        }
    }
    (recording, asked, answered, desk.stats())
}

/// Where, near `near_ms`, a track has the packets of a clip.
fn find(track: &[(u64, Vec<u8>)], clip: &[Vec<u8>], near_ms: f64) -> f64 {
    let near = |start_ms: &u64| (*start_ms as f64 - near_ms).abs() < 1_000.0;
    // A packet from the middle, which no other place has.
    let index = (5..clip.len())
        .find(|n| clip[*n].len() > 20 && track.iter().any(|(at, p)| near(at) && *p == clip[*n]));
    let index = index.unwrap();
    let (at_ms, _) = track
        .iter()
        .find(|(at, packet)| near(at) && *packet == clip[index])
        .unwrap();
    *at_ms as f64 - index as f64 * 20.0
}

#[test]
fn after_an_hour_with_a_fast_or_slow_microphone_both_tracks_agree() {
    let answer = packets(ANSWER);
    for period_ns in [20_002_000, 19_998_000] {
        let (recording, asked, answered, stats) = hour(period_ns);
        let tracks = record::read(&recording);
        // Interviewer: packets are new ones, so the first that is not silence tells.
        let begins = |near_ms: f64| {
            let loud = |(at, packet): &&(u64, Vec<u8>)| {
                *at as f64 > near_ms - 100.0 && packet[..] != opus::SILENCE
            };
            tracks
                .interviewer
                .iter()
                .find(loud)
                .map(|(at, _)| *at as f64)
                .unwrap()
        };
        for turn in [0, 1, 45, 90, 135, 179] {
            let asked_off = begins(asked[turn]) - asked[turn];
            let answered_off = find(&tracks.participant, &answer, answered[turn]) - answered[turn];
            assert!(
                asked_off.abs() <= 50.0,
                "turn {turn}: the question is {asked_off} ms off"
            );
            assert!(
                answered_off.abs() <= 50.0,
                "turn {turn}: the answer is {answered_off} ms off"
            );
            assert!(
                (asked_off - answered_off).abs() <= 50.0,
                "turn {turn}: {asked_off} and {answered_off} ms"
            );
        }
        assert!(stats.packets_unrecorded <= 60, "{stats:?}");
    }
}
