//! The recording: readable when cut off anywhere, both tracks on one timeline, and finished into one stereo file.

use std::time::{Duration, Instant};

use engine::ids::ItemId;
use media::opus::Decoder;
use media::record::{self, Tracks};
use media::{Chunk, Desk, DeskConfig, DeskFact, Recording, stereo};
use ogg::reading::PacketReader;

use crate::call::{Call, Link};
use crate::sound;

/// Question and answer in turn, for about `turns` times 8 s. Returns the call, its recording finished.
fn conversation(seed: u64, link: Link, turns: usize, period: Duration) -> Call {
    let mut call = Call::up(seed, link);
    let turn = [
        sound::quiet(3_000),
        sound::packets(sound::ANSWER_WITH_PAUSE),
        sound::quiet(500),
    ]
    .concat();
    let turn_span = period * u32::try_from(turn.len()).unwrap();
    let question = sound::pcm(sound::QUESTION);
    call.speak_at(vec![turn; turns].concat(), period);
    for no in 0..turns {
        call.run_for(Duration::from_millis(500));
        let item = ItemId::from(format!("q{no}"));
        call.desk.interviewer_audio(call.now, &item, &question);
        call.desk.interviewer_done(call.now, &item);
        call.run_for(turn_span - Duration::from_millis(500));
    }
    call.with_desk(|desk, now, out| desk.finish(now, out));
    call
}

fn zero(call: &Call) -> Instant {
    let flowing = call.facts.iter().find_map(|(_, fact)| match fact {
        DeskFact::AudioFlowing { at } => Some(*at),
        _ => None,
    });
    flowing.unwrap()
}

/// One track at 24 kHz, each packet where it says it is.
fn render(track: &[(u64, Vec<u8>)]) -> Vec<i16> {
    let mut decoder = Decoder::new(24_000).unwrap();
    let mut pcm = Vec::new();
    for (start_ms, packet) in track {
        let at = usize::try_from(*start_ms).unwrap() * 24;
        let samples = decoder.decode(packet).unwrap();
        pcm.resize(pcm.len().max(at), 0);
        pcm.extend_from_slice(samples);
    }
    pcm
}

#[test]
fn chunks_follow_each_other_and_none_is_longer_than_two_seconds() {
    let call = conversation(1, Link::lossy(10), 3, Duration::from_millis(20));
    assert!(call.chunks.len() >= 12);
    for (no, pair) in call.chunks.windows(2).enumerate() {
        let [a, b] = pair else { unreachable!() };
        assert_eq!((a.no as usize, b.start_ms), (no, a.end_ms));
        assert!(
            a.end_ms - a.start_ms <= 2_000,
            "{} to {} ms",
            a.start_ms,
            a.end_ms
        );
    }
}

#[test]
fn a_crash_at_any_moment_costs_less_than_two_and_a_half_seconds() {
    let mut call = Call::up(2, Link::lossy(20));
    call.speak(
        vec![
            [
                sound::packets(sound::ANSWER_WITH_PAUSE),
                sound::quiet(4_000)
            ]
            .concat();
            3
        ]
        .concat(),
    );
    call.run_for(Duration::from_secs(1));
    let zero = zero(&call);
    for _ in 0..60 {
        call.run_for(Duration::from_millis(170));
        let kept_ms = record::read(&call.recording()).duration_ms as f64;
        let lost_ms = (call.now - zero).as_secs_f64() * 1_000.0 - kept_ms;
        assert!(lost_ms <= 2_100.0, "{lost_ms} ms would be lost");
    }
}

#[test]
fn a_recording_cut_at_any_byte_is_readable_up_to_there() {
    let call = conversation(3, Link::lossy(20), 1, Duration::from_millis(20));
    let whole = call.recording();
    let reference = record::read(&whole);
    let mut rng = fastrand::Rng::with_seed(3);
    let chunk_ends: Vec<(usize, u64)> = call
        .chunks
        .iter()
        .scan(0, |bytes, chunk: &Chunk| {
            *bytes += chunk.bytes.len();
            Some((*bytes, chunk.end_ms))
        })
        .collect();
    for round in 0..200 {
        let end = rng.usize(0..=whole.len());
        let tracks = record::read(&whole[..end]);
        let is_prefix = |part: &[(u64, Vec<u8>)], all: &[(u64, Vec<u8>)]| all.starts_with(part);
        assert!(
            is_prefix(&tracks.participant, &reference.participant),
            "cut at {end}"
        );
        assert!(
            is_prefix(&tracks.interviewer, &reference.interviewer),
            "cut at {end}"
        );
        let safe = chunk_ends
            .iter()
            .take_while(|(bytes, _)| *bytes <= end)
            .last()
            .map_or(0, |(_, ms)| *ms);
        assert!(
            tracks.duration_ms >= safe,
            "cut at {end}: {} of {safe} ms",
            tracks.duration_ms
        );
        if round % 20 == 0 && end > 10_000 {
            assert!(stereo::finish(&whole[..end]).is_ok());
        }
    }
}

#[test]
fn a_lost_or_broken_chunk_leaves_the_others_in_place() {
    let call = conversation(4, Link::PERFECT, 1, Duration::from_millis(20));
    let reference = render(&record::read(&call.recording()).participant);
    for missing in [0, 1, 2] {
        let kept: Vec<u8> = call
            .chunks
            .iter()
            .filter(|chunk| chunk.no != missing)
            .flat_map(|chunk| chunk.bytes.clone())
            .collect();
        let pcm = render(&record::read(&kept).participant);
        let tail = reference.len() - 24_000;
        assert!(
            pcm.len() == reference.len() && pcm[tail..] == reference[tail..],
            "without chunk {missing}"
        );
    }
    let mut broken = call.recording();
    let middle = broken.len() / 2;
    broken[middle] ^= 0x55;
    let tracks = record::read(&broken);
    assert_eq!(
        tracks.duration_ms,
        record::read(&call.recording()).duration_ms
    );
}

#[test]
fn packets_are_stored_as_they_came_and_holes_are_silence() {
    let answer = sound::packets(sound::ANSWER);
    let mut call = Call::up(5, Link::PERFECT);
    call.up = Link::lossy(100);
    call.speak(answer.clone());
    call.run_for(Duration::from_secs(4));
    call.with_desk(|desk, now, out| desk.finish(now, out));
    let tracks = record::read(&call.recording());
    let stored: Vec<&Vec<u8>> = tracks
        .participant
        .iter()
        .map(|(_, packet)| packet)
        .collect();
    let real = stored
        .iter()
        .filter(|packet| answer.contains(packet))
        .count() as u64;
    assert_eq!(real, call.desk.stats().packets_in);
    // Each where it was said, to a packet.
    let offset = tracks
        .participant
        .iter()
        .position(|(_, packet)| answer.contains(packet))
        .unwrap();
    let first = answer
        .iter()
        .position(|packet| packet == stored[offset])
        .unwrap();
    for (n, packet) in answer.iter().enumerate().skip(first) {
        let here = stored[offset + n - first];
        assert!(
            here == packet || here[..] == media::opus::SILENCE,
            "packet {n}"
        );
    }
}

#[test]
fn both_tracks_stand_where_they_were_heard() {
    let call = conversation(
        6,
        Link {
            delay: Duration::from_millis(40),
            ..Link::PERFECT
        },
        4,
        Duration::from_millis(20),
    );
    check_places(&call, &record::read(&call.recording()), 4, 30.0);
}

/// Compares each question and each answer with the moment at which it was played or said.
fn check_places(call: &Call, tracks: &Tracks, turns: usize, most_ms: f64) {
    let zero = zero(call);
    let (participant, interviewer) = (render(&tracks.participant), render(&tracks.interviewer));
    let (answer, question) = (
        sound::pcm(sound::ANSWER_WITH_PAUSE),
        sound::pcm(sound::QUESTION),
    );
    let mut questions = 0;
    for (_, fact) in &call.facts {
        if let DeskFact::PlayoutStarted { at, .. } = fact {
            let off = off_ms(
                &interviewer,
                &question,
                (*at - zero).as_secs_f64() * 1_000.0,
            );
            assert!(off.abs() <= most_ms, "question {questions} is {off} ms off");
            questions += 1;
        }
    }
    assert_eq!(questions, turns);
    // The answer of each turn begins 3 s of the sender's clock after the turn.
    let turn_ms = 3_500.0 + answer.len() as f64 / 24.0;
    for turn in [0, turns / 2, turns - 1] {
        let off = off_ms(&participant, &answer, turn as f64 * turn_ms + 3_000.0);
        assert!(off.abs() <= most_ms, "answer {turn} is {off} ms off");
    }
}

/// How far from `at_ms` a clip really is.
fn off_ms(track: &[i16], clip: &[i16], at_ms: f64) -> f64 {
    let around = 200 * 24;
    let from = ((at_ms * 24.0) as usize).saturating_sub(around);
    let piece = &track[from.min(track.len())..(from + clip.len() + 2 * around).min(track.len())];
    let (lag, likeness) = sound::best_lag(clip, piece, 2 * around);
    assert!(likeness > 0.5, "nothing like it at {at_ms} ms: {likeness}");
    (from as f64 + lag as f64) / 24.0 - at_ms
}

#[test]
fn a_replaced_peer_continues_the_same_recording() {
    let mut call = Call::up(7, Link::PERFECT);
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(4));
    let first_zero = zero(&call);
    call.connect();
    call.wait_for(Duration::from_secs(5), Call::client_is_up);
    call.run_for(Duration::from_secs(1));
    assert!(
        !call.has(|fact| *fact == DeskFact::Lost),
        "the older peer's end is no news"
    );
    call.mic = None;
    let again = call.now + call.up.delay;
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(4));
    call.with_desk(|desk, now, out| desk.finish(now, out));
    let flowing = call
        .facts
        .iter()
        .filter(|(_, fact)| matches!(fact, DeskFact::AudioFlowing { .. }))
        .count();
    assert_eq!(flowing, 2);
    let track = render(&record::read(&call.recording()).participant);
    let answer = sound::pcm(sound::ANSWER);
    for at in [first_zero, again] {
        let off = off_ms(&track, &answer, (at - first_zero).as_secs_f64() * 1_000.0);
        assert!(off.abs() <= 40.0, "{off} ms off");
    }
}

#[test]
fn the_finished_file_is_stereo_seekable_and_exact() {
    let call = conversation(8, Link::PERFECT, 3, Duration::from_millis(20));
    let tracks = record::read(&call.recording());
    let finished = stereo::finish(&call.recording()).unwrap();
    assert_eq!(finished.duration_ms, tracks.duration_ms);
    let mut reader = PacketReader::new(std::io::Cursor::new(&finished.ogg));
    let head = reader.read_packet().unwrap().unwrap().data;
    assert_eq!((&head[..8], head[9]), (&b"OpusHead"[..], 2));
    let pre_skip = u64::from(u16::from_le_bytes([head[10], head[11]]));
    reader.read_packet().unwrap().unwrap();
    let mut decoder = opus_stereo();
    let (mut stereo, mut last, mut pages) = (Vec::new(), None, 0);
    while let Some(packet) = reader.read_packet().unwrap() {
        let mut pcm = vec![0i16; 960 * 2];
        assert_eq!(decoder.decode(&packet.data, &mut pcm, false).unwrap(), 960);
        stereo.extend(pcm);
        pages += usize::from(packet.last_in_page());
        last = Some((packet.absgp_page(), packet.last_in_stream()));
    }
    let samples = finished.duration_ms * 48;
    assert_eq!(last, Some((samples + pre_skip, true)));
    assert!(
        pages as u64 >= finished.duration_ms / 1_000,
        "{pages} pages to seek by"
    );
    let skip = usize::try_from(pre_skip).unwrap() * 2;
    let channel =
        |n: usize| -> Vec<i16> { stereo[skip..].iter().skip(n).step_by(4).copied().collect() };
    let (left, right) = (channel(0), channel(1));
    for (found, track) in [(&left, &tracks.participant), (&right, &tracks.interviewer)] {
        let expected = &render(track)[156..];
        let (lag, likeness) = sound::best_lag(&expected[..24_000 * 8], found, 480);
        assert!(
            likeness > 0.8 && lag.abs() <= 24,
            "likeness {likeness} at lag {lag}"
        );
    }
    // Where only one speaks, the other side is quiet.
    let question = 24 * 700..24 * 2_200;
    assert!(
        sound::rms(&right[question.clone()]) > 20.0 * sound::rms(&left[question]),
        "the channels leak"
    );
}

fn opus_stereo() -> opus::Decoder {
    opus::Decoder::new(48_000, opus::Channels::Stereo).unwrap()
}

#[test]
fn the_waveform_shows_who_spoke_when() {
    let call = conversation(9, Link::PERFECT, 2, Duration::from_millis(20));
    let finished = stereo::finish(&call.recording()).unwrap();
    let peaks = finished.peaks;
    assert_eq!(peaks.ms_per_peak, 20);
    assert_eq!(peaks.participant.len(), peaks.interviewer.len());
    assert_eq!(
        peaks.participant.len() as u64,
        finished.duration_ms.div_ceil(20).max(1)
    );
    let loudest = |peaks: &[u8], ms: std::ops::Range<usize>| {
        *peaks[ms.start / 20..ms.end / 20].iter().max().unwrap()
    };
    assert!(
        loudest(&peaks.interviewer, 700..2_200) > 30 && loudest(&peaks.participant, 700..2_200) < 3
    );
    assert!(
        loudest(&peaks.participant, 3_300..7_000) > 30
            && loudest(&peaks.interviewer, 3_300..7_000) < 3
    );
}

#[test]
fn nothing_is_recorded_when_recording_is_off_or_finished() {
    let config = DeskConfig {
        recording: Recording::Off,
        ..DeskConfig::default()
    };
    let mut call = Call::with(10, Link::PERFECT, config);
    call.connect();
    call.wait_for(Duration::from_secs(5), Call::client_is_up);
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(5));
    call.with_desk(|desk, now, out| desk.finish(now, out));
    assert!(call.chunks.is_empty() && call.heard.len() > 24_000);
    assert_eq!(stereo::finish(&[]), Err(stereo::FinishError::Empty));

    let mut call = conversation(11, Link::PERFECT, 1, Duration::from_millis(20));
    let chunks = call.chunks.len();
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(5));
    call.with_desk(Desk::finish);
    assert_eq!(call.chunks.len(), chunks);
}

#[test]
fn a_microphone_whose_clock_is_wrong_stays_in_step_with_the_interviewer() {
    // 2,000 ppm, twenty times what a bad crystal has: 300 ms in two and a half minutes. The hour at 100 ppm is a unit test, where no
    // encryption takes most of the time.
    for (seed, period_us) in [(12, 20_040), (13, 19_960)] {
        let period = Duration::from_micros(period_us);
        let turn_s = 3.5 + sound::packets(sound::ANSWER_WITH_PAUSE).len() as f64 * 0.02;
        let turns = (150.0 / turn_s) as usize;
        // Without loss: a hole would be an occasion to catch up.
        let call = conversation(seed, Link::PERFECT, turns, period);
        let tracks = record::read(&call.recording());
        let zero = zero(&call);
        let (participant, interviewer) = (render(&tracks.participant), render(&tracks.interviewer));
        let (answer, question) = (
            sound::pcm(sound::ANSWER_WITH_PAUSE),
            sound::pcm(sound::QUESTION),
        );
        let mut played: Vec<f64> = Vec::new();
        for (_, fact) in &call.facts {
            if let DeskFact::PlayoutStarted { at, .. } = fact {
                played.push((*at - zero).as_secs_f64() * 1_000.0);
            }
        }
        for turn in [0, turns / 4, turns / 2, turns - 1] {
            let asked = off_ms(&interviewer, &question, played[turn]);
            let said_ms = (turn as f64 * turn_s * 1_000.0 + 3_000.0) * period_us as f64 / 20_000.0;
            let said = off_ms(&participant, &answer, said_ms);
            assert!(
                (asked - said).abs() <= 50.0,
                "turn {turn}: question {asked} ms, answer {said} ms off"
            );
        }
        let unrecorded = call.desk.stats().packets_unrecorded;
        assert!(unrecorded <= 40, "{unrecorded} packets left out");
    }
}
