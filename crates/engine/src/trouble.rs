//! Which interviews somebody should look at, the most urgent first.

use std::cmp::Reverse;
use std::time::Duration;

use crate::cost::MicroUsd;
use crate::session::State;

/// An interview that is still not over after so long has been forgotten by somebody.
const OLD: Duration = Duration::from_secs(2 * 3_600);
/// Share of its budget, in percent, from which on an interview is looked at.
const BUDGET_PERCENT: i64 = 90;

/// What is wrong with an interview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its participant is away, or its provider is.
    Paused,
    /// It has cost nearly what it may.
    OverBudget {
        /// Of the budget.
        percent: i64,
    },
    /// It does not end.
    Old,
}

/// An interview that is not over, as far as trouble is concerned. Moments are microseconds UTC.
#[derive(Clone, Copy, Debug)]
pub struct Unfinished {
    /// Its state.
    pub state: State,
    /// When its link was made.
    pub created_at_us: i64,
    /// When its participant was first connected.
    pub started_at_us: Option<i64>,
    /// When it was paused last.
    pub paused_at_us: Option<i64>,
    /// What it has cost.
    pub cost: MicroUsd,
    /// What it may cost.
    pub budget: Option<MicroUsd>,
}

impl Trouble {
    /// The worst that is wrong with this one, and since when.
    #[must_use]
    pub fn of(one: &Unfinished, now_us: i64) -> Option<(Trouble, i64)> {
        let begun_us = one.started_at_us.unwrap_or(one.created_at_us);
        if one.state == State::Paused {
            return Some((Trouble::Paused, one.paused_at_us.unwrap_or(begun_us)));
        }
        let budget = one.budget.filter(|budget| budget.0 > 0);
        let percent = budget.map_or(0, |budget| one.cost.0.saturating_mul(100) / budget.0);
        if percent >= BUDGET_PERCENT {
            return Some((Trouble::OverBudget { percent }, begun_us));
        }
        let old_us = i64::try_from(OLD.as_micros()).unwrap_or(i64::MAX);
        let is_old = |at_us: i64| now_us.saturating_sub(at_us) > old_us;
        // Who was invited and never came is not an interview that does not end.
        one.started_at_us
            .filter(|at_us| is_old(*at_us))
            .map(|at_us| (Trouble::Old, at_us))
    }

    /// What is shown first is least: an interruption before money before time, and of money the most.
    #[must_use]
    pub const fn rank(self) -> (u8, Reverse<i64>) {
        match self {
            Trouble::Paused => (0, Reverse(0)),
            Trouble::OverBudget { percent } => (1, Reverse(percent)),
            Trouble::Old => (2, Reverse(0)),
        }
    }

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Trouble::Paused => "paused",
            Trouble::OverBudget { .. } => "over_budget",
            Trouble::Old => "old",
        }
    }

    /// What there is to say beside the name; may be empty.
    #[must_use]
    pub fn detail(self) -> String {
        match self {
            Trouble::OverBudget { percent } => format!("{percent} % of its budget"),
            Trouble::Paused | Trouble::Old => String::new(),
        }
    }
}
