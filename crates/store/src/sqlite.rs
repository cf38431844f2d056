//! The SQLite dialect: every statement of SQL stands in this folder. A second dialect is a folder beside it that carries
//! out the same operations (`crate::op`) and answers the same reads.

mod apply;
mod codec;
mod corrections;
mod cut;
mod damage;
mod error;
mod grants;
mod jobs;
mod journal;
mod open;
mod queue;
mod read;
mod reopen;
mod results;
mod sessions;
mod studies;
mod writer;

pub(crate) use apply::Operation;
pub(crate) use open::{not_writable, open};
pub(crate) use queue::{Counters, Message, Task, Write};
pub(crate) use read::Reader;
pub(crate) use sessions::Finished;
pub(crate) use writer::Writer;
