//! The shared corpus of rendered interview speech: what the simulated interviewer says and what synthetic participants answer.
//!
//! Everything is compiled in, so the binary needs no files. Speech is decoded on first use and kept. The origin of the clips and the
//! meaning of their labels are in `voices/README.md`.

mod file;
mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use serde::Deserialize;

pub use words::normal;
pub(crate) use words::sentences;

/// Sampling rate of all decoded speech, in hertz. Opus decodes to it directly, and the vendor's protocol speaks it.
pub const RATE_HZ: u32 = 24_000;

/// Duration of every Opus packet of the corpus, in milliseconds.
pub const PACKET_MS: u32 = 20;

/// Who speaks in a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The interviewer.
    Interviewer,
    /// A participant; which one, [`Clip::persona`] says.
    Participant,
}

/// One rendered utterance, with the author's labels.
#[derive(Deserialize)]
pub struct Clip {
    /// Name, such as `q-warmup-role-1`, `a-maya-warmup-role-1`, `s-ack-1`.
    pub id: String,
    /// Who speaks.
    pub role: Role,
    /// Which participant; `guide` for the interviewer.
    pub persona: String,
    /// BCP 47 language.
    pub language: String,
    /// The study whose words these are; lines of the phase `system` serve every study.
    pub study: String,
    /// Phase of the study; `system` for lines that fit anywhere.
    pub phase: String,
    /// The exact words.
    pub text: String,
    /// Clip id of the question that this answers.
    #[serde(default)]
    pub answers: Option<String>,
    /// What the author meant to express: negative, mixed, neutral, positive.
    #[serde(default)]
    pub sentiment: Option<String>,
    /// What the author meant it to be about.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Length of the speech, in milliseconds.
    pub duration_ms: u32,
    /// Words before the thinking pause that was cut into it, if one was.
    #[serde(default)]
    pub pause_after_words: Option<usize>,
    /// Where its Opus file lies in the folder.
    file: String,
    #[serde(skip)]
    packets: OnceLock<file::Packets>,
    #[serde(skip)]
    pcm: OnceLock<Vec<i16>>,
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({})", self.id)
    }
}

impl Clip {
    /// The speech at [`RATE_HZ`], pre-skip and padding removed. Decoded on first use.
    pub fn pcm(&self) -> &[i16] {
        self.pcm.get_or_init(|| self.opus().decode())
    }

    /// The speech, decoded anew unless it is kept already: for who needs all clips once.
    pub(crate) fn pcm_once(&self) -> Cow<'_, [i16]> {
        match self.pcm.get() {
            Some(pcm) => Cow::Borrowed(pcm),
            None => Cow::Owned(self.opus().decode()),
        }
    }

    /// The speech as Opus packets of [`PACKET_MS`] each, as rendered, for sending without another encoding. The first packet begins with
    /// 6.5 ms of the encoder's pre-skip.
    pub fn packets(&self) -> &[Vec<u8>] {
        &self.opus().packets
    }

    fn opus(&self) -> &file::Packets {
        self.packets.get_or_init(|| file::read(&self.file))
    }
}

/// A background that a microphone may hear; 10 s, made to loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bed {
    /// A quiet room, -59 dBFS.
    QuietRoom,
    /// A cafe with babble and cups, -39 dBFS.
    Cafe,
}

impl Bed {
    /// The noise at [`RATE_HZ`].
    #[must_use]
    pub fn pcm(self) -> Vec<i16> {
        self.opus().decode()
    }

    /// The noise as Opus packets of [`PACKET_MS`] each.
    #[must_use]
    pub fn packets(self) -> Vec<Vec<u8>> {
        self.opus().packets
    }

    fn opus(self) -> file::Packets {
        file::read(match self {
            Bed::QuietRoom => "noise-quiet-room.opus",
            Bed::Cafe => "noise-cafe.opus",
        })
    }
}

/// A stretch of a text: words that a clip says, or words without a clip.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// A clip says exactly these words.
    Clip(&'static Clip),
    /// No clip says these words.
    Text(&'a str),
}

/// All clips.
#[derive(Debug)]
pub struct Corpus {
    clips: Vec<Clip>,
    by_id: BTreeMap<String, usize>,
    /// Interviewer's lines by language and normal text.
    by_text: BTreeMap<(String, String), usize>,
    /// Words of the longest interviewer's line.
    words_max: usize,
}

impl Corpus {
    /// The corpus that is compiled in.
    pub fn embedded() -> &'static Corpus {
        static CORPUS: LazyLock<Corpus> = LazyLock::new(Corpus::load);
        &CORPUS
    }

    fn load() -> Corpus {
        let clips: Vec<Clip> = serde_json::from_slice(&file::bytes("manifest.json"))
            .expect("the compiled-in manifest is valid: a test reads it");
        let mut corpus = Corpus {
            by_id: BTreeMap::new(),
            by_text: BTreeMap::new(),
            words_max: 0,
            clips: Vec::new(),
        };
        for (no, clip) in clips.iter().enumerate() {
            corpus.by_id.insert(clip.id.clone(), no);
            if clip.role == Role::Interviewer {
                let text = normal(&clip.text);
                corpus.words_max = corpus.words_max.max(text.split(' ').count());
                corpus
                    .by_text
                    .entry((clip.language.clone(), text))
                    .or_insert(no);
            }
        }
        corpus.clips = clips;
        corpus
    }

    /// All clips, in the manifest's order.
    pub fn clips(&self) -> &[Clip] {
        &self.clips
    }

    /// The clip of this name.
    pub fn get(&self, id: &str) -> Option<&Clip> {
        self.by_id.get(id).map(|&no| &self.clips[no])
    }

    /// The interviewer's clip that says exactly this, whatever the case, spaces, quotes and punctuation.
    pub fn find(&self, language: &str, text: &str) -> Option<&Clip> {
        let key = (words::primary(language).to_owned(), normal(text));
        self.by_text.get(&key).map(|&no| &self.clips[no])
    }

    /// The interviewer's clips that together say exactly this, first to last; none if some words have no clip.
    pub fn compose(&'static self, language: &str, text: &str) -> Option<Vec<&'static Clip>> {
        let clips: Option<Vec<_>> = self
            .pieces(language, text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Clip(clip) => Some(clip),
                Piece::Text(_) => None,
            })
            .collect();
        clips.filter(|clips| !clips.is_empty())
    }

    /// A text cut into what clips say and what they do not. Clips cover whole sentences only; the longest one wins.
    pub fn pieces<'a>(&'static self, language: &str, text: &'a str) -> Vec<Piece<'a>> {
        let sentences = words::sentences(text);
        let mut pieces = Vec::new();
        let mut no = 0;
        while no < sentences.len() {
            let start = sentences[no].start;
            // Longest first. A clip cannot have more sentences than words, so the number of words bounds the search.
            let found = (no + 1..=sentences.len().min(no + self.words_max))
                .rev()
                .find_map(|end| {
                    Some((
                        self.find(language, &text[start..sentences[end - 1].end])?,
                        end,
                    ))
                });
            match (found, pieces.last_mut()) {
                (Some((clip, end)), _) => {
                    pieces.push(Piece::Clip(clip));
                    no = end;
                    continue;
                }
                // Neighbours without a clip are one piece.
                (None, Some(Piece::Text(last))) => {
                    let from = last.as_ptr().addr() - text.as_ptr().addr();
                    *last = &text[from..sentences[no].end];
                }
                (None, _) => pieces.push(Piece::Text(&text[sentences[no].clone()])),
            }
            no += 1;
        }
        pieces
    }

    /// Names of those who can take part in this language, such as `maya`, in the manifest's order.
    pub fn personas(&self, language: &str) -> Vec<&str> {
        let mut names = Vec::new();
        for clip in &self.clips {
            let speaks =
                clip.role == Role::Participant && clip.language == words::primary(language);
            if speaks && !names.contains(&clip.persona.as_str()) {
                names.push(&clip.persona);
            }
        }
        names
    }

    /// What a persona can answer to an interviewer's line, best first: answers written for it, then, if it is a generic probe, probing
    /// answers that share a topic with what the talk is `about`, then the other probing answers. Empty where the line expects no answer.
    pub fn answers(&self, persona: &str, question: &Clip, about: &[String]) -> Vec<&Clip> {
        let mut answers: Vec<(usize, &Clip)> = Vec::new();
        for clip in self
            .clips
            .iter()
            .filter(|clip| clip.role == Role::Participant && clip.persona == persona)
        {
            let rank = if clip.answers.as_deref() == Some(&question.id) {
                0
            } else if question.phase == "probing"
                && clip.phase == "probing"
                && clip.language == question.language
            {
                if clip.topics.iter().any(|topic| about.contains(topic)) {
                    1
                } else {
                    2
                }
            } else {
                continue;
            };
            answers.push((rank, clip));
        }
        answers.sort_by_key(|(rank, _)| *rank); // Stable: within a rank the manifest's order.
        answers.into_iter().map(|(_, clip)| clip).collect()
    }

    /// The question whose words are nearest to a text, if at least half of the text's words (counted by their letters) are in it. For
    /// questions that an interviewer put in its own words.
    pub fn nearest_question(&self, language: &str, text: &str) -> Option<&Clip> {
        let asked = normal(text);
        self.clips
            .iter()
            .filter(|clip| {
                clip.id.contains("q-")
                    && clip.role == Role::Interviewer
                    && clip.language == words::primary(language)
            })
            .map(|clip| (words::shared_permille(&asked, &normal(&clip.text)), clip))
            .filter(|(shared, _)| *shared >= 500)
            .max_by_key(|(shared, _)| *shared)
            .map(|(_, clip)| clip)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_clip_decodes_to_its_stated_length() {
        for clip in Corpus::embedded().clips() {
            let ms = clip.pcm().len() as u64 * 1000 / u64::from(RATE_HZ);
            assert!(
                ms.abs_diff(u64::from(clip.duration_ms)) <= 2,
                "{}: {ms} ms",
                clip.id
            );
            assert!(
                clip.pcm().iter().any(|s| s.unsigned_abs() > 3000),
                "{} is silent",
                clip.id
            );
        }
        assert_eq!(Bed::Cafe.pcm().len(), 10 * RATE_HZ as usize);
    }

    #[test]
    fn words_are_found_whatever_their_dress() {
        let corpus = Corpus::embedded();
        let found = |text| corpus.find("en-GB", text).map(|clip| clip.id.as_str());
        assert_eq!(
            found("  “what makes you say that” "),
            Some("q-probing-why-1")
        );
        assert_eq!(
            found(
                "Let’s talk about meetings. Think of the last online meeting you were in. How did it go?"
            ),
            Some("q-exploration-meetings-1")
        );
        assert_eq!(found("What makes you say this?"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_text_is_cut_into_clips_and_the_rest() {
        let corpus = Corpus::embedded();
        let show = |text| {
            let pieces = corpus.pieces("en", text);
            pieces
                .iter()
                .map(|p| match p {
                    Piece::Clip(clip) => clip.id.clone(),
                    Piece::Text(text) => format!("<{text}>"),
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            show("I see. What makes you say that?"),
            "s-ack-1 q-probing-why-1"
        );
        assert_eq!(
            show("I see. You like tea. You do. What makes you say that?"),
            "s-ack-1 <You like tea. You do.> q-probing-why-1"
        );
        assert_eq!(show("I see what you mean."), "<I see what you mean.>");
        assert_eq!(
            show("It is 3.5 dollars. Right."),
            "<It is 3.5 dollars.> s-ack-2"
        );
        assert_eq!(show(" "), "");
        let closing = &corpus.get("s-close-complete-1").unwrap().text;
        assert_eq!(show(closing), "s-close-complete-1");
        assert_eq!(
            corpus
                .compose("en", "I see. You like tea.")
                .map(|c| c.len()),
            None
        );
        assert_eq!(
            corpus.compose("en", "I see. Right.").map(|c| c.len()),
            Some(2)
        );
    }

    #[test]
    fn personas_answer_questions_and_probes() {
        let corpus = Corpus::embedded();
        assert_eq!(corpus.personas("en").len(), 8);
        for persona in corpus.personas("en") {
            let first = |id: &str, about: &[&str]| {
                let about: Vec<String> = about.iter().map(|t| (*t).to_owned()).collect();
                let answers = corpus.answers(persona, corpus.get(id).unwrap(), &about);
                answers.first().map(|clip| clip.id.clone())
            };
            assert_eq!(
                first("q-exploration-cost-1", &[]),
                Some(format!("a-{persona}-exploration-cost-1"))
            );
            assert_eq!(
                first("s-greeting-1", &[]),
                Some(format!("a-{persona}-warmup-ready-1"))
            );
            assert_eq!(first("q-wrapup-thanks-1", &[]), None);
            assert_eq!(first("s-ack-1", &[]), None);
            assert!(first("q-probing-why-1", &[]).unwrap().contains("-probing-"));
        }
        // Nora has no answer to the meetings probe, but one about searching.
        let probe = corpus.get("q-probing-meetings-1").unwrap();
        assert_eq!(
            corpus.answers("nora", probe, &["search".to_owned()])[0].id,
            "a-nora-probing-change-1"
        );
    }

    #[test]
    fn a_question_in_other_words_is_still_understood() {
        let corpus = Corpus::embedded();
        let near = |text| {
            corpus
                .nearest_question("en", text)
                .map(|clip| clip.id.as_str())
        };
        assert_eq!(
            near("So where do you usually work, and what's that space like?"),
            Some("q-warmup-setup-1")
        );
        assert_eq!(near("Do you own a boat?"), None);
    }
}
