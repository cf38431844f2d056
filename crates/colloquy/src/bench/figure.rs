//! One figure: a value, its goal, and how it was measured.

use std::time::Duration;

use serde::Serialize;

/// A measured value.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    name: String,
    value: f64,
    unit: String,
    /// `<= 40` or `>= 0.97`; none for what is told but not judged.
    goal: Option<String>,
    method: String,
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    NoGoal,
}

impl Figure {
    /// A figure; digits that mean nothing are cut off.
    pub(super) fn new(
        name: &str,
        value: f64,
        unit: &str,
        goal: Option<&str>,
        method: impl Into<String>,
    ) -> Figure {
        Figure {
            name: name.to_owned(),
            value: round(value),
            unit: unit.to_owned(),
            goal: goal.map(str::to_owned),
            method: method.into(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Compares value and goal. A value that is not a number reaches none.
    pub(super) fn verdict(&self) -> Verdict {
        let Some(goal) = &self.goal else {
            return Verdict::NoGoal;
        };
        let met = match goal
            .split_once(' ')
            .map(|(relation, limit)| (relation, limit.parse::<f64>()))
        {
            Some(("<=", Ok(limit))) => self.value <= limit,
            Some((">=", Ok(limit))) => self.value >= limit,
            _ => false,
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }

    /// For the table.
    pub(super) fn row(&self) -> String {
        let verdict = match self.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::NoGoal => "",
        };
        let goal = self.goal.as_deref().unwrap_or("-");
        let value = number(self.value);
        format!(
            "{:<24} {value:>10} {:<10} {goal:<11} {verdict}",
            self.name, self.unit
        )
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }
}

fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

/// Three decimals for small values, whole numbers for large ones.
fn round(value: f64) -> f64 {
    let factor = if value.abs() >= 1_000.0 {
        1.0
    } else if value.abs() >= 1.0 {
        100.0
    } else {
        10_000.0
    };
    (value * factor).round() / factor
}

/// The value that so many percent of the samples do not exceed (nearest rank); none without samples.
pub(super) fn percentile_ms(samples: &[Duration], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(place)
        .map(|sample| sample.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_goal_is_met_at_its_limit_and_missed_beyond_it() {
        let verdict = |value, goal| Figure::new("n", value, "ms", Some(goal), "m").verdict();
        assert_eq!(verdict(40.0, "<= 40"), Verdict::Met);
        assert_eq!(verdict(40.1, "<= 40"), Verdict::Missed);
        assert_eq!(verdict(0.97, ">= 0.97"), Verdict::Met);
        assert_eq!(verdict(0.96, ">= 0.97"), Verdict::Missed);
        assert_eq!(verdict(f64::NAN, "<= 40"), Verdict::Missed);
        assert_eq!(verdict(1.0, "about 40"), Verdict::Missed);
    }

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let samples: Vec<Duration> = (1..=20).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&samples, 50).unwrap(), 10.0);
        assert_eq!(percentile_ms(&samples, 95).unwrap(), 19.0);
        assert_eq!(percentile_ms(&samples, 100).unwrap(), 20.0);
        assert_eq!(percentile_ms(&[], 95), None);
    }
}
