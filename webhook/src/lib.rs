//! The public HTTP server: receives events of the provider, the carrier, users' systems and agents,
//! authenticates them and forwards them to the workflows.
//!
//! It stores nothing. After a 2xx answer, Temporal has the event.

mod body;
pub mod config;
mod forward;
mod health;
mod keys;
pub mod payload;
mod per_source_limit;
mod problem;
mod rate_limit;
mod rejection_counts;
mod routes;
mod server;
pub mod signature;
mod source;
mod state;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tracing::{info, warn};
use workflows::clock::ClockOffset;

use body::BodyLimits;
use config::Config;
use forward::EventForwarder;
use health::Health;
use keys::Keys;
use rate_limit::RateLimit;
use rejection_counts::RejectionCounts;
use server::Server;
use state::AppState;

/// Serves until `shutdown` completes, then finishes the requests in progress.
///
/// # Errors
///
/// A setting is invalid, Temporal can't be reached, or the port is in use.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<()> {
    let keys = Keys::watch(&config).await?;
    warn_of_forgery(&keys);
    let tls = match (config.tls_cert_file.clone(), config.tls_key_file.clone()) {
        (Some(certificates), Some(key)) => Some(tls::watch(certificates, key).await?),
        _ => None,
    };
    let state = Arc::new(AppState {
        keys,
        signature_tolerance: TimeDelta::seconds(config.webhook_tolerance_secs),
        clock_offset: ClockOffset(config.clock_offset_secs),
        body_limits: BodyLimits::new(&config.limits),
        forwarder: connect(&config).await?,
        health: Health::default(),
    });
    let rate_limit = Arc::new(RateLimit::new(&config.limits));
    let rejections = Arc::new(RejectionCounts::default());
    let listener = TcpListener::bind((config.host, config.port)).await.with_context(|| {
        format!("listening on {}:{}; set PORT to a free port", config.host, config.port)
    })?;
    info!(
        address = %listener.local_addr()?,
        tls = tls.is_some(),
        secrets = state.keys.service_secrets.borrow().len(),
        usersWithSecrets = state.keys.user_secrets.borrow().len(),
        carrierKeys = state.keys.carrier_keys.borrow().len(),
        trustedProxies = config.limits.trusted_proxies.len(),
        "Webhook server started"
    );
    let shutdown = async {
        shutdown.await;
        info!("Webhook server is stopping; it finishes requests in progress");
        state.health.set_stopping();
        sleep(Duration::from_secs(config.shutdown_delay_secs)).await;
    };
    let router = routes::router(state.clone(), rate_limit.clone(), rejections.clone());
    let server = Server {
        tls,
        router,
        rate_limit: rate_limit.clone(),
        rejections: rejections.clone(),
        limits: config.limits,
    };
    tokio::select! {
        () = server.serve(listener, shutdown) => {}
        () = state.health.probe_periodically(&state.forwarder) => {}
        () = rejections.flush_periodically() => {}
        () = rate_limit.prune_periodically() => {}
    }
    rejections.flush();
    info!("Webhook server stopped");
    Ok(())
}

fn warn_of_forgery(keys: &Keys) {
    if keys.contain_published_secret() {
        warn!(
            "A webhook secret is a published one, from .env.example or the local stack: anybody can \
            forge the outcome of a call. Create another one with `openssl rand -hex 32`."
        );
    }
    if keys.service_secrets.borrow().is_empty() {
        warn!(
            "ALLOW_UNSIGNED_WEBHOOKS is true and WEBHOOK_SECRETS is empty: anybody who reaches this \
            server can forge the outcome of a call. Set WEBHOOK_SECRETS before the address is public."
        );
    }
}

async fn connect(config: &Config) -> Result<EventForwarder> {
    let client = bootstrap::temporal::connect().await?;
    let forwarder = EventForwarder::new(client, config.limits.max_events_in_flight);
    if !forwarder.is_reachable().await {
        bail!(
            "Temporal does not have the namespace {:?} or does not answer; set TEMPORAL_NAMESPACE \
            to an existing one",
            forwarder.namespace()
        );
    }
    Ok(forwarder)
}
