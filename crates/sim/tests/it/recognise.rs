//! What the recogniser hears through codecs, losses, noise and level changes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use sim::corpus::{Bed, Clip, Corpus, RATE_HZ, Role};
use sim::recognise::{Extent, Heard, Recogniser, transcript};

const PACKET: usize = 480;

/// Through Opus as WebRTC does it: 24 kbit/s, 20 ms, with some packets lost and concealed.
fn opus(pcm: &[i16], loss_permille: u32, seed: u64) -> Vec<i16> {
    let mut encoder =
        opus::Encoder::new(RATE_HZ, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(24_000)).unwrap();
    encoder.set_complexity(5).unwrap();
    let mut decoder = opus::Decoder::new(RATE_HZ, opus::Channels::Mono).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = Vec::new();
    for frame in pcm.chunks(PACKET) {
        let mut whole = frame.to_vec();
        whole.resize(PACKET, 0);
        let packet = encoder.encode_vec(&whole, 1500).unwrap();
        let packet = if random.u32(0..1000) < loss_permille {
            &[]
        } else {
            packet.as_slice()
        };
        let mut pcm = [0; PACKET];
        decoder.decode(packet, &mut pcm, false).unwrap();
        out.extend_from_slice(&pcm);
    }
    out
}

fn twice(pcm: &[i16]) -> Vec<i16> {
    opus(&opus(pcm, 0, 1), 0, 2)
}

fn gain(pcm: &[i16], db: f32) -> Vec<i16> {
    let factor = 10f32.powf(db / 20.0);
    pcm.iter()
        .map(|s| (f32::from(*s) * factor) as i16)
        .collect()
}

fn energy(pcm: &[i16]) -> f32 {
    pcm.iter()
        .map(|s| f32::from(*s) * f32::from(*s))
        .sum::<f32>()
        / pcm.len() as f32
}

/// With a noise under it at this signal-to-noise ratio.
fn noisy(pcm: &[i16], noise: &[i16], snr_db: f32) -> Vec<i16> {
    let level = (energy(pcm) / energy(noise) / 10f32.powf(snr_db / 10.0)).sqrt();
    pcm.iter()
        .zip(noise.iter().cycle())
        .map(|(s, n)| (f32::from(*s) + f32::from(*n) * level) as i16)
        .collect()
}

fn white(samples: usize) -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..samples).map(|_| random.i16(-3000..3000)).collect()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * RATE_HZ as usize / 1000]
}

fn clip(id: &str) -> &'static Clip {
    Corpus::embedded().get(id).unwrap()
}

/// Some clips of every kind and voice; all of them with `CLIP_STEP=1`.
fn some() -> Vec<&'static Clip> {
    let step = std::env::var("CLIP_STEP")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(11);
    Corpus::embedded().clips().iter().step_by(step).collect()
}

/// Every clip comes out word for word, and nothing else, however it was treated.
fn check_whole(treat: impl Fn(&Clip) -> Vec<i16>) {
    let recogniser = Recogniser::embedded();
    let mut wrong = Vec::new();
    for clip in some() {
        let heard = recogniser.recognise(&treat(clip));
        if transcript(&heard) != clip.text {
            wrong.push(format!("{}: {}\n     got {heard:?}", clip.id, clip.text));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} clips wrong:\n{}",
        wrong.len(),
        some().len(),
        wrong.join("\n")
    );
}

#[test]
fn clips_survive_two_opus_codings_word_for_word() {
    check_whole(|clip| twice(clip.pcm()));
}

#[test]
fn clips_survive_five_percent_loss() {
    check_whole(|clip| opus(&opus(clip.pcm(), 50, clip.duration_ms.into()), 0, 1));
}

#[test]
fn clips_survive_a_cafe_at_ten_decibels() {
    let cafe = Bed::Cafe.pcm();
    check_whole(|clip| opus(&noisy(clip.pcm(), &cafe, 10.0), 0, 1));
}

#[test]
fn clips_survive_white_noise_at_ten_decibels() {
    let noise = white(240_000);
    check_whole(|clip| opus(&noisy(clip.pcm(), &noise, 10.0), 0, 1));
}

#[test]
fn clips_survive_other_levels() {
    check_whole(|clip| opus(&gain(clip.pcm(), 12.0), 0, 1));
    check_whole(|clip| opus(&gain(clip.pcm(), -12.0), 0, 1));
}

#[test]
fn clips_survive_silence_around_them_and_an_odd_start() {
    check_whole(|clip| {
        let mut pcm = silence(700);
        pcm.extend_from_slice(clip.pcm());
        pcm.extend(silence(500));
        twice(&pcm[137..])
    });
}

/// The words of two parts together are the clip's words, in order, each once.
#[test]
fn two_parts_of_a_clip_give_every_word_once() {
    let recogniser = Recogniser::embedded();
    let mut wrong = Vec::new();
    for clip in some().into_iter().filter(|clip| clip.duration_ms > 3000) {
        let pcm = twice(clip.pcm());
        for permille in [300, 450, 618, 777] {
            let at = pcm.len() * permille / 1000;
            let (first, second) = (
                recogniser.recognise(&pcm[..at]),
                recogniser.recognise(&pcm[at..]),
            );
            let both = format!("{} {}", transcript(&first), transcript(&second));
            if both != clip.text {
                wrong.push(format!(
                    "{} at {permille}: {}\n   {}\n   {}",
                    clip.id,
                    clip.text,
                    transcript(&first),
                    transcript(&second)
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A pause ends a turn; what was said before it and after it are two turns, cut between the right words.
#[test]
fn a_thinking_pause_splits_a_clip_at_the_right_word() {
    for (id, before, after) in [
        (
            "a-maya-exploration-focus-1",
            "is me, to be fair.",
            "I check messages",
        ),
        ("a-victor-wrapup-anything-1", "at night,", "and some of it"),
        (
            "a-owen-wrapup-anything-1",
            "To be fair to them,",
            "the new team",
        ),
        (
            "a-leon-probing-tools-1",
            "The terminal, though.",
            "If you took away",
        ),
        ("a-tasha-exploration-cost-1", "So,", "I guess I never"),
    ] {
        let pcm = twice(clip(id).pcm());
        let quiet = longest_quiet(&pcm);
        let recogniser = Recogniser::embedded();
        let (first, second) = (
            recogniser.recognise(&pcm[..quiet]),
            recogniser.recognise(&pcm[quiet..]),
        );
        assert!(transcript(&first).ends_with(before), "{id}: {first:?}");
        assert!(transcript(&second).starts_with(after), "{id}: {second:?}");
        assert_eq!(first[0].extent, Extent::Part);
    }
}

/// The middle of the longest quiet stretch.
fn longest_quiet(pcm: &[i16]) -> usize {
    let quiet: Vec<bool> = pcm
        .chunks(240)
        .map(|frame| energy(frame) < 150.0 * 150.0)
        .collect();
    let (mut best, mut run) = ((0, 0), 0);
    for (no, quiet) in quiet.iter().enumerate() {
        run = if *quiet { run + 1 } else { 0 };
        best = best.max((run, no));
    }
    (best.1 - best.0 / 2) * 240
}

/// The interviewer was interrupted: its audio stops in the middle, and silence follows.
#[test]
fn a_clip_that_is_cut_off_gives_only_the_words_that_were_said() {
    let recogniser = Recogniser::embedded();
    for (id, words) in [
        (
            "q-exploration-tools-1",
            "Which tools do you rely on most when you",
        ),
        ("q-probing-tools-1", "You mentioned a tool you could not do"),
        ("s-greeting-1", "Hello, and thank you for joining."),
    ] {
        let mut pcm = clip(id).pcm()[..RATE_HZ as usize * 2].to_vec();
        pcm.extend(silence(1500));
        let heard = recogniser.recognise(&twice(&pcm));
        assert_eq!(transcript(&heard), words);
        assert!((1800..2400).contains(&heard[0].end_ms), "{heard:?}");
    }
}

#[test]
fn clips_in_a_row_come_out_in_order() {
    let ids = [
        "s-ack-2",
        "q-probing-why-1",
        "a-owen-probing-why-1",
        "s-ack-4",
        "q-exploration-cost-1",
        "a-maya-warmup-ready-1",
    ];
    let mut pcm = silence(300);
    let mut words = Vec::new();
    for id in ids {
        pcm.extend_from_slice(clip(id).pcm());
        pcm.extend(silence(150));
        words.push(clip(id).text.as_str());
    }
    let heard = Recogniser::embedded().recognise(&twice(&pcm));
    assert_eq!(transcript(&heard), words.join(" "));
    assert!(heard.iter().all(|h| h.extent == Extent::Whole));
    assert!(
        heard
            .windows(2)
            .all(|pair| pair[0].end_ms <= pair[1].start_ms)
    );
}

#[test]
fn silence_and_noise_are_nothing() {
    let recogniser = Recogniser::embedded();
    let seconds = 10 * RATE_HZ as usize;
    for pcm in [
        vec![],
        vec![0; 100],
        vec![0; seconds],
        white(seconds),
        opus(&white(seconds), 0, 1),
        Bed::QuietRoom.pcm(),
    ] {
        assert_eq!(transcript(&recogniser.recognise(&pcm)), "");
    }
}

#[test]
fn speech_that_the_corpus_lacks_is_unknown() {
    let corpus = Corpus::embedded();
    // Without a whole voice: nothing that it says may be taken for something else.
    for persona in ["nora", "leon"] {
        let known = Recogniser::of(corpus.clips().iter().filter(|clip| clip.persona != persona));
        for clip in some().into_iter().filter(|clip| clip.persona == persona) {
            let heard = known.recognise(&twice(clip.pcm()));
            assert!(
                !heard.is_empty() && heard.iter().all(|h| h.clip.is_none()),
                "{}: {heard:?}",
                clip.id
            );
        }
    }
    // Without a single clip: also the same voice saying other words is not it.
    for held_out in some().into_iter().step_by(3) {
        let known = Recogniser::of(
            corpus
                .clips()
                .iter()
                .filter(|clip| clip.persona == held_out.persona && clip.id != held_out.id),
        );
        let heard = known.recognise(&twice(held_out.pcm()));
        // Both greetings contain the very same sentence.
        let is_right = |h: &Heard| {
            h.clip.is_none()
                || held_out
                    .text
                    .to_lowercase()
                    .contains(&h.text.to_lowercase())
        };
        assert!(heard.iter().all(is_right), "{}: {heard:?}", held_out.id);
    }
}

#[test]
fn known_speech_beside_unknown_speech_is_told_apart() {
    let corpus = Corpus::embedded();
    let known = Recogniser::of(
        corpus
            .clips()
            .iter()
            .filter(|clip| clip.role == Role::Interviewer),
    );
    let mut pcm = clip("a-owen-probing-why-1").pcm().to_vec();
    pcm.extend(silence(400));
    pcm.extend_from_slice(clip("q-probing-why-1").pcm());
    let heard = known.recognise(&twice(&pcm));
    assert_eq!(
        transcript(&heard),
        "[unrecognised speech] What makes you say that?"
    );
}

/// Prints what a look-up costs; a bound on it would make the test depend on the machine.
#[expect(clippy::print_stdout, reason = "the figure is what this test is for")]
#[test]
fn looking_up_is_measured() {
    let before = Instant::now();
    let recogniser = Recogniser::of(Corpus::embedded().clips());
    let built = before.elapsed();
    let pcm: Vec<i16> = some().iter().flat_map(|clip| clip.pcm()).copied().collect();
    let before = Instant::now();
    let heard = recogniser.recognise(&pcm);
    let took = before.elapsed();
    let audio_s = pcm.len() as f64 / f64::from(RATE_HZ);
    println!(
        "index built in {built:?}; {audio_s:.0} s of audio in {took:?}: {:.0} times real time",
        audio_s / took.as_secs_f64()
    );
    assert_eq!(heard.len(), some().len());
}
