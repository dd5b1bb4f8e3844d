//! The webhook server: signed events compared with bare signals, forged ones with a bare route, memory under attack,
//! and differences between the response times of rejections.

mod load;
mod sender;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{TimeDelta, Utc};
use devstack::{Parts, Stack, StackOptions};
use sqlx::PgPool;
use temporalio_client::Client;
use workflows::Call;
use workflows::clock::ClockOffset;
use workflows::events::{CallEvent, EventMessage};

use crate::memory::read_resident_megabytes;
use crate::report::{Figure, figure, report};
use crate::start::{connect, start_calls, user};
use load::{BareRoute, Latencies, measure_forged, open_idle_connections, send_forged_at_rate};
use sender::{Forged, Sender};

/// Raised limits, which the benchmark would exceed otherwise.
const LIMITS: [(&str, &str); 5] = [
    ("MAX_CONNECTIONS", "15000"),
    ("MAX_CONNECTIONS_PER_SOURCE", "15000"),
    ("MAX_REQUESTS_PER_SOURCE", "1000000"),
    ("READ_TIMEOUT_SECS", "300"),
    ("RUST_LOG", "info"),
];
/// The benchmark and its reference alternate for this many rounds, because Temporal gets slower with age.
const ROUNDS: usize = 6;

#[derive(clap::Args)]
pub struct Options {
    /// Events per method
    #[arg(long, default_value_t = 3_000)]
    events: usize,
    /// Concurrent senders
    #[arg(long, default_value_t = 16)]
    senders: usize,
    /// Seconds per server in which forged requests are counted
    #[arg(long, default_value_t = 10)]
    secs: u64,
    /// Seconds per memory measurement
    #[arg(long, default_value_t = 60)]
    memory_secs: u64,
    /// Forged requests per second while memory is measured
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Idle connections while memory is measured
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
}

pub async fn run(options: Options) -> Result<()> {
    load::raise_open_file_limit(options.idle + 500)?;
    let env = LIMITS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut stack = Stack::start(StackOptions {
        parts: Parts { simulator: false, webhook: true, worker: true },
        webhook_env: BTreeMap::from(env),
        progress: |line| eprintln!("   {line}"),
        ..StackOptions::default()
    })
    .await?;
    let figures = measure(&stack, &options).await;
    stack.stop().await?;
    report("webhook", &figures?)
}

/// Serves the reference route for forged webhooks.
pub async fn serve_bare_route(port: u16) -> Result<()> {
    BareRoute::serve(port).await
}

async fn measure(stack: &Stack, options: &Options) -> Result<Vec<Figure>> {
    let address = stack.endpoints().webhook_url.trim_start_matches("http://").to_owned();
    let pid = stack.webhook.as_ref().context("the stack has a webhook server")?.process.pid();
    let mut figures = measure_events(stack, options, &address).await?;
    figures.extend(measure_rejections(options, &address).await?);
    figures.extend(measure_rejection_times(&address).await?);
    figures.extend(measure_memory(options, &address, pid).await?);
    Ok(figures)
}

/// Signed events, compared with bare signals.
async fn measure_events(stack: &Stack, options: &Options, address: &str) -> Result<Vec<Figure>> {
    let pool = PgPool::connect(&stack.endpoints().database_url).await?;
    let client = connect(stack).await?;
    user("bench").insert(&pool).await?;
    let slot = Utc::now() + TimeDelta::hours(2);
    let calls = options.senders * 8;
    let ids =
        start_calls(&pool, &client, "bench", "w", calls, slot, ClockOffset::default()).await?;

    eprintln!("   {} signed events and as many bare signals …", options.events);
    let (mut signed, mut bare) = (Latencies::default(), Latencies::default());
    let share = options.events / ROUNDS / options.senders;
    for _ in 0..ROUNDS {
        signed.extend(send_signed(address, &ids, options.senders, share).await?);
        bare.extend(send_bare(&client, &ids, options.senders, share).await?);
    }
    eprintln!("   {} agent reports …", options.events / ROUNDS);
    let reports = send_reports(address, &ids, options.senders, share).await?;
    let ratio = signed.percentile_ms(99) / bare.percentile_ms(99);
    Ok(vec![
        figure("signed events", signed.per_second(), "events/s", ""),
        figure("signed events, median", signed.percentile_ms(50), "ms", ""),
        figure("signed events, p99", signed.percentile_ms(99), "ms", ""),
        figure("bare signals", bare.per_second(), "signals/s", "the reference"),
        figure("bare signals, median", bare.percentile_ms(50), "ms", "the reference"),
        figure("bare signals, p99", bare.percentile_ms(99), "ms", "the reference"),
        figure("ratio of p99, signed to bare", ratio, "", "at most 1.3"),
        figure("agent reports, p99", reports.percentile_ms(99), "ms", "at most 500"),
    ])
}

async fn send_signed(
    address: &str,
    ids: &[String],
    senders: usize,
    share: usize,
) -> Result<Latencies> {
    Latencies::measure(senders, |sender| async move {
        let mut connection = Sender::connect(address).await?;
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let conversation = id.trim_start_matches("call/");
            let body =
                format!(r#"{{"eventType":"call.started","conversationId":"{conversation}"}}"#);
            latencies.push(connection.send_signed(&body, 204).await?);
        }
        Ok(latencies)
    })
    .await
}

async fn send_bare(
    client: &Client,
    ids: &[String],
    senders: usize,
    share: usize,
) -> Result<Latencies> {
    let event = CallEvent::Started { provider_call_id: None };
    let message = &serde_json::to_value(EventMessage { dial_id: None, user_id: None, event })?;
    Latencies::measure(senders, |sender| async move {
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let began = std::time::Instant::now();
            let handle = client.get_workflow_handle::<Call>(id.clone());
            handle.signal(Call::call_event, message.clone().into(), Default::default()).await?;
            latencies.push(began.elapsed());
        }
        Ok(latencies)
    })
    .await
}

async fn send_reports(
    address: &str,
    ids: &[String],
    senders: usize,
    share: usize,
) -> Result<Latencies> {
    Latencies::measure(senders, |sender| async move {
        let mut connection = Sender::connect(address).await?;
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let dial = format!("{}.1", id.trim_start_matches("call/"));
            latencies.push(connection.send_report(&dial).await?);
        }
        Ok(latencies)
    })
    .await
}

/// Forged requests, compared with a route of the same framework that rejects everything.
async fn measure_rejections(options: &Options, address: &str) -> Result<Vec<Figure>> {
    eprintln!("   forged requests and a bare route, {} s each …", options.secs);
    let bare = BareRoute::start().await?;
    let turn = Duration::from_secs(options.secs) / ROUNDS as u32;
    let (mut forged_rates, mut bare_rates) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        forged_rates += measure_forged(address, options.senders, turn).await?;
        bare_rates += measure_forged(&bare.address, options.senders, turn).await?;
    }
    let (forged, bare) = (forged_rates / ROUNDS as f64, bare_rates / ROUNDS as f64);
    Ok(vec![
        figure("forged requests", forged, "requests/s", ""),
        figure("bare route", bare, "requests/s", "the reference"),
        figure("ratio of forged to bare", forged / bare, "", "at least 0.5"),
    ])
}

/// Response time of each kind of rejection. A difference would give information to an attacker.
async fn measure_rejection_times(address: &str) -> Result<Vec<Figure>> {
    const EACH: usize = 3_000;
    eprintln!("   {EACH} rejections of each kind …");
    let mut connection = Sender::connect(address).await?;
    let mut latencies: BTreeMap<Forged, Latencies> = BTreeMap::new();
    for _ in 0..EACH {
        for kind in Forged::ALL {
            let took = connection.send_forged(kind).await?;
            latencies.entry(kind).or_default().push(took);
        }
    }
    let medians = Forged::ALL.map(|kind| latencies[&kind].percentile_ms(50) * 1_000.0);
    let (min, max) = medians
        .iter()
        .fold((f64::MAX, 0.0_f64), |(min, max), median| (min.min(*median), max.max(*median)));
    let mut figures: Vec<Figure> = Forged::ALL
        .iter()
        .zip(medians)
        .map(|(kind, median)| figure(kind.name(), median, "µs", ""))
        .collect();
    figures.push(figure("ratio of slowest to fastest kind", max / min, "", "about 1"));
    Ok(figures)
}

/// Memory of the server during a flood of requests, without and with idle connections.
async fn measure_memory(options: &Options, address: &str, pid: u32) -> Result<Vec<Figure>> {
    let secs = options.memory_secs;
    eprintln!("   {} forged requests per second for {secs} s …", options.rate);
    let flooded = measure_flood(options, address, pid).await?;
    eprintln!("   the same with {} idle connections …", options.idle);
    let idle = open_idle_connections(address, options.idle).await?;
    let crowded = measure_flood(options, address, pid).await?;
    let open = load::count_open(&idle);
    drop(idle);
    Ok(vec![
        figure("request rate", flooded.rate, "requests/s", ""),
        figure("memory at the start", flooded.start_mb, "MB", ""),
        figure("ratio of peak to start", flooded.peak_mb / flooded.start_mb, "", "0.9 to 1.1"),
        figure("idle connections", open as f64, "", ""),
        figure("memory at the start, idle connections", crowded.start_mb, "MB", ""),
        figure(
            "ratio of peak to start, idle connections",
            crowded.peak_mb / crowded.start_mb,
            "",
            "0.9 to 1.1",
        ),
    ])
}

struct Flood {
    rate: f64,
    start_mb: f64,
    peak_mb: f64,
}

async fn measure_flood(options: &Options, address: &str, pid: u32) -> Result<Flood> {
    // Buffers grow to their final size first.
    let warm_up = Duration::from_secs(5);
    send_forged_at_rate(address, options.senders, options.rate, warm_up).await?;
    let start_mb = read_resident_megabytes(pid)?;
    let flood = tokio::spawn(send_forged_at_rate(
        address.to_owned(),
        options.senders,
        options.rate,
        Duration::from_secs(options.memory_secs),
    ));
    let mut peak_mb = start_mb;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while !flood.is_finished() {
        ticks.tick().await;
        peak_mb = peak_mb.max(read_resident_megabytes(pid)?);
    }
    Ok(Flood { rate: flood.await??, start_mb, peak_mb })
}
