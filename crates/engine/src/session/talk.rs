//! The conversation with the model: which response is in progress, which tool results are owed, what is to be said next.
//!
//! One response at a time. Vendors refuse a second one (`conversation_already_has_active_response`), and with turn events
//! they start responses of their own accord, so a wish to speak is kept here until it can be granted.

use crate::ids::{CallId, LinkNo, ResponseId};

/// What a response that we ask for is for. Later ones matter more: of two wishes the later in this list stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// To answer a turn that the vendor did not begin to answer by itself.
    Nudge,
    /// To say something after a tool result.
    Plain,
    /// To have said again what the vendor did not hear.
    Unheard,
    /// To prompt a silent participant.
    Silence {
        /// First or second time.
        nth: u32,
    },
    /// To say the last question again.
    Repeat,
    /// To go on after the link was lost.
    Resume,
    /// To go on with a participant who was away.
    Return,
    /// To open a new phase.
    AfterMove,
    /// To greet.
    Greeting,
    /// To close.
    Closing,
}

/// How the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never opened.
    Unopened,
    /// Being opened.
    Opening,
    /// Able to talk.
    Ready,
    /// Lost; it will be opened again when a timer says so.
    Resting,
    /// Given up for good.
    Dead,
}

/// A request to speak on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) tag: u32,
    /// What it is for.
    pub(crate) purpose: Purpose,
}

/// Whether a response is to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is played.
    Heard,
    /// It was interrupted or is not wanted: what still arrives of it is dropped.
    Dropped,
}

/// Whether the model must be made to speak after its tool calls were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    /// No: it called nothing, or a move follows that speaks.
    Needless,
    /// Only if it said nothing itself.
    IfSilent,
    /// In any case: it was told something that changes what comes next.
    Always,
}

/// A response in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// The vendor's name of it.
    pub(crate) id: ResponseId,
    /// What it is for; none if the vendor began it by itself.
    pub(crate) purpose: Option<Purpose>,
    /// Whether it is heard.
    pub(crate) fate: Fate,
    /// Utterances that it began.
    pub(crate) utterances: u32,
    /// What its tool calls ask for.
    pub(crate) reply: Reply,
}

/// Our side of a link.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    /// The latest link.
    pub(crate) link: LinkNo,
    /// How it stands.
    pub(crate) standing: Standing,
    /// Times that it was opened again without a whole response since.
    pub(crate) tries: u32,
    /// Responses that failed in a row.
    pub(crate) failures: u32,
    /// Plain requests in a row that brought no word: a model that only ever calls tools is not asked for ever.
    pub(crate) wordless: u32,
    /// The version of the instructions that it has.
    pub(crate) instructed: u32,
    /// A request to speak that has not begun to be answered.
    pub(crate) asked: Option<Asked>,
    /// One that the vendor's own response came before; it is asked again, unless it is answered after all.
    pub(crate) overtaken: Option<Asked>,
    /// The response in progress.
    pub(crate) response: Option<Response>,
    /// Tool results, to be sent when the response that called is done.
    pub(crate) owed: Vec<(CallId, String)>,
    /// The vendor is about to answer the participant by itself.
    pub(crate) answering: bool,
    /// It has not begun to in time. If it says nothing else either, the link is stalled.
    pub(crate) overdue: bool,
    /// What is to be said next.
    pub(crate) wanted: Option<Purpose>,
    tag: u32,
}

impl Talk {
    /// No link yet.
    pub(crate) fn new() -> Talk {
        Talk {
            link: LinkNo(0),
            standing: Standing::Unopened,
            tries: 0,
            failures: 0,
            wordless: 0,
            instructed: 0,
            asked: None,
            overtaken: None,
            response: None,
            owed: Vec::new(),
            answering: false,
            overdue: false,
            wanted: None,
            tag: 0,
        }
    }

    /// Whether it can be told anything.
    pub(crate) fn is_ready(&self) -> bool {
        self.standing == Standing::Ready
    }

    /// Whether there is a socket to close.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Opening | Standing::Ready)
    }

    /// Whether the model is generating or about to.
    pub(crate) fn is_generating(&self) -> bool {
        self.response.is_some() || self.asked.is_some()
    }

    /// Whether nothing is generating, about to, or owed.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_generating() && !self.answering && self.owed.is_empty()
    }

    /// Wishes for something to be said; a weightier wish stays.
    pub(crate) fn want(&mut self, purpose: Purpose) {
        self.wanted = self.wanted.max(Some(purpose));
    }

    /// The vendor answers the participant by itself: wishes that its answer makes needless are dropped.
    pub(crate) fn supersede(&mut self) {
        if self
            .wanted
            .is_some_and(|purpose| purpose <= Purpose::AfterMove)
        {
            self.wanted = None;
        }
    }

    /// Takes the wish and numbers it.
    pub(crate) fn ask(&mut self, purpose: Purpose) -> Asked {
        self.wanted = None;
        self.tag = self.tag.wrapping_add(1);
        let asked = Asked {
            tag: self.tag,
            purpose,
        };
        self.asked = Some(asked);
        self.overtaken = None;
        asked
    }

    /// Notes that a response began, and returns what it is for.
    pub(crate) fn begin(&mut self, tag: Option<u32>) -> Option<Purpose> {
        self.answering = false;
        self.overdue = false;
        if let Some(asked) = self.asked.take() {
            if Some(asked.tag) == tag {
                self.overtaken = None;
                // Somebody came back before it began, and wished for the same again.
                if self.wanted == Some(asked.purpose) {
                    self.wanted = None;
                }
                return Some(asked.purpose);
            }
            // The answer that was asked for once more has come.
            if asked.purpose != Purpose::Nudge {
                self.overtaken = Some(asked);
                self.want(asked.purpose);
            }
            return None;
        }
        let late = self.overtaken.take_if(|asked| Some(asked.tag) == tag)?;
        if self.wanted == Some(late.purpose) {
            self.wanted = None;
        }
        Some(late.purpose)
    }

    /// Forgets what belonged to a link that is gone.
    pub(crate) fn reset(&mut self) {
        self.asked = None;
        self.overtaken = None;
        self.response = None;
        self.owed.clear();
        self.answering = false;
        self.overdue = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightier_wish_stays() {
        let mut talk = Talk::new();
        talk.want(Purpose::AfterMove);
        talk.want(Purpose::Plain);
        assert_eq!(talk.wanted, Some(Purpose::AfterMove));
        talk.want(Purpose::Closing);
        talk.supersede();
        assert_eq!(
            talk.wanted,
            Some(Purpose::Closing),
            "the closing statement is said whatever the vendor answers"
        );
    }

    #[test]
    fn a_request_that_the_vendor_overtook_is_made_again_unless_it_is_answered_after_all() {
        let mut talk = Talk::new();
        let asked = talk.ask(Purpose::Greeting);
        assert_eq!(talk.begin(None), None);
        assert_eq!(talk.wanted, Some(Purpose::Greeting));
        assert_eq!(talk.begin(Some(asked.tag)), Some(Purpose::Greeting));
        assert_eq!(talk.wanted, None);
    }
}
