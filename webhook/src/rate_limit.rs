//! Checks before any of a request is read: allowed networks and the rate per client.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use tokio::time::interval;

use crate::config::LimitConfig;
use crate::problem::Problem;
use crate::source::{Peer, Source, client_address, contains};

/// The burst of one client, in seconds' worth of its rate: the webhooks of calls that end together
/// arrive together.
const BURST_SECS: u32 = 5;
const PRUNE_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct RateLimit {
    trusted_proxies: Vec<IpNet>,
    allowed_networks: Vec<IpNet>,
    limiter: DefaultKeyedRateLimiter<Source>,
}

impl RateLimit {
    pub fn new(limits: &LimitConfig) -> Self {
        let rate = NonZeroU32::new(limits.max_requests_per_source).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECS - 1));
        Self {
            trusted_proxies: limits.trusted_proxies.clone(),
            allowed_networks: limits.allowed_networks.clone(),
            limiter: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
        }
    }

    /// Whether the peer forwards requests of many clients, so that limits per client don't apply.
    pub fn is_trusted_proxy(&self, peer: IpAddr) -> bool {
        contains(&self.trusted_proxies, peer)
    }

    /// Whether the peer may open a connection. A connection counts as a request, since a TLS
    /// handshake costs the server more than a request.
    pub fn allows_connection(&self, peer: IpAddr) -> bool {
        self.is_trusted_proxy(peer) || self.limiter.check_key(&Source::from(peer)).is_ok()
    }

    fn check_request(&self, address: IpAddr) -> Result<Source, Problem> {
        if !self.allowed_networks.is_empty() && !contains(&self.allowed_networks, address) {
            return Err(Problem::Forbidden);
        }
        let client = Source::from(address);
        self.limiter.check_key(&client).map_err(|_| Problem::RateLimited)?;
        Ok(client)
    }

    /// Removes idle clients from memory every few seconds. Never returns.
    pub async fn prune_periodically(&self) {
        let mut ticks = interval(PRUNE_INTERVAL);
        loop {
            ticks.tick().await;
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

/// Middleware that rejects a request or stores its [`Source`] in the extensions.
pub(crate) async fn limit_requests(
    State(rate_limit): State<Arc<RateLimit>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = client_address(peer, request.headers(), &rate_limit.trusted_proxies);
    match rate_limit.check_request(address) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}
