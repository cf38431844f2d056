//! From usage to money: prices what was used, adds it up, and knows when the budget is gone.

use crate::cost::{Charge, Component, MicroUsd, Usage};
use crate::link::Capabilities;
use crate::plan::Plan;
use crate::time::Mono;

/// The running bill of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    cost: MicroUsd,
    billing: Billing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Billing {
    /// The vendor reports what was used.
    ByUsage,
    /// It does not: the time of an open link is counted, from the last time it was.
    ByTime { counted_to: Option<Mono> },
}

/// Whether there is money left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// There is, or there is no cap.
    Left,
    /// There is none.
    Spent,
}

impl Meter {
    /// Nothing used.
    pub(crate) fn new(capabilities: Capabilities) -> Meter {
        let billing = if capabilities.token_usage {
            Billing::ByUsage
        } else {
            Billing::ByTime { counted_to: None }
        };
        Meter {
            cost: MicroUsd::ZERO,
            billing,
        }
    }

    /// Goes on from what earlier processes charged.
    pub(crate) fn restore(&mut self, cost: MicroUsd) {
        self.cost = cost;
    }

    /// The sum of the ledger.
    pub(crate) fn cost(&self) -> MicroUsd {
        self.cost
    }

    /// Whether there is money left.
    pub(crate) fn budget(&self, plan: &Plan) -> Budget {
        match plan.budget {
            Some(cap) if self.cost >= cap => Budget::Spent,
            Some(_) | None => Budget::Left,
        }
    }

    /// Prices what was used.
    pub(crate) fn charge(&mut self, plan: &Plan, usage: &Usage) -> Vec<Charge> {
        let charges = plan.prices.charge(usage);
        for charge in &charges {
            self.cost = self.cost.plus(charge.cost);
        }
        charges
    }

    /// A link is ready: its time begins to count.
    pub(crate) fn on_link_ready(&mut self, now: Mono) {
        if let Billing::ByTime { counted_to } = &mut self.billing {
            *counted_to = Some(now);
        }
    }

    /// Counts the time of the link up to now. Whole milliseconds; the rest is carried on.
    pub(crate) fn count_time(&mut self, now: Mono) -> Usage {
        let Billing::ByTime {
            counted_to: Some(from),
        } = &mut self.billing
        else {
            return Usage::none();
        };
        let ms = now.as_millis().saturating_sub(from.as_millis());
        *from = now.max(*from);
        Usage::none().with(Component::ConnectionMs, ms)
    }

    /// The link is gone: its time ends.
    pub(crate) fn on_link_gone(&mut self) {
        if let Billing::ByTime { counted_to } = &mut self.billing {
            *counted_to = None;
        }
    }
}
