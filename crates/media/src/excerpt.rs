//! A stretch of the participant's track as a file of its own. The packets are copied as they came: no codec is asked, and what
//! hears it hears what the participant's browser sent.

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

use crate::opus::{self, CLOCK_HZ, SILENCE};
use crate::record::{self, PRE_SKIP, Tracks};

const SERIAL: u32 = 1;
/// Packets per page: a second of packets of 20 ms.
const PAGE_PACKETS: usize = 50;
/// What is taken before and after, so that a word is not cut where the voice detection was late, and so that the decoder has
/// settled when the first one begins (RFC 7845, section 4.6: 80 ms).
const AROUND_MS: u64 = 300;

/// Ogg/Opus, mono, of what the participant said between two moments of the recording's timeline, and a little around it. None
/// if nothing is on record there but silence.
#[must_use]
pub fn participant(tracks: &Tracks, start_ms: u64, end_ms: u64) -> Option<Vec<u8>> {
    let from = start_ms.saturating_sub(AROUND_MS);
    let until = end_ms.saturating_add(AROUND_MS);
    let track = &tracks.participant;
    let begin = track.partition_point(|(at, _)| *at < from);
    let end = track.partition_point(|(at, _)| *at < until);
    let packets = track.get(begin..end).filter(|packets| {
        packets
            .iter()
            .any(|(_, packet)| packet.as_slice() != SILENCE)
    })?;
    let mut ogg = PacketWriter::new(Vec::new());
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&PRE_SKIP.to_le_bytes());
    head.extend_from_slice(&48_000u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    record::write(&mut ogg, head, SERIAL, PacketWriteEndInfo::EndPage, 0);
    let tags = record::tags(&[]);
    record::write(&mut ogg, tags, SERIAL, PacketWriteEndInfo::EndPage, 0);
    let mut granule = 0;
    for (index, (_, packet)) in packets.iter().enumerate() {
        granule += opus::duration_48k(packet).unwrap_or(0);
        let end = if index + 1 == packets.len() {
            PacketWriteEndInfo::EndStream
        } else if (index + 1).is_multiple_of(PAGE_PACKETS) {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        record::write(&mut ogg, packet.clone(), SERIAL, end, granule);
    }
    Some(ogg.into_inner())
}

/// How long such a file plays, in milliseconds.
#[must_use]
pub fn duration_ms(tracks: &Tracks, start_ms: u64, end_ms: u64) -> u64 {
    let from = start_ms.saturating_sub(AROUND_MS);
    let until = end_ms.saturating_add(AROUND_MS);
    let within = |at: u64| (from..until).contains(&at);
    let packets = tracks.participant.iter().filter(|(at, _)| within(*at));
    let samples: u64 = packets
        .map(|(_, packet)| opus::duration_48k(packet).unwrap_or(0))
        .sum();
    samples * 1_000 / CLOCK_HZ
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{AROUND_MS, duration_ms, participant};
    use crate::opus::{Channels, Decoder, Encoder, SILENCE};
    use crate::record::Tracks;

    /// Ten seconds: a tone from the third to the fifth, silence else.
    fn tracks() -> Tracks {
        let mut encoder = Encoder::for_file(48_000, Channels::Mono, 5, 32_000).unwrap();
        let mut packets = Vec::new();
        for frame in 0_u64..500 {
            let at_ms = frame * 20;
            let packet = if (3_000..5_000).contains(&at_ms) {
                let tone: Vec<i16> = (0..960)
                    .map(|i| ((f64::from(i) * 0.06).sin() * 8_000.0) as i16)
                    .collect();
                encoder.encode(&tone).unwrap().to_vec()
            } else {
                SILENCE.to_vec()
            };
            packets.push((at_ms, packet));
        }
        Tracks {
            participant: packets,
            ..Tracks::default()
        }
    }

    #[test]
    fn an_excerpt_plays_its_stretch_and_a_little_around_it() {
        let tracks = tracks();
        let file = participant(&tracks, 3_000, 5_000).unwrap();
        assert_eq!(duration_ms(&tracks, 3_000, 5_000), 2_000 + 2 * AROUND_MS);
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(file));
        let mut decoder = Decoder::new(48_000).unwrap();
        let (mut packets, mut loud, mut last) = (0, 0, 0);
        while let Some(packet) = reader.read_packet().unwrap() {
            if packet.data.starts_with(b"Opus") {
                continue;
            }
            packets += 1;
            last = packet.absgp_page();
            let pcm = decoder.decode(&packet.data).unwrap();
            loud += usize::from(pcm.iter().any(|sample| sample.unsigned_abs() > 2_000));
        }
        assert_eq!(packets, 130);
        assert_eq!(last, 130 * 960);
        assert!((99..=103).contains(&loud), "{loud} packets of the tone");
    }

    #[test]
    fn silence_and_what_is_not_on_record_make_no_file() {
        let tracks = tracks();
        assert_eq!(participant(&tracks, 7_000, 9_000), None);
        assert_eq!(participant(&tracks, 20_000, 25_000), None);
        assert_eq!(participant(&Tracks::default(), 0, 1_000), None);
    }
}
