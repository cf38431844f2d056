//! Reads the instructions that an interviewer is given, as a model would: by their headings and lists, tolerant of everything else.

/// What the instructions say, as far as they could be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// BCP 47 language to speak; `en` unless said otherwise.
    pub language: String,
    /// Id of the phase.
    pub phase: String,
    /// Title of the phase.
    pub title: String,
    /// The topic guide, in order.
    pub topics: Vec<Topic>,
    /// Signals that call for a follow-up.
    pub triggers: Vec<String>,
    /// Follow-ups at most, per topic.
    pub probes_max: u32,
    /// Where `advance_phase` may lead.
    pub moves: Vec<String>,
    /// Whether there is time for more than the necessary.
    pub pace: Pace,
}

/// How much time is left in a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Enough.
    #[default]
    Calm,
    /// The phase should be finished.
    Short,
}

/// One question of the guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id, as `cover_topic` wants it.
    pub id: String,
    /// The question.
    pub question: String,
    /// Whether the phase waits for it.
    pub need: Need,
    /// Whether the instructions say that it was answered.
    pub state: TopicState,
}

/// Whether a phase waits for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It does.
    Required,
    /// Asked if there is time.
    Optional,
}

/// Whether a question was answered, by the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// Not yet.
    Open,
    /// Answered.
    Covered,
}

/// Which list the lines being read belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Other,
    Guide,
    FollowUp,
}

impl Prompt {
    /// Reads instructions. Never fails: what cannot be understood is passed over.
    #[must_use]
    pub fn parse(instructions: &str) -> Prompt {
        let mut prompt = Prompt {
            language: "en".into(),
            ..Prompt::default()
        };
        let mut section = Section::Other;
        for line in instructions.lines().map(str::trim) {
            if let Some(heading) = line.strip_prefix('#') {
                let heading = heading.trim_start_matches('#').trim();
                section = section_of(heading);
                if let Some(phase) = heading.strip_prefix("Phase:") {
                    prompt.phase = phase.trim().to_owned();
                }
                continue;
            }
            prompt.line(line, section);
        }
        prompt
    }

    fn line(&mut self, line: &str, section: Section) {
        if let Some(title) = line.strip_prefix("Title:") {
            self.title = title.trim().to_owned();
        } else if let Some(rest) = after(line, "Speak ") {
            if let Some(code) = language_code(rest) {
                self.language = code;
            }
        } else if let Some(rest) = after(line, "call advance_phase with one of:") {
            self.moves = rest
                .split(',')
                .map(|name| name.trim().trim_end_matches('.').to_owned())
                .filter(|name| !name.is_empty())
                .collect();
        } else if line.starts_with("Time is short") {
            self.pace = Pace::Short;
        } else if let Some(rest) = line.strip_prefix("At most ") {
            self.probes_max = rest
                .split_whitespace()
                .next()
                .and_then(|count| count.parse().ok())
                .unwrap_or(self.probes_max);
        } else if section == Section::Guide {
            self.topics.extend(topic(line));
        } else if section == Section::FollowUp
            && let Some(trigger) = line.strip_prefix("- ")
        {
            self.triggers.push(trigger.to_owned());
        }
    }
}

fn section_of(heading: &str) -> Section {
    if heading.starts_with("Topic guide") {
        Section::Guide
    } else if heading.starts_with("Follow up") {
        Section::FollowUp
    } else {
        Section::Other
    }
}

fn after<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    line.rfind(marker).map(|at| &line[at + marker.len()..])
}

/// `en`, `pt-BR`: a language code at the beginning of the text, up to a full stop or a space. A language's name is not one.
fn language_code(text: &str) -> Option<String> {
    let code = text
        .split(|c: char| c.is_whitespace() || c == '.' || c == ',')
        .next()?;
    let primary = code.split('-').next()?;
    ((2..=3).contains(&primary.len()) && primary.chars().all(|c| c.is_ascii_lowercase()))
        .then(|| code.to_owned())
}

/// `2. [meetings] (required, verbatim) How did it go?`
fn topic(line: &str) -> Option<Topic> {
    let (number, rest) = line.split_once('.')?;
    number.trim().parse::<u32>().ok()?;
    let (id, rest) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
    let (flags, question) = match rest
        .trim_start()
        .strip_prefix('(')
        .and_then(|flags| flags.split_once(')'))
    {
        Some((flags, question)) => (flags, question),
        None => ("", rest),
    };
    let flag = |name: &str| flags.split(',').any(|flag| flag.trim() == name);
    Some(Topic {
        id: id.trim().to_owned(),
        question: question.trim().to_owned(),
        need: if flag("optional") {
            Need::Optional
        } else {
            Need::Required
        },
        state: if flag("covered") {
            TopicState::Covered
        } else {
            TopicState::Open
        },
    })
}

/// What the instructions of one response ask for, over the instructions of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing special: go on.
    GoOn,
    /// Say these words, and then something.
    SayExactly {
        /// The words.
        text: String,
        /// What to say after them.
        then: Then,
    },
    /// Say the last question again.
    RepeatQuestion,
    /// Welcome the participant back, then say the last question again.
    WelcomeAndRepeat,
    /// Ask for what was not heard.
    AskAgain,
    /// Begin a new phase: one transition and its first question.
    BeginPhase,
}

/// What follows on exact words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// The next open question of the guide.
    NextQuestion,
    /// The last question once more.
    RepeatQuestion,
}

impl Command {
    /// Reads what was added to the instructions for one response.
    #[must_use]
    pub fn parse(also: &str) -> Command {
        const SAY: &str = "Say exactly: \"";
        let lower = also.to_lowercase();
        if let Some(begin) = also.find(SAY).map(|at| at + SAY.len())
            && let Some(end) = also.rfind('"').filter(|end| *end >= begin)
        {
            return Command::SayExactly {
                text: also[begin..end].to_owned(),
                then: then(&also[end + 1..].to_lowercase()),
            };
        }
        let welcome = lower.contains("welcome the participant back");
        if lower.contains("repeat your last question") {
            if welcome {
                Command::WelcomeAndRepeat
            } else {
                Command::RepeatQuestion
            }
        } else if lower.contains("did not hear") {
            Command::AskAgain
        } else if lower.contains("go on with the new phase") {
            Command::BeginPhase
        } else {
            Command::GoOn
        }
    }
}

fn then(rest: &str) -> Then {
    if rest.contains("do not ask") {
        Then::Nothing
    } else if rest.contains("repeat") && rest.contains("question") {
        Then::RepeatQuestion
    } else if rest.contains("question") {
        Then::NextQuestion
    } else {
        Then::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLORATION: &str = "# Interview: Tools for remote work
You are an interviewer who conducts a research interview for the Remote Work Lab. Speak en.
Warm and curious.

## Rules
- Ask one question at a time, and wait for the answer.

## Phase: exploration
Title: The tools
Objective: Learn which tools matter.
Stay concrete.

### Topic guide
1. [tools] (required, verbatim, covered) Which tools do you rely on most?
2. [meetings] (required, verbatim) How did it go?
3. [focus] (optional, free) What helps (and what does not)?

### Follow up when
- the answer is vague
- the participant mentions money
At most 2 follow-ups per topic.

### Moving on
When a topic has been answered, call cover_topic with its id.
When the guide is done, call advance_phase with one of: probing, wrapup, end

### Time
This phase should take about 6 minutes.
Time is short: finish this phase and call advance_phase.
";

    #[test]
    fn every_part_of_the_agreed_prompt_is_understood() {
        let prompt = Prompt::parse(EXPLORATION);
        assert_eq!(
            (
                prompt.language.as_str(),
                prompt.phase.as_str(),
                prompt.title.as_str()
            ),
            ("en", "exploration", "The tools")
        );
        assert_eq!(
            prompt.triggers,
            ["the answer is vague", "the participant mentions money"]
        );
        assert_eq!((prompt.probes_max, prompt.pace), (2, Pace::Short));
        assert_eq!(prompt.moves, ["probing", "wrapup", "end"]);
        let topics: Vec<_> = prompt
            .topics
            .iter()
            .map(|t| (t.id.as_str(), t.question.as_str(), t.need, t.state))
            .collect();
        assert_eq!(
            topics,
            [
                (
                    "tools",
                    "Which tools do you rely on most?",
                    Need::Required,
                    TopicState::Covered
                ),
                (
                    "meetings",
                    "How did it go?",
                    Need::Required,
                    TopicState::Open
                ),
                (
                    "focus",
                    "What helps (and what does not)?",
                    Need::Optional,
                    TopicState::Open
                ),
            ]
        );
    }

    #[test]
    fn rules_are_not_taken_for_triggers() {
        assert!(
            Prompt::parse("## Rules\n- Never invent.\n")
                .triggers
                .is_empty()
        );
    }

    #[test]
    fn instructions_of_a_stranger_give_an_empty_guide_and_no_panic() {
        for text in [
            "",
            "#",
            "### Topic guide\n1.\n[x\n2. [] () \n3. [a",
            "At most",
            "Speak Klingon.",
            "call advance_phase with one of:",
        ] {
            let prompt = Prompt::parse(text);
            assert_eq!(prompt.language, "en", "{text:?}");
            assert!(prompt.moves.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn exact_words_may_contain_quotes_and_line_breaks() {
        let command = Command::parse(
            "Say exactly: \"Hello, I am \"Q\".\nReady?\" Then ask the first question of the topic guide.",
        );
        assert_eq!(
            command,
            Command::SayExactly {
                text: "Hello, I am \"Q\".\nReady?".into(),
                then: Then::NextQuestion
            }
        );
    }

    #[test]
    fn each_agreed_command_is_told_from_the_others() {
        assert_eq!(
            Command::parse("Say exactly: \"Bye.\" Do not ask anything more."),
            Command::SayExactly {
                text: "Bye.".into(),
                then: Then::Nothing
            }
        );
        assert_eq!(
            Command::parse(
                "The participant has been silent. Say exactly: \"Are you still there?\""
            ),
            Command::SayExactly {
                text: "Are you still there?".into(),
                then: Then::Nothing
            }
        );
        assert_eq!(
            Command::parse("Say exactly: \"Welcome back.\" Then repeat your last question."),
            Command::SayExactly {
                text: "Welcome back.".into(),
                then: Then::RepeatQuestion
            }
        );
        assert_eq!(
            Command::parse("Repeat your last question in the same words."),
            Command::RepeatQuestion
        );
        assert_eq!(
            Command::parse(
                "Go on with the new phase: say one short transition, then ask its first question."
            ),
            Command::BeginPhase
        );
        assert_eq!(
            Command::parse(
                "The connection was interrupted. Welcome the participant back in a few words, then repeat your last question in the same words."
            ),
            Command::WelcomeAndRepeat
        );
        assert_eq!(
            Command::parse(
                "You did not hear what the participant just said. Say that you did not catch it, and ask to hear it again."
            ),
            Command::AskAgain
        );
        assert_eq!(Command::parse(""), Command::GoOn);
    }
}
