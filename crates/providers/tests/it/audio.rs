//! Audio both ways.

use providers::CodecOutput;
use serde_json::json;

use crate::support::{Link, config, item_added, item_done, response_created};

/// The samples of all appended pieces that were sent, piece by piece.
fn pieces(link: &mut Link) -> Vec<Vec<i16>> {
    let decode = |event: &serde_json::Value| {
        assert_eq!(event["type"], "input_audio_buffer.append");
        let bytes = base64_simd::STANDARD
            .decode_to_vec(event["audio"].as_str().unwrap())
            .unwrap();
        bytes
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    };
    link.sent().iter().map(decode).collect()
}

#[test]
fn participant_audio_leaves_in_pieces_of_40_ms_whatever_it_came_in() {
    let ramp: Vec<i16> = (0..5_000).collect();
    let mut link = Link::ready();
    let mut sent = Vec::new();
    let mut rest = ramp.as_slice();
    for length in [480, 480, 1, 959, 1_920, 100, 1_060] {
        let (now, later) = rest.split_at(length);
        rest = later;
        link.audio(now);
        let pieces = pieces(&mut link);
        assert!(pieces.iter().all(|piece| piece.len() == 960));
        sent.extend(pieces.concat());
    }
    assert_eq!(sent, ramp[..4_800], "all samples, in order, once");
    link.flush();
    assert_eq!(
        pieces(&mut link),
        [ramp[4_800..].to_vec()],
        "a flush sends what does not fill a piece"
    );
    link.flush();
    assert_eq!(pieces(&mut link).len(), 0, "once");
}

#[test]
fn audio_before_the_link_is_open_is_not_sent_later() {
    let mut link = Link::closed();
    link.audio(&[5; 500]);
    link.flush();
    link.open(&config());
    link.take();
    link.audio(&[6; 960]);
    assert_eq!(pieces(&mut link), [vec![6; 960]]);
}

fn raw_delta(base64: &str) -> String {
    json!({ "type": "response.output_audio.delta", "event_id": "e", "response_id": "resp_1", "item_id": "item_a1",
        "output_index": 0, "content_index": 0, "delta": base64 })
    .to_string()
}

/// All samples of the interviewer that came out.
fn played(link: &mut Link) -> Vec<i16> {
    let pcm = |output| {
        if let CodecOutput::Audio { pcm, .. } = output {
            Some(pcm)
        } else {
            None
        }
    };
    link.take().into_iter().filter_map(pcm).flatten().collect()
}

#[test]
fn interviewer_audio_keeps_every_sample_even_if_a_delta_ends_within_one() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    link.server(item_added("resp_1", "item_a1"));
    let samples: Vec<i16> = vec![0, 1, -1, i16::MAX, i16::MIN, 4_242];
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    for part in [&bytes[..3], &bytes[3..4], &bytes[4..9], &bytes[9..]] {
        link.odd(&raw_delta(&base64_simd::STANDARD.encode_to_string(part)));
    }
    assert_eq!(played(&mut link), samples);
    assert_eq!(link.counters().malformed_frames, 0);
}

#[test]
fn escaped_slashes_and_missing_padding_in_base64_are_understood() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    // 0xFF 0xFF 0xFF 0xFF is "/////w==".
    link.odd(&raw_delta("/////w==").replace('/', r"\/"));
    link.odd(&raw_delta("/////w"));
    assert_eq!(played(&mut link), [-1; 4]);
}

#[test]
fn audio_length_is_counted_over_all_deltas_and_floored() {
    let mut link = Link::ready();
    link.server(response_created("resp_1", None));
    link.server(item_added("resp_1", "item_a1"));
    // 3 times 1,000 samples are 125 ms; 10 more do not make another.
    for samples in [1_000, 1_000, 1_000, 10] {
        link.odd(&raw_delta(
            &base64_simd::STANDARD.encode_to_string(vec![0_u8; samples * 2]),
        ));
    }
    link.server(item_done("resp_1", "item_a1", "completed", "Words"));
    assert!(
        link.trace().contains("audio_ms: 125 "),
        "3,010 samples at 24 kHz"
    );
}
