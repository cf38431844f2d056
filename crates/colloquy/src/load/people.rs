//! The participants, and where each of them stands.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sim::participant::{
    Ears, Manners, PATIENCE, ParticipantConfig, Progress, Tap, Trouble, run_tapped,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::plan::{Drop, Person};
use super::tally::{Line, Went, is_sent_home};
use super::wave;
use crate::house::api::Invitation;

/// Sounds that wait for being written: half a minute of speech.
const SOUNDS_MAX: usize = 2_000;

/// Where everybody stands.
pub(super) struct Board {
    seats: Mutex<Vec<Seat>>,
    /// Sends them home.
    stops: Vec<CancellationToken>,
}

/// Where one participant stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seat {
    stage: Stage,
    has_joined: bool,
    has_answered: bool,
    /// Whether its planned drop befell it.
    is_befallen: bool,
    /// Whether an operator ended its session.
    is_ended: bool,
    has_failed: bool,
    /// Connections that were lost, whoever wanted it.
    drops: u32,
    returns: u32,
    /// Since when it stood in line, and for how long if that is over.
    in_line: Option<(Instant, Option<Duration>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Expected,
    /// All interview places are taken.
    InLine,
    Connected,
    Away,
    Over,
}

/// How many stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sessions: u32,
    pub(super) joined: u32,
    /// Now, for a place.
    pub(super) in_line: u32,
    /// Now.
    pub(super) connected: u32,
    /// Of these, who have answered at least once.
    pub(super) talking: u32,
    pub(super) dropped: u32,
    pub(super) returned: u32,
    pub(super) failed: u32,
    pub(super) over: u32,
}

impl Board {
    /// For so many, whom `abort` sends home.
    pub(super) fn new(size: usize, abort: &CancellationToken) -> Board {
        Board {
            seats: Mutex::new(vec![Seat::default(); size]),
            stops: (0..size).map(|_| abort.child_token()).collect(),
        }
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self, index: usize, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.seats().get_mut(index) {
            change(seat);
        }
    }

    /// Who is not done.
    pub(super) fn unfinished(&self) -> Vec<usize> {
        let seats = self.seats();
        let open = seats.iter().enumerate();
        open.filter(|(_, seat)| seat.stage != Stage::Over)
            .map(|(index, _)| index)
            .collect()
    }

    /// Sends everybody home who stands in line: there is nothing that an operator could end.
    pub(super) fn close_line(&self) {
        for (seat, stop) in self.seats().iter().zip(&self.stops) {
            if seat.stage == Stage::InLine {
                stop.cancel();
            }
        }
    }

    /// An operator ended this session.
    pub(super) fn ended(&self, index: usize) {
        self.seat(index, |seat| seat.is_ended = true);
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for seat in self.seats().iter() {
            let is_connected = seat.stage == Stage::Connected;
            counts.sessions += 1;
            counts.joined += u32::from(seat.has_joined);
            counts.in_line += u32::from(seat.stage == Stage::InLine);
            counts.connected += u32::from(is_connected);
            counts.talking += u32::from(is_connected && seat.has_answered);
            counts.dropped += seat.drops;
            counts.returned += seat.returns;
            counts.failed += u32::from(seat.has_failed);
            counts.over += u32::from(seat.stage == Stage::Over);
        }
        counts
    }

    fn told(&self, index: usize, progress: &Progress) {
        self.seat(index, |seat| match progress {
            Progress::Consented { .. } => seat.has_joined = true,
            Progress::InLine { .. } => {
                seat.stage = Stage::InLine;
                seat.in_line.get_or_insert((Instant::now(), None));
            }
            Progress::Connected => {
                seat.stage = Stage::Connected;
                if let Some((since, stood @ None)) = &mut seat.in_line {
                    *stood = Some(since.elapsed());
                }
            }
            Progress::Dropped => {
                seat.stage = Stage::Away;
                seat.drops += 1;
            }
            Progress::Returned(_) => seat.returns += 1,
            Progress::Answering { .. } => seat.has_answered = true,
            Progress::Ended { .. } => seat.stage = Stage::Over,
            Progress::Phase { .. } | Progress::Heard { .. } => {}
        });
    }
}

/// How and until when all take part.
pub(super) struct Load<'l> {
    pub(super) board: &'l Arc<Board>,
    pub(super) began: Instant,
    /// Nobody takes part for longer.
    pub(super) within: Duration,
    /// Where wave files are written.
    pub(super) waves: &'l Path,
}

/// Everybody begins at their time.
pub(super) fn begin(
    people: Vec<Person>,
    invitations: Vec<Invitation>,
    load: &Load<'_>,
) -> JoinSet<Went> {
    let mut all = JoinSet::new();
    let stops = load.board.stops.iter().cloned();
    let people = people.into_iter().zip(invitations).zip(stops);
    for (index, ((person, invitation), stop)) in people.enumerate() {
        let seat = Place {
            index,
            board: Arc::clone(load.board),
            began: load.began,
            within: load.within,
            stop,
        };
        let file = load.waves.join(format!("{}.wav", invitation.id));
        all.spawn(async move {
            if person.is_sampled {
                let (tap, tapped) = Tap::new(SOUNDS_MAX);
                let (mut went, recorded) = tokio::join!(
                    take_part(seat, person, invitation, Some(tap)),
                    wave::record(tapped, file)
                );
                went.wave = Some(recorded.map_err(|error| format!("{error:#}")));
                went
            } else {
                take_part(seat, person, invitation, None).await
            }
        });
    }
    all
}

/// One participant's place.
struct Place {
    index: usize,
    board: Arc<Board>,
    began: Instant,
    within: Duration,
    stop: CancellationToken,
}

async fn take_part(place: Place, person: Person, invitation: Invitation, tap: Option<Tap>) -> Went {
    tokio::time::sleep_until((place.began + person.joins_at).into()).await;
    let config = config(&person, &invitation, place.within);
    let (troubles, suffered) = mpsc::channel(1);
    let (board, index) = (&place.board, place.index);
    let progress = |progress: Progress| board.told(index, &progress);
    let talk = run_tapped(config, suffered, tap, place.stop.clone(), progress);
    tokio::pin!(talk);
    let result = tokio::select! {
        biased;
        result = &mut talk => result,
        () = befall(&place, person.drop, &troubles) => talk.await,
    };
    let mut seat = Seat::default();
    board.seat(index, |mine| {
        seat = *mine;
        mine.stage = Stage::Over;
        mine.has_failed = match &result {
            Ok(_) => false,
            Err(error) => seat.stage != Stage::InLine || !is_sent_home(error),
        };
    });
    Went {
        is_ended: seat.is_ended,
        is_befallen: seat.is_befallen,
        is_away: seat.stage == Stage::Away,
        line: match seat.in_line {
            Some((_, Some(stood))) => Line::Stood(stood),
            Some((_, None)) if seat.stage == Stage::InLine => Line::NeverIn,
            Some((_, None)) | None => Line::None,
        },
        drops: seat.drops,
        session: invitation.id,
        person,
        result,
        wave: None,
    }
}

/// Waits for the drop that is planned, and lets it happen.
async fn befall(place: &Place, drop: Option<Drop>, troubles: &mpsc::Sender<Trouble>) {
    let Some(drop) = drop else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until((place.began + drop.at).into()).await;
    let trouble = match drop.back {
        Some(back) => Trouble::Gone {
            span: back.after,
            page: back.tab,
        },
        None => Trouble::Left,
    };
    place.board.seat(place.index, |seat| {
        // Who stands in line has no connection to lose; who is gone already is not befallen by anything.
        seat.is_befallen = seat.stage != Stage::InLine && troubles.try_send(trouble).is_ok();
        if seat.is_befallen && trouble == Trouble::Left {
            seat.drops += 1;
        }
    });
}

fn config(person: &Person, invitation: &Invitation, within: Duration) -> ParticipantConfig {
    ParticipantConfig {
        link: invitation.link.clone(),
        persona: person.persona.clone(),
        start_after: Duration::ZERO,
        seed: person.seed,
        ears: Ears::Captions,
        manners: person
            .interrupts
            .map_or(Manners::Patient, |how| Manners::Interrupting {
                after: how.after,
                every: how.every,
            }),
        deadline: within,
        patience: PATIENCE,
        local_ip: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_counts_who_is_there_now_and_what_happened_so_far() {
        let abort = CancellationToken::new();
        let board = Board::new(3, &abort);
        let title = String::new();
        for index in 0..2 {
            board.told(
                index,
                &Progress::Consented {
                    title: title.clone(),
                },
            );
            board.told(index, &Progress::Connected);
        }
        let (clip, text) = (String::new(), String::new());
        board.told(0, &Progress::Answering { clip, text });
        board.told(1, &Progress::Dropped);
        board.told(2, &Progress::InLine { position: 1 });
        let counts = board.counts();
        assert_eq!(counts.in_line, 1);
        board.close_line();
        let stopped: Vec<bool> = board.stops.iter().map(|stop| stop.is_cancelled()).collect();
        assert_eq!(stopped, [false, false, true], "and nobody else");
        assert_eq!(
            (counts.sessions, counts.joined, counts.connected),
            (3, 2, 1)
        );
        assert_eq!((counts.talking, counts.dropped, counts.over), (1, 1, 0));
        board.told(0, &Progress::Ended { outcome: title });
        assert_eq!(board.unfinished(), [1, 2]);
    }
}
