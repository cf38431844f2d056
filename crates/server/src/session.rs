//! Live sessions: their tasks, and the registry that starts and finds them.
//!
//! ```text
//!                 control runtime                                   media shard (one thread)
//!  Registry ─ commands ─> session task ───────────── orders ──────────> media task <── datagrams ── udp
//!                          │ engine::Session <────── reports ────────────┘ │   ▲ │
//!                          │   ▲                                     heard │   │ └── datagrams ──> sockets
//!                  outbox  │   └──── events ──── link task <───────────────┘   │
//!  store <── append ───────┘ ──── orders ──────────> │ └─────── spoken ────────┘
//!  store <── put_chunk ─ recorder <──────────────────┼── chunks ─── media task
//!                                                    └══ WebSocket ══> provider
//! ```
//!
//! Every arrow is bounded: `heard` drops its oldest, `datagrams` their newest, `chunks` are counted as lost; a full
//! `orders`, `reports` or `events` ends that one session. `supervise` sees to it that a session ends properly, also by a
//! panic; [`Registry::tasks`] counts what runs.

mod fresh;
mod leftovers;
mod link;
mod media;
mod notice;
mod offer;
mod outbox;
mod recorder;
mod registry;
mod restart;
mod shard;
mod start;
mod supervise;
mod tally;
mod task;

pub use leftovers::{Found, returnable_until, take_over, watch};
pub use offer::{Accepted, Begun, NotLive, OfferRefusal, Start};
pub use registry::{MakeCodec, Parts, Registry};
pub use restart::{Expected, Generation, NoGeneration, RestartRefusal, Restarted};
pub use shard::Shards;
pub use supervise::{CUT_TRANSCRIPT, FINISH_RECORDING, after_end};
pub use tally::Way;
