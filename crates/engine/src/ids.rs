//! Names of things. Text ids are cheap to clone; numbers count generations within one session.

use std::fmt;
use std::sync::Arc;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

text_id! {
    /// A session: 26 characters of ULID, made by `server`.
    SessionId;
    /// A study: the slug in its file, such as `remote-work-tools`.
    StudyId;
    /// A phase within a study, such as `warmup`.
    PhaseId;
    /// A topic (question) within a study's guide, such as `meetings`. Unique in the study.
    TopicId;
    /// One utterance as the provider's link names it; the key under which its audio is played and its words are heard.
    ItemId;
    /// One generation of the provider. An item belongs to one response; a response may have several items.
    ResponseId;
    /// One tool call of the model.
    CallId;
}

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

number_id! {
    /// Generation of a media connection within a session. Facts of an older one are dropped and counted.
    PeerNo;
    /// Generation of a provider link within a session. Facts of an older one are dropped and counted.
    LinkNo;
    /// Position of a turn in its session's journal, counted from 1 in the order in which turns began.
    TurnNo;
}
