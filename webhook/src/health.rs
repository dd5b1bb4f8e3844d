//! Readiness: whether the server can forward events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::forward::EventForwarder;

/// `/readyz` answers with the last result, so that its clients can't cause more probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Health {
    unreachable: AtomicBool,
    stopping: AtomicBool,
}

impl Health {
    /// Why the server is not ready; `None` if it is ready.
    pub fn unready_reason(&self) -> Option<&'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            Some("stopping")
        } else if self.unreachable.load(Ordering::Relaxed) {
            Some("Temporal can't be reached")
        } else {
            None
        }
    }

    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Probes Temporal every second. Never returns.
    pub async fn probe_periodically(&self, forwarder: &EventForwarder) {
        let mut ticks = interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let unreachable = !forwarder.is_reachable().await;
            let was_unreachable = self.unreachable.swap(unreachable, Ordering::Relaxed);
            match (was_unreachable, unreachable) {
                (false, true) => warn!("Temporal can't be reached; events are answered with 503"),
                (true, false) => info!("Temporal can be reached again"),
                _ => {}
            }
        }
    }
}
