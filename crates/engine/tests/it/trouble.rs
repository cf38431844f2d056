//! What is wrong with an interview: a table.

use engine::cost::MicroUsd;
use engine::session::State;
use engine::trouble::{Trouble, Unfinished};

const HOUR_US: i64 = 3_600_000_000;

const FINE: Unfinished = Unfinished {
    state: State::Active,
    created_at_us: 0,
    started_at_us: Some(HOUR_US),
    paused_at_us: None,
    cost: MicroUsd(100),
    budget: Some(MicroUsd(1_000)),
};

#[test]
fn the_worst_that_is_wrong_is_told_with_its_beginning() {
    let paused = Unfinished {
        state: State::Paused,
        paused_at_us: Some(2 * HOUR_US),
        ..FINE
    };
    let costly = |cost| Unfinished {
        cost: MicroUsd(cost),
        ..FINE
    };
    let never_came = Unfinished {
        state: State::Invited,
        started_at_us: None,
        ..FINE
    };
    let over = |percent| Some((Trouble::OverBudget { percent }, HOUR_US));
    let cases = [
        ("fine", FINE, 3 * HOUR_US, None),
        (
            "two hours and not over",
            FINE,
            3 * HOUR_US + 1,
            Some((Trouble::Old, HOUR_US)),
        ),
        ("89 %", costly(899), 2 * HOUR_US, None),
        ("90 %", costly(900), 2 * HOUR_US, over(90)),
        ("beyond, and old", costly(2_000), 9 * HOUR_US, over(200)),
        (
            "no budget",
            Unfinished {
                budget: None,
                ..costly(i64::MAX)
            },
            2 * HOUR_US,
            None,
        ),
        (
            "a budget of nothing",
            Unfinished {
                budget: Some(MicroUsd(0)),
                ..FINE
            },
            2 * HOUR_US,
            None,
        ),
        (
            "a cost beyond all numbers",
            costly(i64::MAX),
            2 * HOUR_US,
            over(i64::MAX / 1_000),
        ),
        (
            "paused",
            paused,
            9 * HOUR_US,
            Some((Trouble::Paused, 2 * HOUR_US)),
        ),
        (
            "paused, nobody wrote when",
            Unfinished {
                paused_at_us: None,
                ..paused
            },
            9 * HOUR_US,
            Some((Trouble::Paused, HOUR_US)),
        ),
        ("invited for days", never_came, 99 * HOUR_US, None),
    ];
    for (what, one, now_us, expected) in cases {
        assert_eq!(Trouble::of(&one, now_us), expected, "{what}");
    }
}

#[test]
fn an_interruption_is_more_urgent_than_money_and_money_than_time() {
    let over = |percent| Trouble::OverBudget { percent };
    let mut all = [Trouble::Old, over(95), Trouble::Paused, over(130)];
    all.sort_by_key(|trouble| trouble.rank());
    assert_eq!(all, [Trouble::Paused, over(130), over(95), Trouble::Old]);
    assert_eq!(
        all.map(Trouble::name),
        ["paused", "over_budget", "over_budget", "old"]
    );
}
