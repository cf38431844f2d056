#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use sim::corpus::Corpus;
use sim::participant::Tap;

use super::*;

/// Silence, with tones from and until these milliseconds.
fn sound(length_ms: u32, tones: &[(u32, u32)], level: i16) -> Vec<i16> {
    let mut pcm = vec![0; sample_of(length_ms)];
    for (from, until) in tones {
        for (index, sample) in pcm[sample_of(*from)..sample_of(*until)]
            .iter_mut()
            .enumerate()
        {
            *sample = if index % 50 < 25 { level } else { -level };
        }
    }
    pcm
}

fn spoke(ends: &[(u32, u32)]) -> Vec<Spoke> {
    let own = ends.iter();
    own.map(|(from_ms, until_ms)| Spoke {
        from_ms: *from_ms,
        until_ms: *until_ms,
    })
    .collect()
}

#[test]
fn latency_runs_from_the_end_of_own_speech_to_the_first_audible_frame() {
    let pcm = sound(
        10_000,
        &[(400, 1_000), (3_700, 5_000), (7_500, 8_000)],
        3_000,
    );
    let measured = measure(&pcm, &spoke(&[(1_500, 3_000), (5_500, 7_000)]));
    assert_eq!(measured.first_voice_ms, Some(400));
    assert_eq!(measured.heard_latencies_ms, [700, 500]);
    assert_eq!((measured.overlapped, measured.unanswered), (0, 0));
}

#[test]
fn quiet_sound_is_not_audible() {
    let pcm = sound(2_000, &[(0, 2_000)], 200);
    assert_eq!(measure(&pcm, &[]).first_voice_ms, None);
    let pcm = sound(2_000, &[(0, 2_000)], 300);
    assert_eq!(measure(&pcm, &[]).first_voice_ms, Some(0));
}

#[test]
fn speech_into_the_interviewer_and_speech_without_an_answer_measure_nothing() {
    let pcm = sound(9_000, &[(0, 3_500), (8_000, 8_500)], 3_000);
    let measured = measure(
        &pcm,
        &spoke(&[(2_000, 3_000), (4_000, 5_000), (6_000, 7_000)]),
    );
    assert_eq!((measured.overlapped, measured.unanswered), (1, 1));
    assert_eq!(measured.heard_latencies_ms, [1_000]);
}

#[test]
fn ends_beyond_the_file_are_unanswered() {
    let measured = measure(&sound(1_000, &[], 0), &spoke(&[(500, 5_000)]));
    assert_eq!((measured.first_voice_ms, measured.unanswered), (None, 1));
}

#[tokio::test]
async fn what_is_heard_stands_in_the_file_when_it_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let (tap, tapped) = Tap::new(1_000);
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    let clip = Corpus::embedded().get("q-exploration-cost-1").unwrap();
    tap.tell(Sound::Up { at: began });
    tap.tell(Sound::Speaks { at: at(100) });
    tap.tell(Sound::Spoke { at: at(900) });
    for (seq, opus) in (0_u64..).zip(clip.packets()) {
        let (at, opus) = (at(2_000 + seq * 20), opus.clone());
        tap.tell(Sound::Packet { at, seq, opus });
    }
    drop(tap);
    let recorded = record(tapped, path).await.unwrap().unwrap();
    assert_eq!((recorded.missed, recorded.spoke.len()), (0, 1));
    let pcm = read(&recorded.file).unwrap();
    assert_eq!(pcm.len(), sample_of(2_000) + clip.packets().len() * FRAME);
    let measured = measure(&pcm, &recorded.spoke);
    let first = measured.first_voice_ms.unwrap();
    assert!((2_000..2_200).contains(&first), "{measured:?}");
    assert_eq!(measured.heard_latencies_ms, [first - 900]);
}
