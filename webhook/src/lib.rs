//! The public HTTP server: takes what the provider, clients and agents say of calls, checks that
//! it is genuine, and hands it to the workflows.
//!
//! It keeps no state. A success means that Temporal has the event.

pub mod config;
mod deliver;
mod form;
mod problem;
mod routes;
pub mod signature;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use chrono::TimeDelta;
use ed25519_dalek::VerifyingKey;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;
use tracing::{info, warn};
use workflows::clock::ClockOffset;

use config::Config;
pub use deliver::{Deliver, Delivered, Temporal, Unreachable};

/// Longest time for one request, from its first byte to our answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What every route needs.
pub struct App {
    /// Secrets by which webhooks are known to be genuine; none in unsigned operation.
    pub secrets: Vec<SecretString>,
    /// The key by which Telnyx's webhooks are known to be genuine.
    pub telnyx_key: Option<VerifyingKey>,
    /// How far a webhook's time may be from ours, either way.
    pub tolerance: TimeDelta,
    /// How far the service's clock stands ahead.
    pub clock_offset: ClockOffset,
    /// Where events go.
    pub deliver: Box<dyn Deliver>,
}

/// All routes, as a table of contents.
pub fn router(app: Arc<App>, max_body_bytes: usize) -> Router {
    routes::router()
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .with_state(app)
}

/// Makes everything ready and serves until told to stop; what was accepted is finished.
pub async fn run(config: Config, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    config.check()?;
    if config.webhook_secrets.is_empty() {
        warn!(
            "ALLOW_UNSIGNED_WEBHOOKS is true and there is no secret: ANYBODY WHO REACHES THIS \
            SERVER CAN FORGE THE OUTCOME OF A CALL. Never run like this on a public address."
        );
    }
    let temporal = Temporal::connect().await?;
    let app = Arc::new(App {
        secrets: config.webhook_secrets.clone(),
        telnyx_key: config.telnyx_key()?,
        tolerance: TimeDelta::seconds(config.webhook_tolerance_secs),
        clock_offset: ClockOffset(config.clock_offset_secs),
        deliver: Box::new(temporal),
    });
    let address = (config.host, config.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("listening on {}:{}; set PORT to a free port", address.0, address.1)
    })?;
    info!(address = %listener.local_addr()?, "Webhook server started");
    axum::serve(listener, router(app, config.max_body_bytes)).with_graceful_shutdown(stop).await?;
    info!("Webhook server stopped");
    Ok(())
}
