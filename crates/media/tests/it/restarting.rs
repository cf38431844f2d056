//! ICE restarts: the path changes, nothing above it notices.

use std::time::{Duration, Instant};

use engine::ids::ItemId;
use media::{
    Datagram, DeskFact, DeskOutput, Peer, PeerConfig, PeerGone, Proto, RestartError, demux,
};

use crate::call::{Call, Link};
use crate::sound;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long both sides speak.
const TALK_MS: usize = 30_000;

/// Both sides speak; the call is returned 3 s later.
fn talking(seed: u64, link: Link) -> Call {
    let mut call = Call::up(seed, link);
    call.speak(sound::encode(&sound::tone(300.0, TALK_MS)));
    let question = sound::tone(500.0, TALK_MS);
    call.with_desk(|desk, now, _| {
        desk.interviewer_audio(now, &ItemId::from("question"), &question)
    });
    call.with_desk(|desk, now, _| desk.interviewer_done(now, &ItemId::from("question")));
    call.run_for(ms(3_000));
    call
}

/// Loudness of what the model heard since then, for whole frames.
fn loud(call: &Call, since: Instant) -> f64 {
    let first = call.heard_at.partition_point(|at| *at < since);
    sound::rms(&call.heard[first * sound::FRAME..])
}

fn hears(call: &Call, since: Instant) -> usize {
    let new = call.client_audio.iter().filter(|(.., at)| *at >= since);
    new.count()
}

/// Runs until both sides hear each other again.
fn back(call: &mut Call, most: Duration) {
    let (from, packets) = (call.now, call.desk.stats().packets_in);
    call.wait_for(most, |call| {
        call.desk.stats().packets_in >= packets + 5 && hears(call, from) >= 5
    });
}

/// The connection is the one that it was, and nothing above it was told anything.
fn unharmed(call: &mut Call) {
    let lives = |fact: &DeskFact| matches!(fact, DeskFact::Up | DeskFact::AudioFlowing { .. });
    let count = call.facts.iter().filter(|(_, fact)| lives(fact)).count();
    assert_eq!(count, 2, "one connection: {:?}", call.facts);
    assert!(!call.has(|fact| *fact == DeskFact::Lost) && !call.client_lost);
    // The data channel rests on the DTLS session, whose keys are those of the beginning.
    let texts = (call.texts.len(), call.client_texts.len());
    call.with_desk(|desk, now, out| desk.send_text(now, "still", out));
    call.with_client(|client, now, out| client.send_text(now, "here", out));
    call.wait_for(ms(60_000), |call| {
        (call.texts.len(), call.client_texts.len()) == (texts.0 + 1, texts.1 + 1)
    });
    // The utterance goes on to its end, and its packets are numbered on without a hole.
    let over = |fact: &DeskFact| {
        matches!(
            fact,
            DeskFact::PlayoutEnded {
                cut: false,
                played_ms: 30_000,
                ..
            }
        )
    };
    call.wait_for(ms(60_000), |call| call.has(over));
    call.run_for(ms(500));
    let (first, last) = (
        call.client_audio.first().unwrap(),
        call.client_audio.last().unwrap(),
    );
    assert_eq!(
        last.1 - first.1,
        (last.0 - first.0) * 960,
        "one sequence of audio"
    );
    assert!(last.0 - first.0 > 1_450, "all of it: {}", last.0 - first.0);
}

#[test]
fn a_new_address_costs_nothing_but_the_time_without_a_network() {
    for (seed, link, most) in [
        (1, Link::PERFECT, ms(200)),
        (2, Link::lossy(0), ms(500)),
        (3, Link::lossy(50), ms(5_000)),
        (4, Link::lossy(200), ms(5_000)),
    ] {
        let mut call = talking(seed, link);
        call.hop();
        call.run_for(ms(1_000));
        let cut_off = call.now;
        call.restart();
        back(&mut call, most);
        call.run_for(ms(1_000));
        assert!(
            loud(&call, call.now - ms(900)) > 2_000.0,
            "the tone itself arrives"
        );
        assert!(hears(&call, cut_off) >= 20);
        unharmed(&mut call);
        let spoken = call.ms(*call.heard_at.last().unwrap()) - call.ms(call.heard_at[0]);
        let heard = call.heard.len() as f64 / 24.0;
        assert!(
            (spoken - heard).abs() < 400.0,
            "one timeline: {heard} of {spoken} ms"
        );
    }
}

#[test]
fn a_restart_while_the_old_path_works_loses_not_one_packet() {
    for moves in [false, true] {
        let mut call = talking(5, Link::PERFECT);
        if moves {
            call.hop();
            call.dead.clear();
        }
        call.restart();
        back(&mut call, ms(1_000));
        unharmed(&mut call);
        let stats = call.desk.stats();
        assert_eq!(
            (stats.packets_lost, stats.packets_late),
            (0, 0),
            "moves: {moves}"
        );
        assert_eq!(stats.packets_in, 1_500);
        let newest = &call.client_sent.last().unwrap().0;
        assert_eq!(*newest, call.address(), "audio uses the new path");
    }
}

#[test]
fn what_is_still_on_its_way_on_a_slower_old_path_is_taken() {
    let mut call = talking(12, Link::PERFECT);
    call.detour = Some((call.address(), ms(200)));
    call.run_for(ms(1_000));
    call.hop();
    call.dead.clear();
    call.restart();
    unharmed(&mut call);
    let stats = call.desk.stats();
    assert_eq!(stats.packets_in, 1_500, "{stats:?}");
    assert!(stats.packets_late > 0, "the new path overtook: {stats:?}");
}

#[test]
fn two_restarts_in_a_row_end_on_the_last_path() {
    for pause in [ms(0), ms(30), ms(1_500)] {
        let mut call = talking(6, Link::lossy(0));
        call.hop();
        call.restart();
        call.run_for(pause);
        call.hop();
        call.restart();
        back(&mut call, ms(1_000));
        unharmed(&mut call);
        assert_eq!(call.client_sent.last().unwrap().0, call.address());
    }
}

#[test]
fn every_restart_has_credentials_of_its_own_and_names_them_in_its_candidates() {
    let mut call = Call::up(7, Link::PERFECT);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (asked, answered) = call.restart();
        assert_eq!(asked.mid, answered.mid);
        assert_eq!(
            answered.candidates.len(),
            2,
            "UDP and TCP: {:?}",
            answered.candidates
        );
        for line in &answered.candidates {
            assert!(
                line.ends_with(&format!(" ufrag {}", answered.ufrag)),
                "{line}"
            );
        }
        assert!(!seen.contains(&answered.ufrag) && !seen.contains(&answered.pwd));
        seen.extend([answered.ufrag, answered.pwd]);
        call.run_for(ms(500));
    }
}

/// Hands the desk these bytes from a stranger's address; how much it answers to that address, then and within 3 s.
fn from_stranger(call: &mut Call, bytes: &[u8]) -> usize {
    let source = "203.0.113.9:5000".parse().unwrap();
    let datagram = Datagram {
        proto: Proto::Udp,
        source,
        destination: "192.0.2.1:7000".parse().unwrap(),
        bytes,
    };
    let mut out = Vec::new();
    call.desk.datagram(call.now, datagram, &mut out);
    let answered = |output: &&DeskOutput| matches!(output, DeskOutput::Transmit { destination, .. } if *destination == source);
    out.iter().filter(answered).count()
}

#[test]
fn wrong_or_old_credentials_do_not_hijack() {
    let mut call = talking(8, Link::PERFECT);
    let checks = |call: &Call| -> Vec<Vec<u8>> {
        let sent = call.client_sent.iter().map(|(_, bytes)| bytes.clone());
        sent.filter(|bytes| demux::ufrag(bytes).is_some()).collect()
    };
    let old = checks(&call);
    call.client_sent.clear();
    call.hop();
    let (_, answered) = call.restart();
    back(&mut call, ms(1_000));
    let new = checks(&call);
    assert!(
        !old.is_empty()
            && new
                .iter()
                .any(|check| demux::ufrag(check) == Some(&answered.ufrag))
    );
    for check in &old {
        assert_eq!(from_stranger(&mut call, check), 0, "an old check, repeated");
    }
    // A stranger who read the user fragment on the wire, but knows no password.
    let local = "203.0.113.9:5000".parse().unwrap();
    let (mut stranger, _) = Peer::offer(call.now, &PeerConfig { local, cert: None });
    stranger.restart_offer(local).unwrap();
    let mut guessed = answered;
    guessed.pwd = "0123456789abcdefghijkl".to_owned();
    stranger.restart_answer(call.now, &guessed).unwrap();
    let mut tried = 0;
    let mut out = Vec::new();
    for _ in 0..20 {
        let due = stranger.deadline().max(call.now);
        call.run_for(due - call.now);
        stranger.timeout(call.now, &mut out);
        for output in out.drain(..) {
            if let media::PeerOutput::Transmit { bytes, .. } = output {
                tried += usize::from(demux::ufrag(&bytes) == Some(&guessed.ufrag));
                assert_eq!(from_stranger(&mut call, &bytes), 0);
            }
        }
    }
    assert!(tried >= 5, "{tried} checks");
    back(&mut call, ms(200));
    unharmed(&mut call);
}

#[test]
fn ten_seconds_of_silence_from_the_network_cost_nothing() {
    let mut call = talking(9, Link::PERFECT);
    call.dead.push(call.address());
    call.run_for(ms(10_000));
    call.dead.clear();
    back(&mut call, ms(5_000));
    unharmed(&mut call);
}

#[test]
fn a_restart_may_come_after_eighteen_seconds_of_silence() {
    let mut call = talking(10, Link::PERFECT);
    call.hop();
    call.run_for(ms(18_000));
    call.restart();
    back(&mut call, ms(1_000));
    assert!(!call.has(|fact| *fact == DeskFact::Lost));
}

#[test]
fn who_is_silent_for_25_s_is_lost_and_cannot_be_restarted() {
    let mut call = talking(11, Link::PERFECT);
    let local = call.address();
    let asked = call.client.as_mut().unwrap().restart_offer(local).unwrap();
    call.hop();
    call.run_for(ms(24_500));
    assert!(!call.has(|fact| *fact == DeskFact::Lost));
    call.run_for(ms(5_500));
    assert!(call.has(|fact| *fact == DeskFact::Lost));
    let gone = RestartError::Gone(PeerGone);
    assert_eq!(call.desk.restart(call.now, &asked), Err(gone));
}

#[test]
fn a_silence_of_the_network_is_told_once_with_its_length() {
    let mut call = talking(14, Link::PERFECT);
    let cut_off = call.ms(call.now);
    call.hop();
    call.run_for(ms(3_000));
    call.restart();
    back(&mut call, ms(1_000));
    call.run_for(ms(1_000));
    let gaps: Vec<(f64, f64)> = call
        .facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            DeskFact::NetworkGap { from, to } => Some((call.ms(*from), call.ms(*to))),
            _ => None,
        })
        .collect();
    let [(from, to)] = gaps[..] else {
        panic!("one gap: {gaps:?}")
    };
    assert!(
        (from - cut_off).abs() < 40.0,
        "{from} to {to}, cut off at {cut_off}"
    );
    assert!((to - cut_off - 3_000.0).abs() < 200.0, "{from} to {to}");
    unharmed(&mut call);
}

#[test]
fn credentials_that_the_connection_has_already_are_no_restart() {
    let mut call = talking(13, Link::PERFECT);
    let local = call.address();
    let (mut client, offer) = Peer::offer(call.now, &PeerConfig { local, cert: None });
    let (asked, _) = call.restart();
    back(&mut call, ms(1_000));
    let again = call.desk.restart(call.now, &asked);
    assert_eq!(again, Err(RestartError::NotNew));
    call.run_for(ms(500));
    unharmed(&mut call);
    // Those of the offer are known as well, here of another connection.
    call.desk.accept(call.now, &offer, &call.net).unwrap();
    let mut trickled = client.restart_offer(local).unwrap();
    let offered = offer
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    trickled.ufrag = offered.unwrap().to_owned();
    let trickled = call.desk.restart(call.now, &trickled);
    assert_eq!(trickled, Err(RestartError::NotNew));
}
