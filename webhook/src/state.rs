//! The state that the routes share.

use std::sync::Arc;

use axum::extract::FromRef;
use chrono::TimeDelta;
use workflows::clock::ClockOffset;

use crate::body::BodyLimits;
use crate::forward::EventForwarder;
use crate::health::Health;
use crate::keys::Keys;

pub(crate) struct AppState {
    pub keys: Keys,
    /// Largest accepted difference between a webhook's time and the server's clock.
    pub signature_tolerance: TimeDelta,
    /// How far the service's clock is ahead of real time.
    pub clock_offset: ClockOffset,
    pub body_limits: BodyLimits,
    pub forwarder: EventForwarder,
    pub health: Health,
}

impl FromRef<Arc<AppState>> for BodyLimits {
    fn from_ref(state: &Arc<AppState>) -> Self {
        state.body_limits.clone()
    }
}
