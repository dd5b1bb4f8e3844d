//! Which requests are looked at at all, before anything of them is read.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use crate::App;
use crate::config::LimitConfig;
use crate::problem::Problem;
use crate::source::{Source, contains, sender};

/// Requests that one source may make in one go, in seconds' worth of its rate: webhooks of many
/// calls that end together come together.
const BURST_SECS: u32 = 5;

/// The peer of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

/// Who may send requests, and how many.
pub struct Admission {
    proxies: Vec<IpNet>,
    allowed: Vec<IpNet>,
    rate: DefaultKeyedRateLimiter<Source>,
}

impl Admission {
    /// By these settings.
    pub fn new(limits: &LimitConfig) -> Self {
        let rate = NonZeroU32::new(limits.max_requests_per_source).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECS - 1));
        Self {
            proxies: limits.trusted_proxies.clone(),
            allowed: limits.allowed_networks.clone(),
            rate: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
        }
    }

    /// Whether the peer speaks for others, so that no limit of one sender holds for it.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        contains(&self.proxies, peer)
    }

    /// Forgets sources that have been silent for so long that nothing is held against them.
    pub fn forget(&self) {
        self.rate.retain_recent();
        self.rate.shrink_to_fit();
    }

    /// Whether a peer may open one more connection: to open one costs it as much as a request, since
    /// a greeting of TLS costs us more.
    pub fn admits_connection(&self, peer: IpAddr) -> bool {
        self.is_proxy(peer) || self.rate.check_key(&Source::from(peer)).is_ok()
    }

    fn admits(&self, sender: IpAddr) -> Result<Source, Problem> {
        if !self.allowed.is_empty() && !contains(&self.allowed, sender) {
            return Err(Problem::NotFromHere);
        }
        let source = Source::from(sender);
        self.rate.check_key(&source).map_err(|_| Problem::TooMany)?;
        Ok(source)
    }
}

/// Lets a request through, or answers it at once.
pub(crate) async fn admit(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let admission = &app.admission;
    match admission.admits(sender(peer, request.headers(), &admission.proxies)) {
        Ok(source) => {
            request.extensions_mut().insert(source);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}
