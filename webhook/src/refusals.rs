//! How many requests are refused: counted, and told in one line every few seconds, so that nobody
//! can fill a disk by being refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::interval;
use tracing::warn;

use crate::App;

/// How often it is told.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Stands in the place of a status for connections that were closed at once.
const CONNECTION: u16 = 0;

/// Refusals that have not been told yet, by the status of the answer.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<u16, u64>>);

impl Refusals {
    /// Counts a connection that was closed because there were too many.
    pub fn count_connection(&self) {
        self.count(CONNECTION);
    }

    fn count(&self, status: u16) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(status).or_default() += 1;
    }

    /// Tells of what was refused since the last time.
    pub fn tell(&self) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (status, count) in counts {
            match status {
                CONNECTION => warn!(count, "Closed connections, since there were too many"),
                401 => warn!(count, status, "Refused requests that are not genuine"),
                _ => warn!(count, status, "Refused requests"),
            }
        }
    }
}

/// Counts an answer that refuses.
pub(crate) async fn counted(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        app.refusals.count(status.as_u16());
    }
    response
}

/// Tells of refusals, and forgets silent sources, for as long as it is awaited.
pub(crate) async fn keep_telling(app: Arc<App>) {
    let mut ticks = interval(TELL_EVERY);
    loop {
        ticks.tick().await;
        app.refusals.tell();
        app.admission.forget();
    }
}
