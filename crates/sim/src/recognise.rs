//! Recognises clips of the corpus by their sound, so that the simulated provider transcribes what it really received.
//!
//! Audio arrives coded twice, with losses concealed, at another level and with a room behind it. What survives all that is how the
//! spectrum moves: `print` makes 32 signs per 10 ms of it, `index` finds where in the corpus the same signs stand in the same order,
//! `align` finds out how far the likeness reaches and `words` which words those are. Nothing is guessed from the length or level of an
//! utterance, so speech that the corpus does not hold is reported as unknown.

mod align;
mod index;
mod print;
mod words;

use std::ops::Range;
use std::sync::LazyLock;

use crate::corpus::{Clip, Corpus, RATE_HZ, Role};
use align::Match;
use index::Index;
use print::{HOP, Print, Printer};

/// Speech of unknown words, in a transcript.
pub const UNKNOWN: &str = "[unrecognised speech]";

/// Unknown speech shorter than this is a click or a breath: frames of 10 ms, chosen by feel.
const UNKNOWN_FRAMES_MIN: usize = 30;

/// A stretch of speech in a buffer.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The clip that it is (a part of); none for speech that the corpus does not know.
    pub clip: Option<&'static Clip>,
    /// Where it begins in the buffer, in milliseconds.
    pub start_ms: u32,
    /// Where it ends in the buffer, in milliseconds.
    pub end_ms: u32,
    /// The words of the clip that were heard, as the manifest spells them; empty for unknown speech.
    pub text: String,
    /// Whether these are all the clip's words.
    pub extent: Extent,
}

/// How much of a clip was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All its words.
    Whole,
    /// Some of its words.
    Part,
    /// Not applicable: unknown speech.
    Unknown,
}

/// An index over clips by their sound. Building the one over the whole corpus takes a second or two of CPU; a look-up takes about a
/// hundredth of the audio's duration.
pub struct Recogniser {
    index: Index,
    clips: Vec<Known>,
    printer: Printer,
}

/// What is remembered of a clip.
struct Known {
    clip: &'static Clip,
    print: Print,
    words: Vec<words::Word>,
}

impl std::fmt::Debug for Recogniser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recogniser")
            .field("clips", &self.clips.len())
            .finish_non_exhaustive()
    }
}

impl Recogniser {
    /// The recogniser of all embedded clips; built by the first call (make it from a blocking thread).
    pub fn embedded() -> &'static Recogniser {
        static ALL: LazyLock<Recogniser> =
            LazyLock::new(|| Recogniser::of(Corpus::embedded().clips()));
        &ALL
    }

    /// The recogniser of what the interviewer says; built by the first call (make it from a blocking thread).
    pub fn interviewer() -> &'static Recogniser {
        static INTERVIEWER: LazyLock<Recogniser> = LazyLock::new(|| {
            Recogniser::of(
                Corpus::embedded()
                    .clips()
                    .iter()
                    .filter(|clip| clip.role == Role::Interviewer),
            )
        });
        &INTERVIEWER
    }

    /// A recogniser of some clips only.
    pub fn of(clips: impl IntoIterator<Item = &'static Clip>) -> Recogniser {
        let printer = Printer::new();
        let mut index = Index::default();
        let mut known = Vec::new();
        for clip in clips {
            let print = printer.print(&clip.pcm_once());
            index.add(&print);
            known.push(Known {
                clip,
                words: words::map(clip, &print),
                print,
            });
        }
        Recogniser {
            index,
            clips: known,
            printer,
        }
    }

    /// What was said in this audio (24 kHz mono), in order. Silence and noise are nothing. CPU-bound.
    pub fn recognise(&self, pcm: &[i16]) -> Vec<Heard> {
        let print = self.printer.print(pcm);
        let matches = self.matches(pcm, &print);
        let mut heard: Vec<Heard> = matches.iter().filter_map(|m| self.words_of(m)).collect();
        heard.extend(unknown(&print, &matches));
        heard.sort_by_key(|h| h.start_ms);
        heard
    }

    /// Goes through the buffer from one recognised stretch to the next.
    fn matches(&self, pcm: &[i16], print: &Print) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        let mut explained = 0; // Everything before this frame is decided.
        let mut from = 0;
        while let Some(block) = print.next_speech(from) {
            from = block.start + index::STEP;
            // A short line first: in a longer block the next line would drown it.
            let short = print.up_to_pause(block.clone());
            let blocks: Vec<Range<usize>> = short.into_iter().chain([block]).collect();
            let Some(hit) = self.index.find(print, &blocks) else {
                continue;
            };
            let known = &self.clips[hit.clip].print;
            let free = explained..print.len();
            let Some(found) = align::extend(
                print,
                known,
                &hit,
                free,
                (pcm, self.clips[hit.clip].clip.pcm()),
            ) else {
                continue;
            };
            explained = found.frames.end;
            from = explained.max(from);
            match matches.last_mut() {
                // The same clip going on after a gap or a jump in time is one utterance.
                Some(last)
                    if last.clip == found.clip
                        && found.clip_samples.start + JUMP >= last.clip_samples.end =>
                {
                    last.frames.end = found.frames.end;
                    last.clip_samples.end = found.clip_samples.end;
                }
                _ => matches.push(found),
            }
        }
        matches
    }

    fn words_of(&self, found: &Match) -> Option<Heard> {
        let Known { clip, words, .. } = &self.clips[found.clip];
        let said: Vec<&words::Word> = words
            .iter()
            .filter(|word| found.clip_samples.contains(&word.middle))
            .collect();
        let (first, last) = (said.first()?, said.last()?);
        Some(Heard {
            clip: Some(clip),
            start_ms: ms(found.frames.start),
            end_ms: ms(found.frames.end),
            text: clip.text[first.at.start..last.at.end].to_owned(),
            extent: if said.len() == words.len() {
                Extent::Whole
            } else {
                Extent::Part
            },
        })
    }
}

/// How far a clip may seem to step back, in samples, when its match goes on after a disturbance.
const JUMP: i64 = RATE_HZ as i64 / 4;

/// Speech between the matches.
fn unknown(print: &Print, matches: &[Match]) -> Vec<Heard> {
    let mut gaps: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    for found in matches {
        gaps.push(from..found.frames.start.max(from));
        from = found.frames.end.max(from);
    }
    gaps.push(from..print.len());
    gaps.into_iter()
        .filter_map(|gap| {
            let speech: Vec<usize> = gap.filter(|&frame| print.is_speech(frame)).collect();
            let (first, last) = (*speech.first()?, *speech.last()?);
            (speech.len() >= UNKNOWN_FRAMES_MIN).then(|| Heard {
                clip: None,
                start_ms: ms(first),
                end_ms: ms(last + 1),
                text: String::new(),
                extent: Extent::Unknown,
            })
        })
        .collect()
}

fn ms(frame: usize) -> u32 {
    u32::try_from(frame * HOP * 1000 / RATE_HZ as usize).unwrap_or(u32::MAX)
}

/// The words of what was heard, as one text; unknown speech is written as [`UNKNOWN`]. Empty if nothing was heard.
pub fn transcript(heard: &[Heard]) -> String {
    let texts: Vec<&str> = heard
        .iter()
        .map(|h| {
            if h.clip.is_some() {
                h.text.as_str()
            } else {
                UNKNOWN
            }
        })
        .collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With noise under it, from somewhere in the clip on, and what follows.
    fn treated(clip: &Clip, next: &Clip, random: &mut fastrand::Rng) -> Vec<i16> {
        let (pcm, next) = (clip.pcm(), next.pcm());
        let begin = if random.bool() {
            0
        } else {
            random.usize(..pcm.len())
        };
        let mut treated = vec![0; random.usize(..24_000)];
        treated.extend_from_slice(&pcm[begin..]);
        treated.resize(treated.len() + random.usize(..24_000), 0);
        treated.extend_from_slice(&next[..random.usize(..next.len())]);
        let noise = random.i16(1..600);
        for sample in &mut treated {
            *sample = sample.saturating_add(random.i16(-noise..=noise));
        }
        treated
    }

    #[test]
    fn trying_beginnings_first_finds_what_searching_everywhere_finds() {
        let recogniser = Recogniser::embedded();
        let mut plain = Recogniser::of(Corpus::embedded().clips());
        plain.index.forget_onsets();
        let mut random = fastrand::Rng::with_seed(11);
        let clips = Corpus::embedded().clips();
        for clip in clips.iter().step_by(7) {
            let next = &clips[random.usize(..clips.len())];
            let pcm = treated(clip, next, &mut random);
            let (found, wanted) = (recogniser.recognise(&pcm), plain.recognise(&pcm));
            assert_eq!(format!("{found:?}"), format!("{wanted:?}"), "{}", clip.id);
        }
    }
}
