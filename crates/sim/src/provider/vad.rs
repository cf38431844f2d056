//! Server-side voice activity with the vendor's semantics: `threshold`, `prefix_padding_ms`, `silence_duration_ms`; moments in input-audio
//! time, that is in milliseconds of audio received since the session began, whatever the wall clock says.
//!
//! What is speech is decided by earshot (a small neural detector, see docs of `media`), so that fans, clicks and hum do not interrupt.

use earshot::Detector;

/// Sampling rate of the input, in hertz.
const RATE_HZ: u64 = 24_000;

/// Samples at 24 kHz in one frame of the detector: 16 ms.
const FRAME: usize = 384;

/// Consecutive frames that must be speech before a turn begins: 48 ms, so that a click is none. Chosen by feel.
const ONSET_FRAMES: u32 = 3;

/// Within a turn a frame counts as speech down to this much below the threshold (as Silero's reference code does), so that soft syllables
/// do not end it.
const HYSTERESIS: f32 = 0.15;

/// Quieter than this (-54 dBFS, root mean square) nobody speaks: softer than the recogniser takes for speech, louder than a quiet room.
const FAINT: f32 = 65.0;

/// The network remembers some frames: it sees the first third of a second of faint ones, and need not see the rest. One edge in fifteen
/// moves by a frame or two, because the network then remembers another silence.
const SETTLED_FRAMES: u32 = 20;

/// What the client asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VadSettings {
    /// Score from 0 to 1 that counts as speech.
    pub threshold: f32,
    /// Audio before the detected start that belongs to the turn.
    pub prefix_padding_ms: u64,
    /// Silence that ends a turn.
    pub silence_duration_ms: u64,
}

/// A change of voice activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Speech began; the moment includes the prefix padding.
    Started {
        /// Input-audio time.
        audio_start_ms: u64,
    },
    /// Speech ended; the moment includes the silence that ended it.
    Stopped {
        /// Input-audio time.
        audio_end_ms: u64,
    },
}

/// Voice activity of one session.
pub struct Vad {
    detector: Box<Detector>,
    settings: VadSettings,
    pending: Vec<i16>,
    /// Samples judged so far.
    position: u64,
    /// Faint frames in a row.
    faint: u32,
    /// After so many they are not judged any more.
    settled_frames: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No speech; so many frames in a row look like it.
    Quiet { run: u32 },
    /// In a turn; the last speech ended at this sample.
    Speaking { last_speech: u64 },
}

impl std::fmt::Debug for Vad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vad")
            .field("settings", &self.settings)
            .field("position", &self.position)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Vad {
    /// Voice activity from this input-audio moment on, in samples.
    #[must_use]
    pub fn new(settings: VadSettings, position: u64) -> Vad {
        Vad {
            detector: Detector::default_boxed(),
            settings,
            pending: Vec::new(),
            position,
            faint: 0,
            settled_frames: SETTLED_FRAMES,
            state: State::Quiet { run: 0 },
        }
    }

    /// Changes the settings; a turn that is going on goes on.
    pub fn configure(&mut self, settings: VadSettings) {
        self.settings = settings;
    }

    /// Whether a turn is going on.
    #[must_use]
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    /// Forgets a turn that is going on, because its audio was taken away.
    pub fn forget(&mut self) {
        self.detector.reset();
        self.state = State::Quiet { run: 0 };
    }

    /// Listens to audio; calls back for every change, in order.
    pub fn listen(&mut self, pcm: &[i16], mut changed: impl FnMut(Change)) {
        self.pending.extend_from_slice(pcm);
        let mut done = 0;
        while let Some(frame) = self.pending.get(done..done + FRAME) {
            let is_faint = energy(frame) < FAINT * FAINT * FRAME as f32;
            self.faint = if is_faint { self.faint + 1 } else { 0 };
            let score = if self.faint > self.settled_frames {
                0.0
            } else {
                self.detector.predict_i16(&to_16k(frame))
            };
            done += FRAME;
            self.position += FRAME as u64;
            if let Some(change) = self.judge(score) {
                changed(change);
            }
        }
        self.pending.drain(..done);
    }

    fn judge(&mut self, score: f32) -> Option<Change> {
        match self.state {
            State::Quiet { run } if score >= self.settings.threshold => {
                if run + 1 < ONSET_FRAMES {
                    self.state = State::Quiet { run: run + 1 };
                    return None;
                }
                self.state = State::Speaking {
                    last_speech: self.position,
                };
                let onset = self
                    .position
                    .saturating_sub(u64::from(ONSET_FRAMES) * FRAME as u64);
                Some(Change::Started {
                    audio_start_ms: ms(onset).saturating_sub(self.settings.prefix_padding_ms),
                })
            }
            State::Quiet { .. } => {
                self.state = State::Quiet { run: 0 };
                None
            }
            State::Speaking { .. } if score >= self.settings.threshold - HYSTERESIS => {
                self.state = State::Speaking {
                    last_speech: self.position,
                };
                None
            }
            State::Speaking { last_speech } => {
                if ms(self.position - last_speech) < self.settings.silence_duration_ms {
                    return None;
                }
                self.state = State::Quiet { run: 0 };
                Some(Change::Stopped {
                    audio_end_ms: ms(last_speech) + self.settings.silence_duration_ms,
                })
            }
        }
    }
}

/// Milliseconds of so many samples.
fn ms(samples: u64) -> u64 {
    samples * 1000 / RATE_HZ
}

/// The sum of squares, added up in lanes side by side: one sum alone would wait for itself at every sample.
fn energy(frame: &[i16]) -> f32 {
    let (chunks, rest) = frame.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for chunk in chunks {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += f32::from(*sample).powi(2);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>()
}

/// Three samples at 24 kHz to two at 16 kHz. A short averaging filter is enough for a detector; nobody listens to this.
fn to_16k(frame: &[i16]) -> [i16; FRAME * 2 / 3] {
    let mut out = [0; FRAME * 2 / 3];
    for (pair, triple) in out.chunks_exact_mut(2).zip(frame.chunks_exact(3)) {
        let [a, b, c] = [
            i32::from(triple[0]),
            i32::from(triple[1]),
            i32::from(triple[2]),
        ];
        for (sample, mean) in pair.iter_mut().zip([(2 * a + b) / 3, (b + 2 * c) / 3]) {
            *sample = i16::try_from(mean).unwrap_or(i16::MAX);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Bed, Corpus};

    const SETTINGS: VadSettings = VadSettings {
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 600,
    };

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * 24]
    }

    /// A hiss of constant loudness, the same at every run.
    fn hiss(ms: usize, amplitude: i16) -> Vec<i16> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..ms * 24)
            .map(|_| random.i16(-amplitude..=amplitude))
            .collect()
    }

    fn listen(settings: VadSettings, pcm: &[i16]) -> Vec<Change> {
        listen_with(Vad::new(settings, 0), pcm)
    }

    fn listen_with(mut vad: Vad, pcm: &[i16]) -> Vec<Change> {
        let mut changes = Vec::new();
        for chunk in pcm.chunks(960) {
            vad.listen(chunk, |change| changes.push(change));
        }
        changes
    }

    fn clip(id: &str) -> Vec<i16> {
        Corpus::embedded()
            .get(id)
            .expect("a clip of the corpus")
            .pcm()
            .to_vec()
    }

    #[test]
    fn an_answer_is_one_turn_with_padding_before_and_silence_after() {
        let speech = clip("a-maya-warmup-role-1");
        let speech_ms = speech.len() as u64 / 24;
        let changes = listen(SETTINGS, &[silence(2000), speech, silence(1500)].concat());
        let [
            Change::Started { audio_start_ms },
            Change::Stopped { audio_end_ms },
        ] = changes[..]
        else {
            panic!("{changes:?}")
        };
        assert!(
            (1650..=2050).contains(&audio_start_ms),
            "about 2,000 + 60 of quiet - 300 of padding: {audio_start_ms}"
        );
        let end = 2000 + speech_ms + SETTINGS.silence_duration_ms;
        assert!(
            (end - 300..=end + 50).contains(&audio_end_ms),
            "{audio_end_ms} against {end}"
        );
    }

    #[test]
    fn a_thinking_pause_splits_an_answer_only_if_the_silence_is_shorter() {
        // A pause of 1,100 ms is cut into this clip.
        let pcm = [
            silence(500),
            clip("a-maya-exploration-focus-1"),
            silence(3000),
        ]
        .concat();
        let turns = |silence_duration_ms| {
            listen(
                VadSettings {
                    silence_duration_ms,
                    ..SETTINGS
                },
                &pcm,
            )
            .len()
                / 2
        };
        assert_eq!((turns(500), turns(1600)), (2, 1));
    }

    #[test]
    fn silence_and_hiss_are_no_speech() {
        assert_eq!(listen(SETTINGS, &silence(3000)), []);
        assert_eq!(listen(SETTINGS, &hiss(5000, 600)), []);
    }

    #[test]
    fn faint_frames_that_are_not_judged_leave_every_turn_where_it_is() {
        let moment = |change: &Change| match change {
            Change::Started { audio_start_ms } => (true, *audio_start_ms),
            Change::Stopped { audio_end_ms } => (false, *audio_end_ms),
        };
        let room = Bed::QuietRoom.pcm();
        let mut random = fastrand::Rng::with_seed(3);
        let (mut edges, mut moved) = (0_u32, 0);
        for clip in Corpus::embedded().clips().iter().step_by(5) {
            let softer = random.i16(1..3);
            let pcm: Vec<i16> = silence(random.usize(500..3000))
                .into_iter()
                .chain(clip.pcm().iter().map(|sample| sample / softer))
                .chain(silence(2000))
                .zip(room.iter().cycle())
                .map(|(sample, room)| sample.saturating_add(*room))
                .collect();
            let mut judges_all = Vad::new(SETTINGS, 0);
            judges_all.settled_frames = u32::MAX;
            let (some, all) = (listen(SETTINGS, &pcm), listen_with(judges_all, &pcm));
            assert_eq!(some.len(), all.len(), "{}", clip.id);
            for (one, other) in some.iter().map(moment).zip(all.iter().map(moment)) {
                assert_eq!(one.0, other.0);
                assert!(one.1.abs_diff(other.1) <= 48, "{}: {one:?}", clip.id);
                moved += u32::from(one.1 != other.1);
                edges += 1;
            }
        }
        assert!(edges > 80 && moved * 10 <= edges, "{moved} of {edges}");
    }

    #[test]
    fn a_higher_threshold_hears_less() {
        let quiet: Vec<i16> = clip("a-maya-warmup-role-1")
            .iter()
            .map(|s| s / 4)
            .zip(hiss(60_000, 250))
            .map(|(a, b)| a + b)
            .collect();
        let pcm = [quiet, silence(2000)].concat();
        assert_ne!(
            listen(
                VadSettings {
                    threshold: 0.3,
                    ..SETTINGS
                },
                &pcm
            ),
            []
        );
        assert_eq!(
            listen(
                VadSettings {
                    threshold: 1.1,
                    ..SETTINGS
                },
                &pcm
            ),
            []
        );
    }

    #[test]
    fn moments_count_from_the_session_not_from_the_detector() {
        let mut vad = Vad::new(SETTINGS, 24_000 * 10);
        let mut first = None;
        vad.listen(
            &[silence(1000), clip("a-maya-warmup-role-1")].concat(),
            |change| first = first.or(Some(change)),
        );
        let Some(Change::Started { audio_start_ms }) = first else {
            panic!("no speech")
        };
        assert!(
            (10_650..=11_050).contains(&audio_start_ms),
            "{audio_start_ms}"
        );
    }
}
