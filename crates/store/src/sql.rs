//! Every statement of SQL stands in this folder. Most are said once; where SQLite and PostgreSQL differ (JSON arrays as rows,
//! locks) both ways stand side by side, so that whoever changes one sees the other. The same tests run on both.

mod apply;
mod codec;
mod corrections;
mod cut;
mod damage;
mod db;
mod error;
mod grants;
mod jobs;
mod journal;
mod open;
mod postgres;
mod queue;
mod read;
mod reopen;
mod results;
mod sessions;
mod settle;
mod sqlite;
mod studies;
mod topics;
mod writer;

pub(crate) use apply::Operation;
pub(crate) use db::Pool;
pub(crate) use open::open;
pub(crate) use postgres::listen;
pub(crate) use queue::{Counters, Message, Task, Write};
pub(crate) use read::Reader;
pub(crate) use sessions::Finished;
pub(crate) use sqlite::not_writable;
pub(crate) use writer::Writer;
