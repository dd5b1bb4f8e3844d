//! Whether events could be handed over now.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::App;

/// How often Temporal is asked. The answer is kept, so that nobody can have it asked more often.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What `/readyz` says.
#[derive(Debug, Default)]
pub struct Health {
    unreachable: AtomicBool,
    stopping: AtomicBool,
}

impl Health {
    /// Why no events should be sent here, if they should not.
    pub fn trouble(&self) -> Option<&'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            Some("stopping")
        } else if self.unreachable.load(Ordering::Relaxed) {
            Some("Temporal can't be reached")
        } else {
            None
        }
    }

    /// From now on no events should be sent here.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Asks Temporal whether it is there, for as long as it is awaited.
pub(crate) async fn keep_asking(app: &App) {
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let unreachable = !app.deliver.is_reachable().await;
        let was = app.health.unreachable.swap(unreachable, Ordering::Relaxed);
        match (was, unreachable) {
            (false, true) => warn!("Temporal can't be reached: events are answered with 503"),
            (true, false) => info!("Temporal can be reached again"),
            _ => {}
        }
    }
}
