//! Integration tests of the simulator: one binary, one module per subject.

mod client;
mod http;
mod participant;
mod product;
mod realtime;
mod recognise;
