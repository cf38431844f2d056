//! How a connection is set up: what is negotiated, and the secrets that it begins with.

use std::time::Duration;

use str0m::rtp::{Extension, ExtensionMap};
use str0m::{IceCreds, RtcConfig};

/// How often the loss that the other side reports is looked at. Browsers report every 1 to 5 s.
const LOSS_EVERY: Duration = Duration::from_secs(2);

/// Opus only, and no header extensions beyond those that cost nothing: transport-wide congestion control alone would
/// send 20 packets a second each way, for audio that does not adapt.
pub(super) fn base_config() -> RtcConfig {
    let mut extensions = ExtensionMap::empty();
    extensions.set(1, Extension::AudioLevel);
    extensions.set(4, Extension::RtpMid);
    RtcConfig::new()
        .clear_codecs()
        .enable_opus(true, false)
        .set_extension_map(extensions)
        .set_stats_interval(Some(LOSS_EVERY))
        .set_rtp_mode(true)
}

/// ICE credentials from the system's generator. str0m's own come from a fast generator whose state can be computed from
/// its outputs (SSRCs and the like are public), which would let a stranger redirect another participant's media.
pub(super) fn credentials() -> IceCreds {
    let Some(bytes) = random::<32>() else {
        return IceCreds::new();
    };
    let text: String = bytes
        .iter()
        .map(|byte| char::from(ICE_CHARS[usize::from(byte & 63)]))
        .collect();
    let (ufrag, pass) = text.split_at(8);
    IceCreds {
        ufrag: ufrag.to_owned(),
        pass: pass.to_owned(),
    }
}

/// ice-char (RFC 8839, 5.4): 64 of them, 6 bits each.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}
