//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Completes on SIGTERM or Ctrl-C.
pub async fn stopped() {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be listened for");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be listened for");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
