//! What a desk counts.

use std::time::Duration;

/// Samples kept between two calls of `forget_latency`: 80 s of packets.
const SAMPLES_MAX: usize = 4_000;

/// Counters of one session, since its beginning. They only grow, `jitter_us` excepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeskStats {
    /// Audio packets received.
    pub packets_in: u64,
    /// Audio packets sent.
    pub packets_out: u64,
    /// Packets whose place was given up because they did not come in time.
    pub packets_lost: u64,
    /// Those of them that came after all.
    pub packets_late: u64,
    /// Packets that were not Opus.
    pub packets_bad: u64,
    /// Packets left out of the recording because the participant's clock runs fast, or because they came too late.
    pub packets_unrecorded: u64,
    /// Participant audio that was made up because packets were missing.
    pub concealed_ms: u64,
    /// Silence handed over because nothing came.
    pub silence_ms: u64,
    /// Interviewer audio thrown away because the queue was full.
    pub overflow_ms: u64,
    /// Interviewer audio thrown away because its utterance had been cut or dropped.
    pub late_audio_ms: u64,
    /// Times that the interviewer's audio ran dry in the middle of an utterance.
    pub underruns: u64,
    /// Interarrival jitter (RFC 3550, 6.4.1) of the participant's packets.
    pub jitter_us: u64,
    /// Texts for the page thrown away because the data channel did not open in time.
    pub texts_dropped: u64,
}

/// What the platform added, in microseconds, sample by sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencySamples {
    /// From a participant's packet in to its audio out.
    pub inbound_us: Vec<u32>,
    /// From an utterance's first audio in to its first packet out, where nothing else was being played.
    pub outbound_us: Vec<u32>,
}

impl LatencySamples {
    pub(crate) fn inbound(&mut self, latency: Duration) {
        note(&mut self.inbound_us, latency);
    }

    pub(crate) fn outbound(&mut self, latency: Duration) {
        note(&mut self.outbound_us, latency);
    }
}

/// Nobody may be asking. Then the samples of the last interval are as good as any: start again.
fn note(samples: &mut Vec<u32>, latency: Duration) {
    if samples.len() >= SAMPLES_MAX {
        samples.clear();
    }
    samples.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
}
