//! Counts of rejected requests and connections. They are logged every few seconds, one line per
//! status, so that rejected requests can't fill the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::interval;
use tracing::warn;

const LOG_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rejection {
    Connection,
    Request(StatusCode),
}

#[derive(Debug, Default)]
pub(crate) struct RejectionCounts(Mutex<BTreeMap<Rejection, u64>>);

impl RejectionCounts {
    pub fn count_connection(&self) {
        self.count(Rejection::Connection);
    }

    fn count(&self, rejection: Rejection) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(rejection).or_default() += 1;
    }

    /// Logs and clears the counts.
    pub fn flush(&self) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (rejection, count) in counts {
            match rejection {
                Rejection::Connection => warn!(
                    count,
                    "Connections were closed: a limit of connections or of open files was reached"
                ),
                Rejection::Request(status) => {
                    warn!(
                        count,
                        status = status.as_u16(),
                        "Requests were rejected with this status"
                    );
                }
            }
        }
    }

    /// Logs the counts every few seconds. Never returns.
    pub async fn flush_periodically(&self) {
        let mut ticks = interval(LOG_INTERVAL);
        loop {
            ticks.tick().await;
            self.flush();
        }
    }
}

/// Middleware that counts responses with an error status.
pub(crate) async fn count_rejections(
    State(counts): State<Arc<RejectionCounts>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        counts.count(Rejection::Request(status));
    }
    response
}
