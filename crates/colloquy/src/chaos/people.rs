//! The participants: one interview after another until the last event.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sim::participant::{
    Ears, Manners, PATIENCE, ParticipantConfig, ParticipantReport, Progress, Return, Trouble,
    run_troubled,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::house::STUDY;
use crate::house::api::{Api, Invitation};

/// Voices, in turn.
const PERSONAS: [&str; 8] = [
    "maya", "marcus", "tasha", "leon", "priya", "nora", "victor", "owen",
];
/// One interview, whatever happens to it.
const INTERVIEW_WITHIN: Duration = Duration::from_secs(20 * 60);
/// A person whose page did not open tries again.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// Between the first joins.
const JOIN_EVERY: Duration = Duration::from_millis(400);

/// Who takes part now.
pub(super) struct Crowd {
    seats: Mutex<Vec<Seat>>,
    pub(super) size: u32,
}

/// One participant's place.
enum Seat {
    /// Between two interviews, or not connected.
    Empty,
    /// Talking.
    Taken {
        session: String,
        troubles: mpsc::Sender<Trouble>,
    },
}

/// An interview that is over.
pub(super) struct Interview {
    pub(super) id: String,
    /// What the participant went through, or why it could not finish.
    pub(super) result: Result<ParticipantReport, String>,
}

impl Crowd {
    pub(super) fn new(size: u32) -> Crowd {
        let seats = Mutex::new((0..size).map(|_| Seat::Empty).collect());
        Crowd { seats, size }
    }

    /// Sessions whose participants are connected.
    pub(super) fn sessions(&self) -> Vec<String> {
        let seats = self.lock();
        let taken = seats.iter().filter_map(|seat| match seat {
            Seat::Taken { session, .. } => Some(session.clone()),
            Seat::Empty => None,
        });
        taken.collect()
    }

    /// Lets something befall one of those who are connected; false if nobody is.
    pub(super) fn befall(&self, trouble: Trouble, rng: &mut fastrand::Rng) -> bool {
        let seats = self.lock();
        let mut taken: Vec<&mpsc::Sender<Trouble>> = seats
            .iter()
            .filter_map(|seat| match seat {
                Seat::Taken { troubles, .. } => Some(troubles),
                Seat::Empty => None,
            })
            .collect();
        rng.shuffle(&mut taken);
        taken
            .iter()
            .any(|troubles| troubles.try_send(trouble).is_ok())
    }

    fn set(&self, number: u32, seat: Seat) {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(place) = self.lock().get_mut(index) {
            *place = seat;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everybody begins, one after another.
pub(super) fn begin(
    crowd: &Arc<Crowd>,
    api: &Api,
    seed: u64,
    over: &CancellationToken,
) -> JoinSet<Vec<Interview>> {
    let mut people = JoinSet::new();
    for number in 0..crowd.size {
        let (crowd, api, over) = (Arc::clone(crowd), api.clone(), over.clone());
        people.spawn(async move {
            sleep(JOIN_EVERY * number).await;
            let mut interviews = Vec::new();
            while !over.is_cancelled() {
                let round = u64::try_from(interviews.len()).unwrap_or(u64::MAX);
                interviews.push(interview(&crowd, &api, number, seed ^ (round << 32)).await);
            }
            interviews
        });
    }
    people
}

async fn interview(crowd: &Crowd, api: &Api, number: u32, seed: u64) -> Interview {
    let invitation = loop {
        // The server may be down at this moment: the researcher tries again, too.
        if let Ok(mut invitations) = api.invite(STUDY, "rehearsal", 1).await
            && let Some(invitation) = invitations.pop()
        {
            break invitation;
        }
        sleep(TRY_EVERY).await;
    };
    let until = Instant::now() + INTERVIEW_WITHIN;
    loop {
        let (result, stage) = take_part(crowd, &invitation, number, seed).await;
        if result.is_err() && stage == Stage::NotConnected && Instant::now() < until {
            sleep(TRY_EVERY).await;
            continue;
        }
        let id = invitation.id;
        return Interview { id, result };
    }
}

/// How far an interview came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    NotConnected,
    Connected,
}

async fn take_part(
    crowd: &Crowd,
    invitation: &Invitation,
    number: u32,
    seed: u64,
) -> (Result<ParticipantReport, String>, Stage) {
    let index = usize::try_from(number).unwrap_or_default();
    let config = ParticipantConfig {
        link: invitation.link.clone(),
        persona: PERSONAS[index % PERSONAS.len()].to_owned(),
        start_after: Duration::ZERO,
        seed: seed.wrapping_add(u64::from(number)),
        ears: Ears::Captions,
        manners: Manners::Patient,
        deadline: INTERVIEW_WITHIN,
        local_ip: None,
        patience: PATIENCE,
    };
    let (troubles, suffered) = mpsc::channel(1);
    let stage = Mutex::new(Stage::NotConnected);
    let progress = |progress: Progress| match progress {
        Progress::Connected => {
            *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Connected;
            let (session, troubles) = (invitation.id.clone(), troubles.clone());
            crowd.set(number, Seat::Taken { session, troubles });
        }
        Progress::Dropped | Progress::Ended { .. } => crowd.set(number, Seat::Empty),
        Progress::Returned(Return { .. })
        | Progress::Consented { .. }
        | Progress::InLine { .. }
        | Progress::Phase { .. }
        | Progress::Heard { .. }
        | Progress::Answering { .. } => {}
    };
    let result = run_troubled(config, suffered, CancellationToken::new(), progress).await;
    crowd.set(number, Seat::Empty);
    let stage = *stage.lock().unwrap_or_else(PoisonError::into_inner);
    (result.map_err(|error| error.to_string()), stage)
}
