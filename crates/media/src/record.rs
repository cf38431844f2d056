//! The recording: one Ogg file with two logical Opus streams, written in pieces that are valid as far as they go.
//!
//! The participant's packets are stored as they came and the interviewer's as they were sent, so recording costs no
//! codec. Both streams keep the same time: what is missing is filled with packets of silence, so that any player and
//! any reader sees one timeline, whose zero is the participant's first audio.

mod writer;

use ogg::reading::{OggReadError, PacketReader};
use std::io::Cursor;

pub use writer::Writer;
pub(crate) use writer::{tags, write};

use crate::opus::{self, CLOCK_HZ};

/// Serial number of the participant's stream.
const PARTICIPANT: u32 = 1;
/// Serial number of the interviewer's stream.
const INTERVIEWER: u32 = 2;
/// Samples at 48 kHz before the first that is heard: libopus' delay in VOIP mode at any rate, which browsers use too.
/// What a foreign encoder has more or less of it (a few ms) shifts that track by so much.
pub(crate) const PRE_SKIP: u16 = 312;

/// Where a recording goes on that another process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Number of the first chunk to come.
    pub chunk_no: u32,
    /// What the timeline shows at the first audio to come. The time between the two processes is not on it.
    pub timeline_ms: u64,
}

/// A piece of the recording. All pieces in order make an Ogg file; so does any prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number, from 0.
    pub no: u32,
    /// Where it begins on the recording's timeline.
    pub start_ms: u64,
    /// Where it ends.
    pub end_ms: u64,
    /// Complete Ogg pages.
    pub bytes: Vec<u8>,
}

/// Both tracks, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracks {
    /// Packets of the participant, each with its start in milliseconds.
    pub participant: Vec<(u64, Vec<u8>)>,
    /// Packets of the interviewer, each with its start in milliseconds.
    pub interviewer: Vec<(u64, Vec<u8>)>,
    /// Where the longer track ends.
    pub duration_ms: u64,
}

/// A page's packets until its granule position, which counts from the page's end, is known to belong to all of them.
#[derive(Default)]
struct Page {
    end_48k: u64,
    packets: Vec<Vec<u8>>,
}

/// Reads a recording, whole or cut off anywhere. Broken and missing pages are passed over: each page says where it
/// stands, so what follows keeps its time.
#[must_use]
pub fn read(bytes: &[u8]) -> Tracks {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    // Tells the reader that streams may begin anywhere, so that the loss of the first chunk is not the loss of all.
    reader.delete_unread_packets();
    let mut tracks = Tracks::default();
    let mut pages = [Page::default(), Page::default()];
    let mut position = 0;
    loop {
        let packet = match reader.read_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) | Err(OggReadError::ReadError(_)) => break,
            // A page that is broken, or no page at all: then the reader does not advance, and this is the end.
            Err(_) => {
                let before = std::mem::replace(&mut position, reader.get_mut().position());
                if position == before {
                    break;
                }
                reader.delete_unread_packets();
                pages = Default::default();
                continue;
            }
        };
        let index = match packet.stream_serial() {
            PARTICIPANT => 0,
            INTERVIEWER => 1,
            _ => continue,
        };
        let (last, end_48k) = (packet.last_in_page(), packet.absgp_page());
        if packet.data.starts_with(b"OpusHead")
            || packet.data.starts_with(b"OpusTags")
            || packet.data.is_empty()
        {
            continue;
        }
        let page = &mut pages[index];
        page.end_48k = end_48k;
        page.packets.push(packet.data);
        if last {
            let track = if index == 0 {
                &mut tracks.participant
            } else {
                &mut tracks.interviewer
            };
            let end_ms = place(std::mem::take(page), track);
            tracks.duration_ms = tracks.duration_ms.max(end_ms);
        }
    }
    tracks
}

/// Appends a page's packets with their times; returns where the page ends.
fn place(page: Page, track: &mut Vec<(u64, Vec<u8>)>) -> u64 {
    let length = |packet: &Vec<u8>| opus::duration_48k(packet).unwrap_or(0);
    let total: u64 = page.packets.iter().map(length).sum();
    // The granule position counts the pre-skip, which is not heard.
    let mut at_48k = page.end_48k.saturating_sub(total + u64::from(PRE_SKIP));
    for packet in page.packets {
        let start = at_48k;
        at_48k += length(&packet);
        track.push((start * 1_000 / CLOCK_HZ, packet));
    }
    at_48k * 1_000 / CLOCK_HZ
}
