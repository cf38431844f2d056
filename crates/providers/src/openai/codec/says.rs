//! One response at a time.
//!
//! The vendor refuses a second `response.create` while a response runs, and with its voice activity it starts responses
//! by itself, so that the refusal cannot be avoided, only waited for. This is the queue that does so.

use std::collections::VecDeque;

use engine::ids::ResponseId;

/// Requests that wait at most. More than one is already unusual: the session asks when it is settled.
const WAITING_MAX: usize = 4;

/// How often one request is made before it is given up, if a running response keeps winning the race.
const ATTEMPTS_MAX: u32 = 3;

/// A wish to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) tag: u32,
    pub(super) also: Option<String>,
    /// How often it was sent.
    attempts: u32,
}

/// The queue, and what is in flight.
#[derive(Debug, Default)]
pub(super) struct Says {
    waiting: VecDeque<Say>,
    asked: Option<Asked>,
    running: Option<Running>,
    /// Refused because of a response that we have not seen yet: wait for its end.
    blocked: bool,
}

/// Sent, and neither begun nor refused.
#[derive(Debug)]
struct Asked {
    event_id: String,
    say: Say,
    fate: Fate,
}

#[derive(Debug)]
struct Running {
    response: ResponseId,
    fate: Fate,
}

/// Whether something in flight is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Wanted,
    Cancelled,
}

/// What became of a refused request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was not the request that is in flight.
    NotOurs,
    /// It will be made again.
    Waits,
    /// It was cancelled anyway.
    Forgotten,
    /// It is given up.
    Lost { tag: u32 },
}

impl Says {
    /// Queues a wish. Gives it back if there are too many.
    pub(super) fn push(&mut self, tag: u32, also: Option<String>) -> Result<(), u32> {
        // If nothing is running after all, the next wish is the moment to find out.
        self.blocked = false;
        if self.waiting.len() >= WAITING_MAX {
            return Err(tag);
        }
        self.waiting.push_back(Say {
            tag,
            also,
            attempts: 0,
        });
        Ok(())
    }

    /// The next wish to send, if nothing is in flight, with the event id under which to send it.
    pub(super) fn next(&mut self) -> Option<(String, Say)> {
        if self.asked.is_some() || self.running.is_some() || self.blocked {
            return None;
        }
        let mut say = self.waiting.pop_front()?;
        say.attempts += 1;
        let event_id = format!("say_{}.{}", say.tag, say.attempts);
        self.asked = Some(Asked {
            event_id: event_id.clone(),
            say: say.clone(),
            fate: Fate::Wanted,
        });
        Some((event_id, say))
    }

    /// A response began. Gives its tag if it is the one that we asked for, and whether it is wanted.
    pub(super) fn created(
        &mut self,
        response: &ResponseId,
        client_event_id: Option<&str>,
    ) -> (Option<u32>, Fate) {
        let asked = self
            .asked
            .take_if(|asked| Some(asked.event_id.as_str()) == client_event_id);
        let (tag, fate) = asked.map_or((None, Fate::Wanted), |asked| {
            (Some(asked.say.tag), asked.fate)
        });
        self.running = Some(Running {
            response: response.clone(),
            fate,
        });
        (tag, fate)
    }

    /// The response that is running.
    pub(super) fn running(&self) -> Option<&ResponseId> {
        self.running.as_ref().map(|running| &running.response)
    }

    /// Whether this is the running response, and if so whether it is wanted.
    pub(super) fn fate_of(&self, response: &str) -> Option<Fate> {
        self.running
            .as_ref()
            .filter(|running| running.response.as_str() == response)
            .map(|running| running.fate)
    }

    /// The running response ended.
    pub(super) fn done(&mut self) {
        self.running = None;
        self.blocked = false;
    }

    /// Forgets what waits, and wants nothing more of what is in flight.
    pub(super) fn cancel(&mut self) {
        self.waiting.clear();
        if let Some(asked) = &mut self.asked {
            asked.fate = Fate::Cancelled;
        }
        if let Some(running) = &mut self.running {
            running.fate = Fate::Cancelled;
        }
    }

    /// A request was refused because a response is running: it waits for that one's end.
    pub(super) fn refused_while_active(&mut self, event_id: Option<&str>) -> Refused {
        let Some(asked) = self.take_asked(event_id) else {
            return Refused::NotOurs;
        };
        if asked.fate == Fate::Cancelled {
            return Refused::Forgotten;
        }
        if asked.say.attempts >= ATTEMPTS_MAX {
            return Refused::Lost { tag: asked.say.tag };
        }
        self.blocked = self.running.is_none();
        self.waiting.push_front(asked.say);
        Refused::Waits
    }

    /// A request was refused for good.
    pub(super) fn refused(&mut self, event_id: Option<&str>) -> Refused {
        // Without an id an error may be about anything: only an id makes it ours.
        if event_id.is_none() {
            return Refused::NotOurs;
        }
        match self.take_asked(event_id) {
            None => Refused::NotOurs,
            Some(asked) if asked.fate == Fate::Cancelled => Refused::Forgotten,
            Some(asked) => Refused::Lost { tag: asked.say.tag },
        }
    }

    fn take_asked(&mut self, event_id: Option<&str>) -> Option<Asked> {
        self.asked
            .take_if(|asked| event_id.is_none_or(|id| id == asked.event_id))
    }
}
