//! The line before a full house.

use std::collections::BTreeMap;

use engine::admission::{Bearable, Door, Room, SILENT_AT_MOST, Strain, Verdict};
use engine::ids::SessionId;
use engine::time::Mono;

use crate::walk::world::study::Prng;

const BEARABLE: Bearable = Bearable {
    cpu: 0.85,
    late: 0.05,
};

fn at(seconds: u64) -> Mono {
    Mono::from_millis(seconds * 1_000)
}

fn who(no: u64) -> SessionId {
    SessionId::from(format!("S{no}"))
}

fn waits(position: u32, waiting: u32) -> Verdict {
    Verdict::Waits { position, waiting }
}

#[test]
fn the_first_in_line_gets_the_next_place_whoever_asks_first() {
    let mut door = Door::new(2, BEARABLE);
    assert_eq!(door.ask(at(0), &who(1), 0), Verdict::Admitted);
    assert_eq!(door.ask(at(0), &who(2), 1), Verdict::Admitted);
    assert_eq!(door.ask(at(1), &who(3), 2), waits(1, 1));
    assert_eq!(door.ask(at(2), &who(4), 2), waits(2, 2));
    // A place is free, and the second asks before the first.
    assert_eq!(door.ask(at(3), &who(4), 1), waits(2, 2));
    assert_eq!(door.ask(at(3), &who(5), 1), waits(3, 3), "nor a newcomer");
    assert_eq!(door.ask(at(4), &who(3), 1), Verdict::Admitted);
    assert_eq!(door.ask(at(5), &who(4), 2), waits(1, 2));
}

#[test]
fn who_is_silent_loses_the_place_and_those_behind_move_up() {
    let mut door = Door::new(0, BEARABLE);
    assert_eq!(door.ask(at(0), &who(1), 0), waits(1, 1));
    assert_eq!(door.ask(at(10), &who(2), 0), waits(2, 2));
    let silent_s = SILENT_AT_MOST.as_secs();
    assert_eq!(door.ask(at(silent_s), &who(2), 0), waits(2, 2));
    assert_eq!(door.ask(at(silent_s + 1), &who(2), 0), waits(1, 1));
    assert_eq!(door.ask(at(silent_s + 2), &who(1), 0), waits(2, 2));
    assert_eq!(door.waiting(at(200)), 0);
}

#[test]
fn a_strained_machine_takes_nobody_new_until_it_is_calm_again() {
    let mut door = Door::new(100, BEARABLE);
    assert_eq!(door.told(0.5, 0.0), Strain::Calm);
    assert_eq!(door.told(0.9, 0.0), Strain::Strained);
    assert_eq!(door.ask(at(0), &who(1), 40), waits(1, 1));
    assert_eq!(door.told(0.8, 0.0), Strain::Strained, "not yet");
    assert_eq!(
        door.told(0.7, 0.02),
        Strain::Strained,
        "audio is late now and then"
    );
    assert_eq!(door.told(0.7, 0.0), Strain::Calm);
    assert_eq!(door.ask(at(1), &who(1), 40), Verdict::Admitted);
    assert_eq!(door.told(0.1, 0.2), Strain::Strained, "late audio alone");
    assert_eq!(
        door.ask(at(2), &who(2), 0),
        Verdict::Admitted,
        "nobody is there: one is tried"
    );
}

#[test]
fn a_line_of_any_length_never_lets_in_more_than_the_cap_and_nobody_out_of_turn() {
    for seed in 1..40 {
        let mut chance = Prng(seed);
        let cap = usize::try_from(chance.below(6)).unwrap();
        let mut door = Door::new(cap, BEARABLE);
        let mut live = 0_usize;
        // The model: who waits, since when in the order of coming, and when each asked last.
        let (mut came, mut order) = (BTreeMap::new(), 0_u64);
        let mut now_s = 0;
        for _ in 0..2_000 {
            now_s += chance.below(4);
            came.retain(|_, (_, asked): &mut (u64, u64)| {
                now_s - *asked <= SILENT_AT_MOST.as_secs()
            });
            if chance.once_in(3) && live > 0 {
                live -= 1;
            }
            let no = chance.below(12);
            let ahead = match came.get(&no) {
                Some((own, _)) => came.values().filter(|(other, _)| other < own).count(),
                None => came.len(),
            };
            match door.ask(at(now_s), &who(no), live) {
                Verdict::Admitted => {
                    assert!(
                        live + ahead < cap,
                        "{live} live, {ahead} ahead, {cap} places"
                    );
                    came.remove(&no);
                    live += 1;
                }
                Verdict::Waits { position, waiting } => {
                    assert!(
                        live + ahead >= cap,
                        "{live} live, {ahead} ahead, {cap} places"
                    );
                    order += 1;
                    came.entry(no).or_insert((order, now_s)).1 = now_s;
                    assert_eq!(position as usize, ahead + 1);
                    assert_eq!(waiting as usize, came.len());
                }
            }
        }
    }
}

#[test]
fn room_is_full_without_a_place_and_busy_shortly_before_or_under_strain() {
    let cases = [
        (0, 10, Strain::Calm, Room::Open),
        (8, 10, Strain::Calm, Room::Open),
        (9, 10, Strain::Calm, Room::Busy),
        (0, 10, Strain::Strained, Room::Busy),
        (10, 10, Strain::Strained, Room::Full),
        // Who returns is never refused: there may be more than the cap.
        (11, 10, Strain::Calm, Room::Full),
        (0, 0, Strain::Calm, Room::Full),
    ];
    for (live, cap, strain, room) in cases {
        assert_eq!(Room::of(live, cap, strain), room, "{live} of {cap}");
    }
}
