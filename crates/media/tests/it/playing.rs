//! What the participant hears: pacing, facts, cuts, gaps between deltas, and an empty room.

use std::time::{Duration, Instant};

use engine::ids::ItemId;
use media::DeskFact;

use crate::call::{Call, Link};
use crate::sound::{self, FRAME};

const MS_20: Duration = Duration::from_millis(20);

impl Call {
    /// Gives the desk an utterance at once, as a provider does that is faster than real time.
    fn say(&mut self, item: &str, pcm: &[i16]) {
        let item = ItemId::from(item);
        self.desk.interviewer_audio(self.now, &item, pcm);
        self.desk.interviewer_done(self.now, &item);
    }

    fn started(&self, item: &str) -> Option<Instant> {
        self.facts.iter().find_map(|(_, fact)| match fact {
            DeskFact::PlayoutStarted { item: found, at } if *found == ItemId::from(item) => {
                Some(*at)
            }
            _ => None,
        })
    }

    /// When it ended, how much was played, and whether it was cut.
    fn ended(&self, item: &str) -> Option<(Instant, u32, bool)> {
        let mut found = self.facts.iter().filter_map(|(_, fact)| match fact {
            DeskFact::PlayoutEnded {
                item: found,
                at,
                played_ms,
                cut,
            } if *found == ItemId::from(item) => Some((*at, *played_ms, *cut)),
            _ => None,
        });
        let ended = found.next();
        assert!(found.next().is_none(), "{item} ended twice");
        ended
    }
}

#[test]
fn the_first_frame_leaves_at_once_and_the_facts_tell_the_exact_length() {
    let mut call = Call::up(1, Link::PERFECT);
    let begin = call.now;
    // 1,234 ms: not a whole number of frames.
    call.say("a", &sound::tone(440.0, 1_234));
    call.run_for(Duration::from_secs(3));
    assert_eq!(call.started("a"), Some(begin));
    assert_eq!(
        call.ended("a"),
        Some((begin + Duration::from_millis(1_234), 1_234, false))
    );
    let (_, _, _, first) = call.client_audio[0];
    assert_eq!(first, begin + call.down.delay);
    assert_eq!(call.desk.latency().outbound_us, [0]);
}

/// Packets that carry a copy of the one before: after the table of contents come a bit for voice and one for the copy
/// (RFC 6716, 4.2.3 and 4.2.4); packets without the speech layer (configurations from 16 on) have neither.
fn copies(call: &Call) -> usize {
    let has_copy = |payload: &[u8]| match payload {
        [toc, flags, ..] => toc >> 3 < 16 && flags & 0x40 != 0,
        [] | [_] => false,
    };
    let packets = call.client_audio.iter();
    packets
        .filter(|(_, _, payload, _)| has_copy(payload))
        .count()
}

#[test]
fn copies_against_loss_are_sent_only_to_a_participant_who_reports_loss() {
    let speech = sound::pcm(sound::QUESTION);
    let mut sent = Vec::new();
    for loss_permille in [0, 100] {
        let mut call = Call::up(3, Link::lossy(loss_permille));
        for item in ["a", "b", "c", "d", "e"] {
            call.say(item, &speech);
        }
        call.run_for(Duration::from_secs(20));
        sent.push(copies(&call));
    }
    assert_eq!(
        sent[0], 0,
        "a copy is a second encoding that nobody needs here"
    );
    assert!(sent[1] > 50, "{} copies only", sent[1]);
}

#[test]
fn frames_are_paced_and_sound_as_they_were_given() {
    let mut call = Call::up(2, Link::PERFECT);
    let speech = sound::pcm(sound::QUESTION);
    call.say("a", &speech);
    call.run_for(Duration::from_secs(4));
    for pair in call.client_audio.windows(2) {
        let [(seq, time, _, at), (next_seq, next_time, _, next_at)] = pair else {
            unreachable!()
        };
        assert_eq!(
            (next_seq - seq, next_time - time, *next_at - *at),
            (1, 960, MS_20)
        );
    }
    let heard = call.client_hears();
    let (_, likeness) = sound::best_lag(&speech, &heard, FRAME);
    assert!(likeness > 0.8, "{likeness}");
    // All of it, and two frames of silence behind it.
    assert_eq!(call.client_audio.len(), speech.len().div_ceil(FRAME) + 2);
}

#[test]
fn nothing_is_sent_between_utterances_and_rtp_time_goes_on() {
    let mut call = Call::up(3, Link::PERFECT);
    call.say("a", &sound::tone(440.0, 200));
    call.run_for(Duration::from_secs(5));
    let sent = call.client_audio.len();
    assert_eq!(sent, 12);
    call.say("b", &sound::tone(440.0, 200));
    call.run_for(Duration::from_secs(1));
    let (_, time, _, at) = call.client_audio[sent - 1].clone();
    let (_, next_time, _, next_at) = call.client_audio[sent].clone();
    let media_ms = (next_time - time) as f64 / 48.0;
    let wall_ms = (next_at - at).as_secs_f64() * 1_000.0;
    assert!(
        (media_ms - wall_ms).abs() < 0.1,
        "{media_ms} ms of RTP time in {wall_ms} ms"
    );
}

#[test]
fn utterances_follow_each_other_without_a_gap_and_in_order() {
    let mut call = Call::up(4, Link::PERFECT);
    let begin = call.now;
    call.say("a", &sound::tone(440.0, 500));
    call.say("b", &sound::tone(330.0, 500));
    call.run_for(Duration::from_secs(2));
    let half = begin + Duration::from_millis(500);
    assert_eq!(call.ended("a"), Some((half, 500, false)));
    assert_eq!(call.started("b"), Some(half));
    let order: Vec<bool> = call
        .facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            DeskFact::PlayoutStarted { .. } => Some(true),
            DeskFact::PlayoutEnded { .. } => Some(false),
            _ => None,
        })
        .collect();
    assert_eq!(order, [true, false, true, false]);
}

#[test]
fn a_cut_is_silent_within_one_frame_and_accounts_for_every_millisecond() {
    for at_ms in [0u64, 1, 19, 20, 333, 999] {
        let mut call = Call::up(5, Link::PERFECT);
        call.say("a", &sound::tone(440.0, 2_000));
        call.say("b", &sound::tone(330.0, 2_000));
        call.run_for(Duration::from_millis(at_ms));
        let cut_at = call.now;
        call.with_desk(|desk, now, out| desk.cut(now, out));
        // One frame left at once and one every 20 ms since.
        let frames = at_ms / 20 + 1;
        assert_eq!(
            call.ended("a"),
            Some((cut_at, u32::try_from(frames * 20).unwrap(), true)),
            "cut at {at_ms}"
        );
        assert_eq!(call.ended("b"), Some((cut_at, 0, true)));
        call.run_for(Duration::from_secs(2));
        assert_eq!(call.started("b"), None);
        // Two more: the fade and the silence.
        assert_eq!(call.client_audio.len() as u64, frames + 2, "cut at {at_ms}");
        let heard = call.client_hears();
        let tail = &heard[heard.len() - FRAME..];
        assert!(
            sound::rms(tail) < 250.0,
            "the last frame is silent: {}",
            sound::rms(tail)
        );
    }
}

#[test]
fn what_arrives_late_of_a_cut_or_dropped_utterance_is_not_played() {
    let mut call = Call::up(6, Link::PERFECT);
    let item = ItemId::from("a");
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 1_000));
    call.run_for(Duration::from_millis(300));
    call.with_desk(|desk, now, out| desk.cut(now, out));
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 1_000));
    call.desk.interviewer_done(call.now, &item);
    call.desk.drop_utterance(&ItemId::from("never-heard"));
    call.desk.interviewer_audio(
        call.now,
        &ItemId::from("never-heard"),
        &sound::tone(440.0, 500),
    );
    call.run_for(Duration::from_secs(2));
    assert_eq!(call.client_audio.len(), 16 + 2);
    assert_eq!(call.desk.stats().late_audio_ms, 1_500);
    assert_eq!(call.started("never-heard"), None);
}

#[test]
fn a_dropped_utterance_ends_and_the_next_one_plays() {
    let mut call = Call::up(7, Link::PERFECT);
    call.say("a", &sound::tone(440.0, 1_000));
    call.say("b", &sound::tone(440.0, 200));
    call.run_for(Duration::from_millis(90));
    call.desk.drop_utterance(&ItemId::from("a"));
    call.run_for(Duration::from_secs(1));
    let (_, played_ms, cut) = call.ended("a").unwrap();
    assert_eq!((played_ms, cut), (100, true));
    assert!(matches!(call.ended("b"), Some((_, 200, false))));
}

#[test]
fn a_gap_between_deltas_keeps_the_utterance_open_and_does_not_click() {
    let mut call = Call::up(8, Link::PERFECT);
    let item = ItemId::from("a");
    let tone = sound::tone(440.0, 1_000);
    let (first, rest) = tone.split_at(24 * 410);
    call.desk.interviewer_audio(call.now, &item, first);
    call.run_for(Duration::from_millis(500));
    call.desk.interviewer_audio(call.now, &item, rest);
    call.desk.interviewer_done(call.now, &item);
    call.run_for(Duration::from_secs(2));
    let (_, played_ms, cut) = call.ended("a").unwrap();
    assert_eq!((played_ms, cut), (1_000, false));
    assert_eq!(call.desk.stats().underruns, 1);
    // Bridged: packets went on all the time.
    for pair in call.client_audio.windows(2) {
        assert_eq!(pair[1].1 - pair[0].1, 960);
    }
    let heard = call.client_hears();
    let step = heard
        .windows(2)
        .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
        .max()
        .unwrap();
    let natural = tone
        .windows(2)
        .map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs())
        .max()
        .unwrap();
    assert!(
        step < natural * 2,
        "a step of {step}, the tone has {natural}"
    );
}

#[test]
fn a_long_gap_pauses_sending_and_a_dead_provider_ends_the_utterance() {
    let mut call = Call::up(9, Link::PERFECT);
    let item = ItemId::from("a");
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 400));
    call.run_for(Duration::from_secs(4));
    let sent = call.client_audio.len();
    assert!(
        (30..=34).contains(&sent),
        "{sent} frames for 400 ms of audio and a bridge of 200 ms"
    );
    assert_eq!(call.ended("a"), None);
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 400));
    call.run_for(Duration::from_secs(5));
    assert!(call.client_audio.len() >= sent + 20);
    assert_eq!(call.ended("a"), None);
    call.run_for(Duration::from_secs(10));
    let (_, played_ms, cut) = call.ended("a").unwrap();
    assert_eq!((played_ms, cut), (800, true));
}

#[test]
fn an_end_that_is_announced_after_the_last_frame_still_ends_it() {
    let mut call = Call::up(10, Link::PERFECT);
    let item = ItemId::from("a");
    let begin = call.now;
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 400));
    call.run_for(Duration::from_millis(405));
    call.desk.interviewer_done(call.now, &item);
    call.run_for(Duration::from_secs(1));
    assert_eq!(
        call.ended("a"),
        Some((begin + Duration::from_millis(400), 400, false))
    );

    let item = ItemId::from("b");
    call.desk
        .interviewer_audio(call.now, &item, &sound::tone(440.0, 400));
    call.run_for(Duration::from_secs(3));
    call.desk.interviewer_done(call.now, &item);
    call.run_for(Duration::from_millis(50));
    assert!(matches!(call.ended("b"), Some((_, 400, false))));
}

#[test]
fn small_deltas_and_an_end_that_is_never_announced_do_not_block_the_next_utterance() {
    let mut call = Call::up(11, Link::PERFECT);
    let tone = sound::tone(440.0, 300);
    for piece in tone.chunks(100) {
        call.desk
            .interviewer_audio(call.now, &ItemId::from("a"), piece);
    }
    call.run_for(Duration::from_millis(100));
    call.say("b", &tone);
    call.run_for(Duration::from_secs(2));
    assert!(
        matches!(call.ended("a"), Some((_, 300, false))),
        "{:?}",
        call.facts
    );
    assert!(matches!(call.ended("b"), Some((_, 300, false))));
}

#[test]
fn the_queue_is_bounded_and_says_what_it_threw_away() {
    let mut call = Call::up(12, Link::PERFECT);
    let second = vec![0i16; 24_000];
    for _ in 0..200 {
        call.desk
            .interviewer_audio(call.now, &ItemId::from("a"), &second);
    }
    assert_eq!(call.desk.stats().overflow_ms, 50_000);
    call.with_desk(|desk, now, out| desk.cut(now, out));
    call.run_for(Duration::from_secs(1));
    call.say("b", &second[..4_800]);
    call.run_for(Duration::from_secs(1));
    assert!(matches!(call.ended("b"), Some((_, 200, false))));
}

#[test]
fn a_closing_statement_is_played_into_an_empty_room() {
    let mut call = Call::up(13, Link::PERFECT);
    call.speak(sound::quiet(500));
    call.run_for(Duration::from_secs(1));
    call.with_desk(|desk, now, out| desk.close_peer(now, out));
    let begin = call.now;
    call.say("a", &sound::tone(440.0, 1_000));
    call.run_for(Duration::from_secs(2));
    assert_eq!(
        call.ended("a"),
        Some((begin + Duration::from_secs(1), 1_000, false))
    );
    call.with_desk(|desk, now, out| desk.finish(now, out));
    let loud = media::record::read(&call.recording()).interviewer;
    let loud = loud.iter().filter(|(_, packet)| packet.len() > 10).count();
    assert!(loud >= 50, "{loud} packets in the recording");
}

#[test]
fn a_caller_that_comes_late_gets_no_burst() {
    let mut call = Call::up(14, Link::PERFECT);
    call.say("a", &sound::tone(440.0, 2_000));
    call.run_for(Duration::from_millis(200));
    let before = call.desk_sent;
    let mut out = Vec::new();
    // The process was stopped for a second.
    call.now += Duration::from_secs(1);
    call.desk.timeout(call.now, &mut out);
    let sent = out
        .iter()
        .filter(|output| matches!(output, media::DeskOutput::Transmit { .. }))
        .count();
    assert!(sent <= 6, "{sent} datagrams at once, {before} before");
    call.run_for(Duration::from_secs(3));
    let (_, played_ms, cut) = call.ended("a").unwrap();
    assert_eq!((played_ms, cut), (2_000, false));
}

#[test]
fn silence_before_the_first_word_is_no_voice() {
    let mut world = Call::up(1, Link::PERFECT);
    let mut pcm = vec![0_i16; 24_000 / 4];
    // A hiss that nobody hears, then a tone.
    pcm.extend((0..2_400).map(|sample| if sample % 2 == 0 { 20 } else { -20 }));
    pcm.extend((0..4_800).map(|sample| if sample % 60 < 30 { 6_000 } else { -6_000 }));
    world.say("a", &pcm);
    world.run_for(Duration::from_secs(1));
    let started = world.started("a").unwrap();
    let audible = world.facts.iter().find_map(|(_, fact)| match fact {
        DeskFact::PlayoutAudible { at, .. } => Some(*at),
        _ => None,
    });
    // 250 ms of silence and 100 ms of hiss, to the frame that the tone begins in.
    let after = audible.unwrap() - started;
    assert_eq!(after, Duration::from_millis(340));
}
