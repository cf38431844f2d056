//! The compiled-in files: reading Ogg/Opus and decoding it at our rate.

use std::borrow::Cow;
use std::io::Cursor;

use super::RATE_HZ;

#[derive(rust_embed::Embed)]
#[folder = "voices/"]
struct Files;

/// An Opus file without its container.
#[derive(Debug)]
pub(super) struct Packets {
    pub(super) packets: Vec<Vec<u8>>,
    /// Samples at 48 kHz to drop at the beginning.
    pre_skip: usize,
    /// Samples at 48 kHz that the file holds, pre-skip included; the last packet is padded beyond them.
    granule: usize,
}

/// A compiled-in file's bytes.
pub(super) fn bytes(name: &str) -> Cow<'static, [u8]> {
    Files::get(name)
        .expect("the manifest names compiled-in files only: a test decodes them all")
        .data
}

/// Reads a compiled-in Ogg/Opus file.
pub(super) fn read(name: &str) -> Packets {
    let mut reader = ogg::PacketReader::new(Cursor::new(bytes(name)));
    let mut next = || {
        reader
            .read_packet()
            .expect("compiled-in clips are valid Ogg: a test decodes them all")
    };
    // RFC 7845, section 5.1: pre-skip is at octet 10 of the identification header. The comment header follows it.
    let head = next()
        .expect("an Opus file begins with its identification header")
        .data;
    let pre_skip = usize::from(u16::from_le_bytes([head[10], head[11]]));
    next();
    let mut file = Packets {
        packets: Vec::new(),
        pre_skip,
        granule: 0,
    };
    while let Some(packet) = next() {
        file.granule = usize::try_from(packet.absgp_page()).expect("clips last seconds");
        file.packets.push(packet.data);
    }
    file
}

impl Packets {
    /// Decodes at [`RATE_HZ`], without pre-skip and padding.
    pub(super) fn decode(&self) -> Vec<i16> {
        let mut decoder = opus::Decoder::new(RATE_HZ, opus::Channels::Mono)
            .expect("libopus supports 24 kHz mono");
        let mut pcm = Vec::with_capacity(self.granule / 2 + 480);
        let mut frame = [0; 2880]; // 120 ms, the longest packet there is (RFC 6716, section 2.1.4).
        for packet in &self.packets {
            let samples = decoder
                .decode(packet, &mut frame, false)
                .expect("compiled-in clips are valid Opus: a test decodes them all");
            pcm.extend_from_slice(&frame[..samples]);
        }
        pcm.truncate(self.granule / 2);
        pcm.drain(..(self.pre_skip / 2).min(pcm.len()));
        pcm
    }
}
