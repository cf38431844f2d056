//! Opus at the model's rate. libopus resamples inside, so no resampler stands in the audio path; decoding at 24 kHz is
//! even cheaper than at 48 kHz (21 against 24 us per frame, measured).

use std::fmt;

/// Rate of all Opus time stamps (RFC 7587, RFC 7845).
pub const CLOCK_HZ: u64 = 48_000;

/// Samples of a 20 ms packet on that clock.
pub const FRAME_48K: u64 = 960;

/// A packet of 20 ms of silence: CELT, full band, mono, its spectrum empty. Every decoder turns it into zeros.
pub const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

/// Longest audio of one packet (RFC 6716, 3.2.5), in samples at 48 kHz.
const PACKET_48K_MAX: usize = 5_760;

/// Largest packet that we make. 20 ms at 64 kbit/s are 160 bytes; the rest is room for a burst.
const PACKET_BYTES_MAX: usize = 1_000;

/// Opus could not encode or decode.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("Opus: {0}")]
pub struct OpusError(String);

impl From<opus::Error> for OpusError {
    fn from(error: opus::Error) -> Self {
        OpusError(format!("{} ({})", error.description(), error.function()))
    }
}

/// How many channels an encoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One.
    Mono,
    /// Two, interleaved.
    Stereo,
}

/// Encodes speech in frames of 20 ms.
pub struct Encoder {
    inner: opus::Encoder,
    buffer: Vec<u8>,
}

impl Encoder {
    /// Makes a mono encoder for speech. It spends nothing on loss until it is told of some: [`Encoder::expect_loss`].
    ///
    /// Without loss it uses CELT, which takes less than half the time that SILK does for the same effort (28 against 62 us
    /// per frame at 24 kHz, 40 kbit/s, measured over the questions of the corpus). SILK comes with loss: only its packets
    /// can carry copies.
    ///
    /// # Errors
    /// When libopus refuses the rate (8, 12, 16, 24 and 48 kHz are allowed) or the bit rate.
    pub fn new(rate_hz: u32, complexity: u8, bitrate_bps: u32) -> Result<Encoder, OpusError> {
        let voip = opus::Application::Voip;
        let mut encoder = Encoder::build(rate_hz, Channels::Mono, voip, complexity, bitrate_bps)?;
        encoder.expect_loss(0)?;
        Ok(encoder)
    }

    /// From now on each packet carries a coarse copy of the one before (in-band FEC) that is as good as this loss asks
    /// for; with 0 none does. A copy is a second encoding of the frame, so it is made only for who needs it.
    ///
    /// # Errors
    /// When libopus refuses the percentage (0 to 100 are allowed).
    pub fn expect_loss(&mut self, percent: u8) -> Result<(), OpusError> {
        // For "music" libopus takes CELT at any rate of ours, for "voice" SILK (its own estimate is bypassed).
        self.inner.set_signal(if percent > 0 {
            opus::Signal::Voice
        } else {
            opus::Signal::Music
        })?;
        self.inner.set_inband_fec(percent > 0)?;
        self.inner.set_packet_loss_perc(i32::from(percent))?;
        Ok(())
    }

    /// Makes an encoder for a file: no FEC.
    ///
    /// # Errors
    /// When libopus refuses the rate or the bit rate.
    pub fn for_file(
        rate_hz: u32,
        channels: Channels,
        complexity: u8,
        bitrate_bps: u32,
    ) -> Result<Encoder, OpusError> {
        Encoder::build(
            rate_hz,
            channels,
            opus::Application::Audio,
            complexity,
            bitrate_bps,
        )
    }

    fn build(
        rate_hz: u32,
        channels: Channels,
        application: opus::Application,
        complexity: u8,
        bitrate_bps: u32,
    ) -> Result<Encoder, OpusError> {
        let channels = match channels {
            Channels::Mono => opus::Channels::Mono,
            Channels::Stereo => opus::Channels::Stereo,
        };
        let mut inner = opus::Encoder::new(rate_hz, channels, application)?;
        inner.set_complexity(i32::from(complexity))?;
        inner.set_bitrate(opus::Bitrate::Bits(
            i32::try_from(bitrate_bps).unwrap_or(i32::MAX),
        ))?;
        inner.set_signal(opus::Signal::Voice)?;
        Ok(Encoder {
            inner,
            buffer: vec![0; PACKET_BYTES_MAX],
        })
    }

    /// Encodes one frame of 20 ms.
    ///
    /// # Errors
    /// When the length is not that of a frame.
    pub fn encode(&mut self, pcm: &[i16]) -> Result<&[u8], OpusError> {
        let length = self.inner.encode(pcm, &mut self.buffer)?;
        Ok(&self.buffer[..length])
    }

    /// The codec's own delay in samples at 48 kHz: what a file must declare as pre-skip.
    ///
    /// # Errors
    /// When libopus does not say.
    pub fn lookahead_48k(&mut self) -> Result<u16, OpusError> {
        let rate = u64::from(self.inner.get_sample_rate()?);
        let samples = u64::try_from(self.inner.get_lookahead()?).unwrap_or(0);
        Ok(u16::try_from(samples * CLOCK_HZ / rate.max(1)).unwrap_or(0))
    }
}

/// Decodes to mono.
pub struct Decoder {
    inner: opus::Decoder,
    rate_hz: u32,
    buffer: Vec<i16>,
}

impl Decoder {
    /// Makes a decoder with this output rate.
    ///
    /// # Errors
    /// When libopus refuses the rate.
    pub fn new(rate_hz: u32) -> Result<Decoder, OpusError> {
        let inner = opus::Decoder::new(rate_hz, opus::Channels::Mono)?;
        let longest = PACKET_48K_MAX * rate_hz as usize / CLOCK_HZ as usize;
        Ok(Decoder {
            inner,
            rate_hz,
            buffer: vec![0; longest],
        })
    }

    /// Decodes one packet.
    ///
    /// # Errors
    /// When the packet is not Opus.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[i16], OpusError> {
        if packet.is_empty() {
            return Err(OpusError("an empty packet".to_owned()));
        }
        let samples = self.inner.decode(packet, &mut self.buffer, false)?;
        Ok(&self.buffer[..samples])
    }

    /// Makes up `samples` (at the output rate) that were lost, from what was heard before.
    ///
    /// # Errors
    /// When `samples` is not a multiple of 2.5 ms or longer than a packet can be.
    pub fn conceal(&mut self, samples: usize) -> Result<&[i16], OpusError> {
        self.recover(&[], samples)
    }

    /// Recovers the `samples` before `next` from its FEC part; made up if it has none.
    ///
    /// # Errors
    /// As [`Decoder::conceal`].
    pub fn recover(&mut self, next: &[u8], samples: usize) -> Result<&[i16], OpusError> {
        let Some(buffer) = self.buffer.get_mut(..samples) else {
            return Err(OpusError(format!(
                "{samples} samples are more than a packet holds"
            )));
        };
        let samples = self.inner.decode(next, buffer, !next.is_empty())?;
        Ok(&self.buffer[..samples])
    }

    /// Forgets what was heard: another encoder follows.
    ///
    /// # Errors
    /// Never, by libopus' documentation.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        Ok(self.inner.reset_state()?)
    }

    /// Output rate.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }
}

/// Length of a packet in samples at 48 kHz; none if it is not an Opus packet (RFC 6716, 3.4).
#[must_use]
pub fn duration_48k(packet: &[u8]) -> Option<u64> {
    let samples = opus::packet::get_nb_samples(packet, 48_000).ok()?;
    u64::try_from(samples)
        .ok()
        .filter(|samples| (1..=PACKET_48K_MAX as u64).contains(samples))
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({} Hz)", self.rate_hz)
    }
}
