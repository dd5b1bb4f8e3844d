//! Parses the command line, binds, prints the address and serves until interrupted.

use std::io::IsTerminal as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use simulator::{Settings, Simulator};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .init();

    let address = (settings.host, settings.port);
    let simulator = Arc::new(Simulator::new(settings).context("starting the simulator")?);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {}:{}", address.0, address.1))?;
    let bound = listener.local_addr().context("reading the bound address")?;
    println!("simulator listening on http://{bound}");

    simulator::serve(listener, simulator, shutdown_signal()).await.context("serving requests")
}

/// Completes at the first interrupt or termination signal.
async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
