//! Provider simulators and synthetic participants: a product of ours, and the test bench.
//!
//! - [`provider`] is the far end of the vendor's wire protocol; the product does not know the difference.
//! - [`participant`] is the other half: a WebRTC client that joins through the public HTTP API like a browser.
//! - [`corpus`], [`recognise`] and [`voice`] are their mouth and ears: rendered speech, recognised by its sound.

pub mod corpus;
pub mod participant;
pub mod provider;
pub mod recognise;
pub mod voice;
