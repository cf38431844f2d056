//! Injected bugs.

use engine::link::{LinkCommand, LinkConfig};
use providers::{Closed, Codec, CodecOutput, Counters, Endpoint, Frame, Profile, Secret};

/// Codecs of profiles with these names fail; all others are the real ones.
pub(crate) const PANICS_WHEN_MADE: &str = "panics-when-made";
pub(crate) const PANICS_ON_A_FRAME: &str = "panics-on-a-frame";

/// An injected bug: which part of a session it hits depends on who calls it.
pub(crate) fn codec(profile: &Profile, key: Option<&Secret>, base_url: &str) -> Box<dyn Codec> {
    assert_ne!(profile.id, PANICS_WHEN_MADE, "an injected bug");
    let real = providers::codec(profile, key, base_url);
    if profile.id == PANICS_ON_A_FRAME {
        Box::new(Buggy(real))
    } else {
        real
    }
}

struct Buggy(Box<dyn Codec>);

impl Codec for Buggy {
    fn endpoint(&self) -> Endpoint {
        self.0.endpoint()
    }

    fn open(&mut self, config: &LinkConfig, out: &mut Vec<CodecOutput>) {
        self.0.open(config, out);
    }

    fn command(&mut self, command: &LinkCommand, out: &mut Vec<CodecOutput>) {
        self.0.command(command, out);
    }

    fn audio(&mut self, pcm: &[i16], out: &mut Vec<CodecOutput>) {
        self.0.audio(pcm, out);
    }

    fn flush(&mut self, out: &mut Vec<CodecOutput>) {
        self.0.flush(out);
    }

    fn frame(&mut self, _: Frame<'_>, _: &mut Vec<CodecOutput>) {
        panic!("an injected bug");
    }

    fn closed(&mut self, closed: Closed<'_>, out: &mut Vec<CodecOutput>) {
        self.0.closed(closed, out);
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }
}
