use tokio::signal::unix::{SignalKind, signal};

/// Completes on SIGTERM or Ctrl-C.
pub async fn shutdown_signal() {
    let mut terminate = signal(SignalKind::terminate()).expect("a handler of SIGTERM is allowed");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler of SIGINT is allowed");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
