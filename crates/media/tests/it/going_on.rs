//! A recording that one process began and another goes on with: one timeline, whatever is missing between.

use std::time::{Duration, Instant};

use media::record::{self, Writer};
use media::{Beginning, stereo};

use crate::sound;

const FRAME: Duration = Duration::from_millis(20);

/// Writes packets of both sides, one per frame, and returns the chunks; a process that dies never finishes.
fn written(
    mut writer: Writer,
    zero: Instant,
    seconds: u32,
    peer: u32,
    dies: bool,
) -> Vec<media::Chunk> {
    let packets = sound::packets(sound::ANSWER_WITH_PAUSE);
    let mut chunks = Vec::new();
    for no in 0..seconds * 50 {
        let at = zero + FRAME * no;
        let packet = &packets[usize::try_from(no).unwrap() % packets.len()];
        writer.participant(peer, u64::from(no), at, true, packet);
        writer.interviewer(at, packet);
        chunks.extend(writer.cut(at));
    }
    if !dies {
        chunks.push(writer.finish(zero + FRAME * (seconds * 50)));
    }
    chunks
}

#[test]
fn both_processes_are_on_one_timeline() {
    let zero = Instant::now();
    let mut chunks = written(Writer::new(zero), zero, 9, 1, true);
    let kept_ms = chunks.last().unwrap().end_ms;
    assert!((6_500..9_000).contains(&kept_ms), "{kept_ms} ms were kept");
    // A turn that was written down ended a second after the last chunk that was.
    let from = Beginning {
        chunk_no: chunks.last().unwrap().no + 1,
        timeline_ms: kept_ms + 1_000,
    };
    let later = zero + Duration::from_secs(3_600);
    chunks.extend(written(Writer::going_on(later, from), later, 6, 1, false));
    let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.no).collect();
    assert_eq!(
        numbers,
        (0..u32::try_from(chunks.len()).unwrap()).collect::<Vec<_>>()
    );
    let whole: Vec<u8> = chunks
        .iter()
        .flat_map(|chunk| chunk.bytes.clone())
        .collect();
    let tracks = record::read(&whole);
    for track in [&tracks.participant, &tracks.interviewer] {
        let before = track.iter().filter(|(ms, _)| *ms < kept_ms).count();
        let between = track
            .iter()
            .filter(|(ms, _)| (kept_ms + 20..from.timeline_ms).contains(ms))
            .count();
        let (first_ms, _) = track
            .iter()
            .find(|(ms, _)| *ms >= from.timeline_ms)
            .unwrap();
        assert!(
            before * 20 + 100 >= usize::try_from(kept_ms).unwrap(),
            "{before} packets before"
        );
        assert_eq!(between, 0, "nothing is there that was not heard");
        assert!(
            first_ms - from.timeline_ms <= 50,
            "it goes on at {first_ms} ms"
        );
    }
    assert!(
        tracks.duration_ms.abs_diff(from.timeline_ms + 6_000) <= 50,
        "{}",
        tracks.duration_ms
    );
    let finished = stereo::finish(&whole).unwrap();
    assert_eq!(finished.duration_ms, tracks.duration_ms);
}

#[test]
fn the_loss_of_either_part_leaves_the_other_in_its_place() {
    let zero = Instant::now();
    let first = written(Writer::new(zero), zero, 6, 1, true);
    let from = Beginning {
        chunk_no: 9,
        timeline_ms: 6_000,
    };
    let second = written(Writer::going_on(zero, from), zero, 4, 2, false);
    let bytes = |chunks: &[media::Chunk]| {
        chunks
            .iter()
            .flat_map(|chunk| chunk.bytes.clone())
            .collect::<Vec<u8>>()
    };
    assert!(record::read(&bytes(&first)).duration_ms < 6_000);
    let alone = record::read(&bytes(&second));
    assert!(alone.participant.first().unwrap().0.abs_diff(6_000) <= 50);
    assert!(
        alone.duration_ms.abs_diff(10_000) <= 50,
        "{}",
        alone.duration_ms
    );
}
