//! The grant in and out: a tab that comes back shows the one that it was given, and takes the next one with it.
//!
//! A grant is checked, then redeemed, and only then is the offer looked at: of two that come with the same one, the second
//! must change nothing. An offer that is refused after that gives its grant back. Where the store has no room the link is
//! proof enough: an interview is worth more than the order of its secrets.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use engine::grant::{Keeper, Record, Refusal, Standing, Wear, judge};
use store::{GrantRow, Redeemed, SessionRow, StoreError};

use super::error::Problem;
use crate::app::App;
use crate::secrets::{self, SECRET_CHARS};
use crate::session::Way;

/// The header of an offer, and of the answer to it.
const GRANT: HeaderName = HeaderName::from_static("colloquy-grant");

/// By what an offer was let in.
pub(super) enum Entrance {
    /// The link alone.
    Link,
    /// A grant, which is used up.
    Grant {
        /// Its hash.
        redeemed: [u8; 32],
        /// The next one.
        next: String,
    },
}

impl Entrance {
    /// Checks the grant that came with an offer, if one did, and uses it up.
    pub(super) async fn find(
        app: &App,
        row: &SessionRow,
        headers: &HeaderMap,
        window: Duration,
    ) -> Result<Entrance, Problem> {
        let Some(shown) = headers.get(&GRANT) else {
            return Ok(Entrance::Link);
        };
        // The lookup is by hash, so its timing tells nothing about the grant.
        let hash = shown
            .to_str()
            .ok()
            .filter(|grant| grant.len() == SECRET_CHARS)
            .map(secrets::hash);
        let found = match hash {
            Some(hash) => app.store.grant(&hash).await?,
            None => None,
        };
        let found =
            found.filter(|found| hash.is_some_and(|hash| secrets::same(&found.grant_hash, &hash)));
        let record = found.as_ref().map(record_of);
        judge(
            record.as_ref(),
            &standing(app, row),
            app.store.now_us(),
            window,
        )
        .map_err(|refusal| refused(app, refusal))?;
        match found {
            Some(found) => redeem(app, row, found.grant_hash).await,
            None => Err(refused(app, Refusal::Unknown)),
        }
    }

    /// By what the participant came.
    pub(super) fn way(&self) -> Way {
        match self {
            Entrance::Link => Way::Link,
            Entrance::Grant { .. } => Way::Grant,
        }
    }

    /// The offer was refused: the grant is good again. If that cannot be written the link is the way back.
    pub(super) async fn give_back(self, app: &App) {
        let Entrance::Grant { redeemed, next } = self else {
            return;
        };
        let returned = app.store.return_grant(redeemed, secrets::hash(&next)).await;
        if let Err(error) = returned {
            unwritten(app, &error);
        }
    }

    /// The offer was accepted: the header with the grant to come back with. None if it cannot be written.
    pub(super) async fn next(self, app: &App, row: &SessionRow) -> Option<(HeaderName, String)> {
        let next = match self {
            Entrance::Grant { next, .. } => next,
            Entrance::Link => {
                let next = mint()?;
                let issued = app
                    .store
                    .issue_grant(&row.session_id, secrets::hash(&next))
                    .await;
                if let Err(error) = issued {
                    unwritten(app, &error);
                    return None;
                }
                next
            }
        };
        Some((GRANT, next))
    }
}

async fn redeem(app: &App, row: &SessionRow, hash: [u8; 32]) -> Result<Entrance, Problem> {
    let Some(next) = mint() else {
        return Ok(Entrance::Link);
    };
    let redeemed = app
        .store
        .redeem_grant(&row.session_id, hash, secrets::hash(&next))
        .await;
    match redeemed {
        Ok(Redeemed::Now) => Ok(Entrance::Grant {
            redeemed: hash,
            next,
        }),
        Ok(Redeemed::Before) => Err(refused(app, Refusal::Used)),
        Err(error) => {
            unwritten(app, &error);
            Ok(Entrance::Link)
        }
    }
}

fn mint() -> Option<String> {
    secrets::mint()
        .inspect_err(
            |error| tracing::error!(%error, "no grant can be made: the system gives no randomness"),
        )
        .ok()
}

fn unwritten(app: &App, error: &StoreError) {
    app.metrics
        .write_failures
        .get_or_create(&[("kind", "grant")])
        .inc();
    tracing::warn!(%error, "a grant could not be written; its participant comes back with the link");
}

fn record_of(found: &GrantRow) -> Record {
    Record {
        session: found.session_id.clone(),
        wear: match found.used_at_us {
            Some(_) => Wear::Used,
            None => Wear::Issued,
        },
    }
}

fn standing(app: &App, row: &SessionRow) -> Standing {
    let keeper = if app.registry.has(&row.session_id) {
        Keeper::Task
    } else {
        // Whatever was paused before this process began has a fresh window from then on.
        let since_us = row.paused_at_us.unwrap_or(app.began_at_us);
        Keeper::Nobody {
            since_us: since_us.max(app.began_at_us),
        }
    };
    Standing {
        session: row.session_id.clone(),
        state: row.state,
        keeper,
    }
}

fn refused(app: &App, refusal: Refusal) -> Problem {
    app.metrics
        .grants_refused
        .get_or_create(&[("reason", refusal.name())])
        .inc();
    let (title, detail) = match refusal {
        Refusal::Unknown => (
            "This grant is not known",
            "It was never given out by this server, or so long ago that it was forgotten.",
        ),
        Refusal::Used => (
            "This grant was used",
            "It is good once, and somebody has come back with it, or connected after it was given out.",
        ),
        Refusal::Expired => (
            "This grant has expired",
            "The interview has ended, or it waited for longer than the time to come back.",
        ),
        Refusal::Foreign => (
            "This grant belongs to another interview",
            "It was not given out with this link.",
        ),
    };
    Problem::new(
        StatusCode::UNAUTHORIZED,
        &format!("grant-{}", refusal.name()),
        title,
        format!("{detail} Nothing has changed in the interview."),
        "Forget the grant and offer again with the link alone.",
    )
}
