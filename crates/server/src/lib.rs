//! The daemon: sockets, tasks, HTTP, metrics. It acts; it does not decide.
//!
//! ```text
//! http ──> app::App ──> session::Registry ──> one session task + one media task + one link task per session
//!                   └──> store (journal, jobs) <── work: workers that turn an ended session into a report
//! ```

mod alive;
pub mod app;
mod background;
pub mod boot;
pub mod clock;
pub mod config;
pub mod export;
mod hold;
pub mod http;
pub mod metrics;
pub mod mistake;
pub mod pace;
mod search;
pub mod second;
pub mod secrets;
pub mod session;
pub mod study;
pub mod topics;
mod udp;
pub mod vitals;
pub mod walk;
pub mod work;
