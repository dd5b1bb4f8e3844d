//! The public HTTP server: takes what the provider, clients and agents say of calls, checks that
//! it is genuine, and hands it to the workflows.
//!
//! It keeps no state. A webhook that is answered 2xx is in Temporal.

mod admission;
mod body;
pub mod config;
mod deliver;
pub mod form;
mod health;
mod keys;
mod problem;
mod refusals;
mod routes;
mod server;
pub mod signature;
mod source;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tracing::{info, warn};
use workflows::clock::ClockOffset;

use admission::Admission;
use config::Config;
use deliver::Deliverer;
use health::Health;
use keys::Keys;
use refusals::Refusals;

/// What every route needs.
pub(crate) struct App {
    /// The keys by which senders are known.
    pub keys: Keys,
    /// How far a webhook's time may be from ours, either way.
    pub tolerance: TimeDelta,
    /// How far the service's clock stands ahead.
    pub clock_offset: ClockOffset,
    /// Who may send requests.
    pub admission: Admission,
    /// What bodies are read within.
    pub bodies: body::Limits,
    /// Where events go.
    pub deliver: Deliverer,
    /// Whether they could be handed over.
    pub health: Health,
    /// Who was refused.
    pub refusals: Refusals,
}

/// Makes everything ready and serves until told to stop; what was accepted is finished.
///
/// # Errors
///
/// A setting can't be used, Temporal can't be reached, or the port is taken.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<()> {
    config.check()?;
    let keys = Keys::follow(&config).await?;
    if keys.hold_a_published_secret() {
        warn!(
            "A secret is that of the example or of the local stack, which everybody can read: \
            ANYBODY CAN FORGE THE OUTCOME OF A CALL. Make one with `openssl rand -hex 32`."
        );
    }
    if keys.secrets.borrow().is_empty() {
        warn!(
            "ALLOW_UNSIGNED_WEBHOOKS is true and there is no secret: ANYBODY WHO REACHES THIS \
            SERVER CAN FORGE THE OUTCOME OF A CALL. Never run like this on a public address."
        );
    }
    let tls = match (config.tls_cert_file.clone(), config.tls_key_file.clone()) {
        (Some(certificates), Some(key)) => Some(tls::follow(certificates, key).await?),
        _ => None,
    };
    let client = bootstrap::temporal::connect().await?;
    let app = Arc::new(App {
        keys,
        tolerance: TimeDelta::seconds(config.webhook_tolerance_secs),
        clock_offset: ClockOffset(config.clock_offset_secs),
        admission: Admission::new(&config.limits),
        bodies: body::Limits::new(&config.limits),
        deliver: Deliverer::new(client, config.limits.max_events_in_flight),
        health: Health::default(),
        refusals: Refusals::default(),
    });
    if !app.deliver.is_reachable().await {
        bail!(
            "Temporal does not know the namespace {:?}, or does not answer; set TEMPORAL_NAMESPACE \
            to one that it has",
            app.deliver.namespace()
        );
    }
    let places = places(&config);
    let address = (config.host, config.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("listening on {}:{}; set PORT to a free port", address.0, address.1)
    })?;
    info!(
        address = %listener.local_addr()?,
        tls = tls.is_some(),
        secrets = app.keys.secrets.borrow().len(),
        clients = app.keys.clients.borrow().len(),
        carrierKeys = app.keys.carrier.borrow().len(),
        trustedProxies = config.limits.trusted_proxies.len(),
        "Webhook server started"
    );
    let stop = async {
        stop.await;
        info!("Webhook server is stopping: it finishes what it has accepted");
        app.health.stop();
        sleep(Duration::from_secs(config.shutdown_delay_secs)).await;
    };
    let router = routes::router(app.clone());
    tokio::select! {
        () = server::serve(listener, tls, router, app.clone(), &config.limits, places, stop) => {}
        () = health::keep_asking(&app) => {}
        () = refusals::keep_telling(app.clone()) => {}
    }
    app.refusals.tell();
    info!("Webhook server stopped");
    Ok(())
}

/// How many connections there can be: every one is an open file, of which a process may have few
/// unless it asks for more.
fn places(config: &Config) -> usize {
    /// For logs, Temporal and the like.
    const OTHERS: u64 = 100;
    let connections = config.limits.max_connections;
    let wanted = u64::from(connections) + OTHERS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return connections as usize };
    let asked = wanted.clamp(soft, hard.max(soft));
    let granted = match setrlimit(Resource::RLIMIT_NOFILE, asked, hard) {
        Ok(()) => asked,
        Err(_) => soft,
    };
    let places = granted.saturating_sub(OTHERS).max(1).min(u64::from(connections));
    if places < u64::from(connections) {
        warn!(places, "Fewer connections than MAX_CONNECTIONS: raise `ulimit -n`");
    }
    usize::try_from(places).unwrap_or(usize::MAX)
}
