//! Requests per address. An address that asks too much is told when to come back; others do not notice.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::Problem;
use crate::app::App;

/// Between two sweeps of addresses that are at rest again.
const SWEEP_EVERY_REQUESTS: u32 = 4_096;

/// One bucket per address.
pub(super) struct Limits {
    buckets: DefaultKeyedRateLimiter<IpAddr>,
    since_sweep: AtomicU32,
}

impl Limits {
    pub(super) fn new(per_minute: u32, burst: u32) -> Limits {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Limits {
            buckets: RateLimiter::keyed(quota),
            since_sweep: AtomicU32::new(0),
        }
    }

    fn admits(&self, address: IpAddr) -> bool {
        // The table of addresses would otherwise grow with every address that ever asked.
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= SWEEP_EVERY_REQUESTS {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.buckets.retain_recent();
        }
        self.buckets.check_key(&group(address)).is_ok()
    }
}

/// A household or an attacker has a whole IPv6 /64: it counts as one address.
fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Refuses what is too much.
pub(super) async fn limit(
    State((app, limits)): State<(Arc<App>, Arc<Limits>)>,
    request: Request,
    next: Next,
) -> Response {
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    // The console is behind its token and asks in bursts: with the right token nothing is counted.
    if address.is_none_or(|address| limits.admits(address)) || has_console_token(&app, &request) {
        return next.run(request).await;
    }
    app.metrics
        .refused
        .get_or_create(&[("reason", "rate")])
        .inc();
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate",
        "Too many requests",
        "This address asked more often than one person would. An interview that is running goes on.",
        "Wait a few seconds and try again. If many people share this address, the operator can raise http.requests_per_minute.",
    )
    .into_response()
}

fn has_console_token(app: &App, request: &Request) -> bool {
    let token = request
        .headers()
        .get(axum::http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    token.is_some_and(|token| {
        crate::secrets::same(&crate::secrets::hash(token.trim()), &app.console_token_hash)
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::Limits;

    #[test]
    fn one_address_is_refused_and_its_neighbour_is_not() {
        let limits = Limits::new(60, 10);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let admitted = (0..1_000).filter(|_| limits.admits(one)).count();
        assert!(
            (10..=20).contains(&admitted),
            "{admitted} of 1,000 in one moment"
        );
        assert!(limits.admits(other));
    }
}
