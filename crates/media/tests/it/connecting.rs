//! Connections: coming up, going down, being replaced, and text beside the audio.

use std::time::Duration;

use media::{DeskFact, demux};

use crate::call::{Call, Link};
use crate::sound;

#[test]
fn a_call_is_up_within_a_second_and_audio_flows() {
    let mut call = Call::up(1, Link::PERFECT);
    assert!(call.ms(call.now) < 1_000.0, "{} ms", call.ms(call.now));
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(1));
    assert!(call.has(|fact| matches!(fact, DeskFact::AudioFlowing { .. })));
    assert!(
        call.heard.len() >= 24_000 * 9 / 10,
        "{} samples",
        call.heard.len()
    );
}

#[test]
fn a_call_comes_up_at_a_fifth_of_all_datagrams_lost_if_need_be_at_a_second_try() {
    for seed in 0..5 {
        let call = Call::up(seed, Link::lossy(200));
        assert!(call.ms(call.now) < 10_000.0);
    }
}

#[test]
fn the_answer_names_the_fragment_by_which_the_first_datagram_is_found() {
    let mut call = Call::new(3, Link::PERFECT);
    let local = "198.51.100.7:40000".parse().unwrap();
    let (mut client, offer) =
        media::Peer::offer(call.now, &media::PeerConfig { local, cert: None });
    let answer = call.desk.accept(call.now, &offer, &call.net).unwrap();
    client.answer(call.now, &answer.sdp).unwrap();
    let mut out = Vec::new();
    for _ in 0..10 {
        call.now = call.now.max(client.deadline());
        client.timeout(call.now, &mut out);
    }
    let fragments: Vec<&str> = out
        .iter()
        .filter_map(|output| match output {
            media::PeerOutput::Transmit { bytes, .. } => demux::ufrag(bytes),
            _ => None,
        })
        .collect();
    assert!(
        !fragments.is_empty() && fragments.iter().all(|found| *found == answer.ufrag),
        "{fragments:?}"
    );
}

#[test]
fn text_waits_for_the_channel_and_goes_both_ways() {
    let mut call = Call::new(4, Link::lossy(50));
    call.connect();
    call.with_desk(|desk, now, out| desk.send_text(now, "first", out));
    call.with_desk(|desk, now, out| desk.send_text(now, "second", out));
    call.with_client(|client, now, out| client.send_text(now, "mute", out));
    call.run_for(Duration::from_secs(5));
    assert_eq!(call.client_texts, ["first", "second"]);
    assert_eq!(call.texts, ["mute"]);
    call.with_desk(|desk, now, out| desk.send_text(now, "third", out));
    call.run_for(Duration::from_secs(2));
    assert_eq!(call.client_texts, ["first", "second", "third"]);
}

#[test]
fn queued_text_is_bounded() {
    let mut call = Call::new(5, Link::PERFECT);
    call.connect();
    for number in 0..300 {
        call.with_desk(|desk, now, out| desk.send_text(now, &number.to_string(), out));
    }
    call.run_for(Duration::from_secs(2));
    assert_eq!(call.client_texts.len(), 256);
    assert_eq!(call.client_texts.last().map(String::as_str), Some("299"));
    assert_eq!(call.desk.stats().texts_dropped, 44);
}

#[test]
fn a_closed_browser_is_lost_at_once_and_a_vanished_one_after_twenty_five_seconds() {
    let mut call = Call::up(6, Link::PERFECT);
    call.run_for(Duration::from_secs(1));
    call.with_client(|client, now, out| client.close(now, out));
    call.run_for(Duration::from_millis(100));
    assert!(call.has(|fact| *fact == DeskFact::Lost));

    let mut call = Call::up(7, Link::PERFECT);
    call.client = None;
    call.run_for(Duration::from_secs(24));
    assert!(!call.has(|fact| *fact == DeskFact::Lost));
    call.run_for(Duration::from_secs(2));
    assert!(call.has(|fact| *fact == DeskFact::Lost));
    let sent = call.desk_sent;
    call.run_for(Duration::from_secs(60));
    assert_eq!(
        call.desk_sent, sent,
        "nothing is sent to a peer that is gone"
    );
}

#[test]
fn a_closed_desk_is_noticed_by_the_participant_without_a_fact_for_the_closer() {
    let mut call = Call::up(8, Link::PERFECT);
    call.with_desk(|desk, now, out| desk.close_peer(now, out));
    call.run_for(Duration::from_secs(1));
    assert!(call.client_lost);
    assert!(!call.has(|fact| *fact == DeskFact::Lost));
}

#[test]
fn an_idle_call_sleeps() {
    let mut call = Call::up(9, Link::PERFECT);
    call.run_for(Duration::from_secs(5));
    let before = call.now;
    let mut wakes = 0;
    while call.now < before + Duration::from_secs(10) {
        let deadline = call.desk.deadline();
        assert!(deadline > call.now);
        call.run_for(deadline - call.now);
        wakes += 1;
    }
    assert!(wakes < 100, "{wakes} wake-ups in 10 s");
}

#[test]
fn noise_from_the_internet_changes_nothing() {
    let mut call = Call::up(10, Link::PERFECT);
    let mut rng = fastrand::Rng::with_seed(10);
    for length in 0..400 {
        let mut bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
        // As STUN, DTLS, RTP and anything else.
        if let Some(first) = bytes.first_mut() {
            *first = [0, 22, 128, 200][length % 4];
        }
        for source in ["203.0.113.9:5000", "198.51.100.7:40001"] {
            let source = source.parse().unwrap();
            let destination = "192.0.2.1:7000".parse().unwrap();
            let datagram = media::Datagram {
                proto: media::Proto::Udp,
                source,
                destination,
                bytes: &bytes,
            };
            let mut out = Vec::new();
            call.desk.datagram(call.now, datagram, &mut out);
        }
    }
    call.speak(sound::packets(sound::ANSWER));
    call.run_for(Duration::from_secs(3));
    assert!(call.heard.len() > 24_000 * 2);
    assert!(!call.has(|fact| *fact == DeskFact::Lost));
}
