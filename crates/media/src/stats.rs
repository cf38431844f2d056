//! What a desk counts.

/// Counters of one session, since its beginning. They only grow, `jitter_us` excepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeskStats {
    /// Audio packets received.
    pub packets_in: u64,
    /// Audio packets sent.
    pub packets_out: u64,
    /// Packets that never came, or came too late.
    pub packets_lost: u64,
    /// Packets that came after their place had been concealed.
    pub packets_late: u64,
    /// Packets that were not Opus.
    pub packets_bad: u64,
    /// Participant audio that was made up because packets were missing.
    pub concealed_ms: u64,
    /// Silence handed over because nothing came.
    pub silence_ms: u64,
    /// Interviewer audio thrown away because the queue was full.
    pub overflow_ms: u64,
    /// Interviewer audio thrown away because its utterance had been cut or dropped.
    pub late_audio_ms: u64,
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
    /// From an utterance's first audio in to its first packet out.
    pub outbound_us: Vec<u32>,
}
