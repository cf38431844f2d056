//! Offers that cannot become an interview: each gets its own words.

use std::time::Instant;

use media::{Certificate, Desk, DeskConfig, NetConfig, OfferError, Peer, PeerConfig};

/// The head and one section each, as Chromium writes them (shortened to what is looked at).
const HEAD: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n";
const TRANSPORT: &str = "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:AbCd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n\
a=ice-options:trickle\r\na=fingerprint:sha-256 01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F:20\r\n\
a=setup:actpass\r\n";

fn audio(mid: &str, direction: &str, codec: &str) -> String {
    format!(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{TRANSPORT}a=mid:{mid}\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na={direction}\r\na=msid:- track\r\na=rtcp-mux\r\n\
         a=rtpmap:111 {codec}\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:1234 cname:x\r\n\
         a=candidate:1 1 udp 2122260223 0a1b2c3d-0000-4000-8000-000000000000.local 50000 typ host\r\n"
    )
}

fn video(mid: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{TRANSPORT}a=mid:{mid}\r\na=sendrecv\r\na=msid:- camera\r\na=rtcp-mux\r\n\
         a=rtpmap:96 VP8/90000\r\na=ssrc:5678 cname:x\r\n"
    )
}

fn data(mid: &str) -> String {
    format!(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{TRANSPORT}a=mid:{mid}\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
    )
}

fn offer(sections: &[String]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|n| n.to_string()).collect();
    format!(
        "{HEAD}a=group:BUNDLE {}\r\n{}",
        mids.join(" "),
        sections.concat()
    )
}

fn answer(sdp: &str) -> Result<String, OfferError> {
    let now = Instant::now();
    let udp = vec![
        "192.0.2.1:7000".parse().unwrap(),
        "[2001:db8::1]:7000".parse().unwrap(),
    ];
    let tcp = vec!["192.0.2.1:7001".parse().unwrap()];
    let net = NetConfig {
        udp,
        tcp,
        cert: Certificate::generate(),
    };
    let mut desk = Desk::new(now, DeskConfig::default()).unwrap();
    desk.accept(now, sdp, &net).map(|answer| answer.sdp)
}

fn refuse(sdp: &str) -> OfferError {
    answer(sdp).unwrap_err()
}

#[test]
fn a_browsers_offer_is_answered_with_our_candidates_and_opus_alone() {
    let sdp = answer(&offer(&[audio("0", "sendrecv", "opus/48000/2"), data("1")])).unwrap();
    for wanted in [
        "a=ice-lite",
        "a=setup:passive",
        "a=rtpmap:111 opus/48000/2",
        "useinbandfec=1",
        "a=group:BUNDLE 0 1",
        "udp",
        "192.0.2.1 7000 typ host",
        "2001:db8::1 7000 typ host",
        "192.0.2.1 7001 typ host tcptype passive",
        "m=application 9",
    ] {
        assert!(sdp.contains(wanted), "no {wanted} in\n{sdp}");
    }
    assert!(
        !sdp.contains("transport-wide-cc") && !sdp.contains("nack"),
        "{sdp}"
    );
}

#[test]
fn garbage_is_called_garbage() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(20_000));
    for text in [
        "",
        "hello",
        "{\"type\":\"offer\"}",
        "v=0",
        "v=1\r\n",
        "m=audio 9\r\n",
        long.as_str(),
    ] {
        let error = refuse(text);
        assert!(
            matches!(error, OfferError::NotSdp(_) | OfferError::NoAudio),
            "{text:.20}: {error}"
        );
    }
    assert!(refuse("hello").to_string().contains("createOffer"));
}

#[test]
fn an_offer_without_audio_says_what_is_missing() {
    assert_eq!(refuse(&offer(&[data("0")])), OfferError::NoAudio);
    assert_eq!(
        refuse(&offer(&[video("0"), data("1")])),
        OfferError::VideoOnly
    );
    assert_eq!(
        refuse(&offer(&[audio("0", "sendrecv", "PCMU/8000")])),
        OfferError::NoOpus
    );
    for direction in ["recvonly", "sendonly", "inactive"] {
        let error = refuse(&offer(&[audio("0", direction, "opus/48000/2")]));
        assert_eq!(error, OfferError::OneWay(direction));
        assert!(error.to_string().contains(direction) && error.to_string().contains("microphone"));
    }
}

#[test]
fn an_offer_that_lacks_what_a_connection_needs_is_unusable() {
    let whole = offer(&[audio("0", "sendrecv", "opus/48000/2")]);
    for cut in ["a=fingerprint:", "a=ice-ufrag:", "a=ice-pwd:", "a=mid:"] {
        let without: String = whole
            .lines()
            .filter(|line| !line.starts_with(cut))
            .flat_map(|line| [line, "\r\n"])
            .collect();
        let error = refuse(&without);
        assert!(
            matches!(error, OfferError::Unusable(_) | OfferError::NotSdp(_)),
            "without {cut}: {error}"
        );
    }
}

#[test]
fn video_beside_audio_is_refused_and_the_audio_accepted() {
    for sections in [
        [
            audio("0", "sendrecv", "opus/48000/2"),
            video("1"),
            data("2"),
        ],
        [
            video("0"),
            audio("1", "sendrecv", "opus/48000/2"),
            data("2"),
        ],
        [
            audio("0", "sendrecv", "opus/48000/2"),
            audio("1", "sendrecv", "opus/48000/2"),
            data("2"),
        ],
    ] {
        let sdp = answer(&offer(&sections)).unwrap();
        let lines: Vec<&str> = sdp.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(
            lines.len(),
            3,
            "an answer has as many sections as its offer\n{sdp}"
        );
        let refused = lines
            .iter()
            .filter(|line| line.split(' ').nth(1) == Some("0"))
            .count();
        assert_eq!(refused, 1, "{sdp}");
        assert!(
            lines.iter().any(|line| line.starts_with("m=audio 9")),
            "{sdp}"
        );
    }
}

#[test]
fn an_offer_cut_off_anywhere_or_with_lines_swapped_never_panics() {
    let whole = offer(&[
        audio("0", "sendrecv", "opus/48000/2"),
        video("1"),
        data("2"),
    ]);
    let lines: Vec<&str> = whole.lines().collect();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let mut mixed = lines.clone();
        for _ in 0..rng.usize(1..6) {
            let (a, b) = (rng.usize(0..mixed.len()), rng.usize(0..mixed.len()));
            mixed.swap(a, b);
        }
        mixed.truncate(rng.usize(1..=mixed.len()));
        let _ = answer(&mixed.join("\r\n"));
    }
    for end in (0..whole.len()).step_by(7) {
        let _ = answer(&whole[..end]);
    }
}

#[test]
fn a_refused_offer_leaves_the_older_peer_alone() {
    let mut call = crate::call::Call::up(1, crate::call::Link::PERFECT);
    let net = call.net.clone();
    assert!(call.desk.accept(call.now, "hello", &net).is_err());
    call.run_for(std::time::Duration::from_secs(1));
    assert!(call.client_is_up() && !call.client_lost);
}

#[test]
fn an_answer_that_is_not_one_is_an_error_for_the_participant() {
    let now = Instant::now();
    let local = "198.51.100.7:40000".parse().unwrap();
    let (mut client, _) = Peer::offer(now, &PeerConfig { local, cert: None });
    assert!(client.answer(now, "hello").is_err());
    assert!(client.answer(now, &offer(&[video("0")])).is_err());
}
