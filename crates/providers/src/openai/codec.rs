//! The rules.

use engine::link::{LinkCommand, LinkConfig};

use crate::codec::{Closed, Codec, CodecOutput, Counters, Endpoint, Frame};
use crate::profile::Profile;
use crate::secret::Secret;

pub(crate) struct OpenAiCodec {
    endpoint: Endpoint,
}

impl OpenAiCodec {
    pub(crate) fn new(_profile: &Profile, _key: Option<&Secret>, _base_url: &str) -> OpenAiCodec {
        OpenAiCodec {
            endpoint: Endpoint {
                url: String::new(),
                headers: Vec::new(),
            },
        }
    }
}

impl Codec for OpenAiCodec {
    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
    fn open(&mut self, _config: &LinkConfig, _out: &mut Vec<CodecOutput>) {}
    fn command(&mut self, _command: &LinkCommand, _out: &mut Vec<CodecOutput>) {}
    fn audio(&mut self, _pcm: &[i16], _out: &mut Vec<CodecOutput>) {}
    fn flush(&mut self, _out: &mut Vec<CodecOutput>) {}
    fn frame(&mut self, _frame: Frame<'_>, _out: &mut Vec<CodecOutput>) {}
    fn closed(&mut self, _closed: Closed<'_>, _out: &mut Vec<CodecOutput>) {}
    fn counters(&self) -> Counters {
        Counters::default()
    }
}
