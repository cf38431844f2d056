//! What a browser may offer, and what it is told when it offers something else.
//!
//! The offer is looked at as text before str0m sees it: refusals can then name the cause, and what we do not use
//! (candidates, video, second microphones) is cut out here instead of costing memory in every peer.

use thiserror::Error;

/// Longest offer looked at. Chromium's are 2 to 4 kB.
const OFFER_BYTES_MAX: usize = 64 * 1024;
/// Most media sections looked at.
const SECTIONS_MAX: usize = 16;

/// Our answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The session description to send back.
    pub sdp: String,
    /// Our ICE user fragment: the key under which the peer's first datagrams are found (see [`crate::demux::ufrag`]).
    pub ufrag: String,
}

/// Why an offer was refused. Each text says what happened, what it means and what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OfferError {
    /// Not a session description at all.
    #[error(
        "The body is not a WebRTC session description ({0}). No call was set up. \
         Send the `sdp` of RTCPeerConnection.createOffer() as application/sdp."
    )]
    NotSdp(String),
    /// No audio section.
    #[error(
        "The offer has no audio. Nobody could be heard, so no call was set up. \
         Add the microphone's track with addTrack() before createOffer()."
    )]
    NoAudio,
    /// Only video.
    #[error(
        "The offer has video but no audio. Interviews are by voice and use no video, so no call was set up. \
         Ask getUserMedia() for audio and add that track before createOffer()."
    )]
    VideoOnly,
    /// Audio without Opus.
    #[error(
        "The offer's audio does not include Opus. It is the only codec used here (RFC 7874 makes it mandatory), \
         so no call was set up. Leave opus/48000/2 in the codec preferences."
    )]
    NoOpus,
    /// Audio that does not go both ways.
    #[error(
        "The offer's audio is `{0}`. One side could not be heard, so no call was set up. \
         Offer `sendrecv`: add the microphone's track before createOffer()."
    )]
    OneWay(&'static str),
    /// A description that parses, but lacks something that a connection needs.
    #[error(
        "The offer cannot be answered: {0}. No call was set up. \
         Send the offer of RTCPeerConnection.createOffer() unchanged."
    )]
    Unusable(String),
}

/// One `m=` section: its lines, the `m=` line first.
struct Section<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn kind(&self) -> &'a str {
        let line = self.lines.first().copied().unwrap_or_default();
        line.strip_prefix("m=")
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.lines.iter().find_map(|line| {
            line.strip_prefix("a=")?
                .strip_prefix(name)?
                .strip_prefix(':')
        })
    }

    fn has(&self, line: &str) -> bool {
        self.lines.contains(&line)
    }

    /// Port 0 without `bundle-only` is a section that the browser itself has switched off (RFC 8843, 7.2).
    fn is_off(&self) -> bool {
        let port = self.lines.first().and_then(|line| line.split(' ').nth(1));
        port == Some("0") && !self.has("a=bundle-only")
    }

    fn direction(&self) -> &'static str {
        ["sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|name| {
                self.lines
                    .iter()
                    .any(|line| line.strip_prefix("a=") == Some(*name))
            })
            .unwrap_or("sendrecv")
    }

    fn has_opus(&self) -> bool {
        self.lines.iter().any(|line| {
            let codec = line
                .strip_prefix("a=rtpmap:")
                .and_then(|rest| rest.split(' ').nth(1))
                .unwrap_or_default();
            codec.to_ascii_lowercase().starts_with("opus/48000")
        })
    }
}

/// Checks an offer, and returns it without what we do not use: all sections but the first audio and the data channel
/// are switched off (so that they are refused in the answer, RFC 3264, 6), and its candidates are left out (an ICE-lite
/// agent sends no checks and learns the addresses from those of the browser).
pub(crate) fn reduce(offer: &str) -> Result<String, OfferError> {
    if offer.len() > OFFER_BYTES_MAX {
        return Err(OfferError::NotSdp(format!(
            "{} bytes are too long for one",
            offer.len()
        )));
    }
    let mut lines = offer
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    if lines.next() != Some("v=0") {
        return Err(OfferError::NotSdp("it does not begin with v=0".to_owned()));
    }
    let (session, sections) = split(lines);
    if sections.len() > SECTIONS_MAX {
        return Err(OfferError::Unusable(format!(
            "{} media sections are too many",
            sections.len()
        )));
    }
    let audio = choose_audio(&sections)?;
    let data = sections
        .iter()
        .position(|section| section.kind() == "application" && !section.is_off());
    let used = |index: usize| index == audio || Some(index) == data;
    let refused: Vec<&str> = (0..sections.len())
        .filter(|index| !used(*index))
        .filter_map(|index| sections[index].attribute("mid"))
        .collect();
    let mut text = String::with_capacity(offer.len());
    push_line(&mut text, "v=0");
    for line in session {
        match line.strip_prefix("a=group:BUNDLE") {
            Some(mids) => {
                let kept: Vec<&str> = mids
                    .split_whitespace()
                    .filter(|mid| !refused.contains(mid))
                    .collect();
                push_line(&mut text, &format!("a=group:BUNDLE {}", kept.join(" ")));
            }
            None => push_line(&mut text, line),
        }
    }
    for (index, section) in sections.iter().enumerate() {
        push_section(&mut text, section, used(index));
    }
    Ok(text)
}

/// The other side's ICE user fragment. Browsers repeat it in each bundled section.
pub(crate) fn ufrag(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.trim_end().strip_prefix("a=ice-ufrag:"))
}

fn choose_audio(sections: &[Section<'_>]) -> Result<usize, OfferError> {
    let Some(audio) = sections
        .iter()
        .position(|section| section.kind() == "audio" && !section.is_off())
    else {
        let video = sections.iter().any(|section| section.kind() == "video");
        return Err(if video {
            OfferError::VideoOnly
        } else {
            OfferError::NoAudio
        });
    };
    let section = &sections[audio];
    if !section.has_opus() {
        return Err(OfferError::NoOpus);
    }
    match section.direction() {
        "sendrecv" => Ok(audio),
        direction => Err(OfferError::OneWay(direction)),
    }
}

fn split<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<Section<'a>>) {
    let mut session = Vec::new();
    let mut sections: Vec<Section<'a>> = Vec::new();
    for line in lines {
        if line.starts_with("m=") {
            sections.push(Section { lines: vec![line] });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else {
            session.push(line);
        }
    }
    (session, sections)
}

fn push_section(text: &mut String, section: &Section<'_>, used: bool) {
    for (index, line) in section.lines.iter().enumerate() {
        if index == 0 && !used {
            let mut words: Vec<&str> = line.split(' ').collect();
            if let Some(port) = words.get_mut(1) {
                *port = "0";
            }
            push_line(text, &words.join(" "));
            continue;
        }
        let candidate = line.starts_with("a=candidate:") || *line == "a=end-of-candidates";
        // `bundle-only` would give the port of 0 its other meaning.
        if !candidate && (used || *line != "a=bundle-only") {
            push_line(text, line);
        }
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}
