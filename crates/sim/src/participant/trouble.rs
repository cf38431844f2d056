//! What befalls a participant on the way, when somebody asks for it.

use std::time::Duration;

/// Something that goes wrong at the participant's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The media network swallows datagrams for a while; HTTP still works.
    Blocked {
        /// Which.
        way: Way,
        /// For how long.
        span: Duration,
    },
    /// Everything is unreachable for a while and the connection is not kept: a tab closed, a laptop asleep. Nobody says
    /// goodbye.
    Gone {
        /// For how long.
        span: Duration,
        /// What is left of the page.
        page: Tab,
    },
    /// Another network: a new address, from one moment to the next.
    Moved {
        /// When.
        at: Moment,
    },
    /// The tab is closed and nobody comes back. Nobody says goodbye either.
    Left,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At once.
    Now,
    /// As soon as the interviewer is heard: then the time until it is heard again says how long the way was broken.
    Listening,
}

/// Which datagrams are swallowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Those to the server.
    Out,
    /// Those from the server.
    In,
    /// All.
    Both,
}

/// What of the page outlives a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The same tab, reloaded: its storage, with the grant in it, is still there.
    Reloaded,
    /// Another browser: there is only the link.
    Fresh,
}

/// How a participant came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// On the same connection, by itself or after an ICE restart.
    Network,
    /// With a new connection and a grant.
    Grant,
    /// With a new connection and the link alone.
    Link,
}

/// A drop and the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// How.
    pub rung: Rung,
    /// From the moment at which the participant's network worked again to the next audible interviewer audio; none if
    /// nothing was heard any more.
    pub voice_ms: Option<u32>,
}
