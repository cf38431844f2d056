//! What happens after an interview: the recording is finished, the transcript coded, the report assembled. Each step is a
//! durable job of the store; a worker takes a lease, works without holding a transaction, and commits results, cost and
//! follow-up jobs in one.

pub mod report;

pub use report::Report;
