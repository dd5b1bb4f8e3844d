//! The webhook server: signed events beside bare signals, forged ones beside a bare route, its
//! memory under attack, and whether the time of a refusal tells anything.

mod load;
mod sender;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{TimeDelta, Utc};
use devstack::{Parts, Stack, StackOptions};
use sqlx::PgPool;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, Url};
use workflows::Call;
use workflows::clock::ClockOffset;
use workflows::events::{CallEvent, Message};

use crate::memory::resident_megabytes;
use crate::report::{Figure, tell};
use crate::start::{start_calls, user};
use load::{BareRoute, Latencies, idle_connections, refuse_at_rate, refused_per_second};
use sender::{Forged, Sender};

/// Limits that the benchmark itself would run into.
const LIMITS: [(&str, &str); 5] = [
    ("MAX_CONNECTIONS", "15000"),
    ("MAX_CONNECTIONS_PER_SOURCE", "15000"),
    ("MAX_REQUESTS_PER_SOURCE", "1000000"),
    ("READ_TIMEOUT_SECS", "300"),
    ("RUST_LOG", "info"),
];
/// Rounds in which the two that are compared take turns, so that a server that gets slower with
/// age treats both alike.
const ROUNDS: usize = 6;

#[derive(clap::Args)]
pub struct Options {
    /// Events to send each way
    #[arg(long, default_value_t = 3_000)]
    events: usize,
    /// Senders at once
    #[arg(long, default_value_t = 16)]
    senders: usize,
    /// Seconds for which forged requests are counted, each way
    #[arg(long, default_value_t = 10)]
    secs: u64,
    /// Seconds for which memory is watched, twice
    #[arg(long, default_value_t = 60)]
    memory_secs: u64,
    /// Forged requests in a second while memory is watched
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Idle connections while memory is watched
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
}

/// Runs the benchmark.
pub async fn run(options: Options) -> Result<()> {
    load::allow_open_files(options.idle + 500)?;
    let env = LIMITS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut stack = Stack::start(StackOptions {
        parts: Parts { simulator: false, webhook: true, worker: true },
        webhook_env: BTreeMap::from(env),
        progress: |line| eprintln!("   {line}"),
        ..StackOptions::default()
    })
    .await?;
    let measured = measure(&stack, &options).await;
    stack.stop().await?;
    tell("webhook", &measured?)
}

/// Is the server that forged webhooks are held against.
pub async fn serve_bare_route(port: u16) -> Result<()> {
    BareRoute::serve(port).await
}

async fn measure(stack: &Stack, options: &Options) -> Result<Vec<Figure>> {
    let address = stack.endpoints().webhook_url.trim_start_matches("http://").to_owned();
    let pid = stack.webhook.as_ref().context("the stack has a webhook server")?.process.pid();
    let mut figures = events(stack, options, &address).await?;
    figures.extend(refusals(options, &address).await?);
    figures.extend(kinds_of_refusal(&address).await?);
    figures.extend(memory(options, &address, pid).await?);
    Ok(figures)
}

/// Signed events, beside the signals that they become.
async fn events(stack: &Stack, options: &Options, address: &str) -> Result<Vec<Figure>> {
    let pool = PgPool::connect(&stack.endpoints().database_url).await?;
    let server = Url::parse(&format!("http://{}", stack.temporal.address()))?;
    let connection = Connection::connect(ConnectionOptions::new(server).build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;
    user("bench").insert(&pool).await?;
    let slot = Utc::now() + TimeDelta::hours(2);
    let calls = options.senders * 8;
    let ids =
        start_calls(&pool, &client, "bench", "w", calls, slot, ClockOffset::default()).await?;

    eprintln!("   {} signed events, and as many bare signals …", options.events);
    let (mut signed, mut bare) = (Latencies::default(), Latencies::default());
    let share = options.events / ROUNDS / options.senders;
    for _ in 0..ROUNDS {
        signed.extend(send_signed(address, &ids, options.senders, share).await?);
        bare.extend(send_bare(&client, &ids, options.senders, share).await?);
    }
    eprintln!("   {} reports of agents …", options.events / ROUNDS);
    let reports = report(address, &ids, options.senders, share).await?;
    let ratio = signed.percentile_ms(99) / bare.percentile_ms(99);
    Ok(vec![
        figure("signed events", signed.per_second(), "events/s", ""),
        figure("signed events, median", signed.percentile_ms(50), "ms", ""),
        figure("signed events, p99", signed.percentile_ms(99), "ms", ""),
        figure("bare signals", bare.per_second(), "signals/s", "the reference"),
        figure("bare signals, median", bare.percentile_ms(50), "ms", "the reference"),
        figure("bare signals, p99", bare.percentile_ms(99), "ms", "the reference"),
        figure("p99, signed to bare", ratio, "", "at most 1.3"),
        figure("reports of agents, p99", reports.percentile_ms(99), "ms", "at most 500"),
    ])
}

async fn send_signed(
    address: &str,
    ids: &[String],
    senders: usize,
    share: usize,
) -> Result<Latencies> {
    Latencies::of(senders, |sender| async move {
        let mut connection = Sender::connect(address).await?;
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let conversation = id.trim_start_matches("call/");
            let body =
                format!(r#"{{"eventType":"call.started","conversationId":"{conversation}"}}"#);
            latencies.push(connection.signed(&body, 204).await?);
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
    let message = &serde_json::to_value(Message { dial_id: None, user_id: None, event })?;
    Latencies::of(senders, |sender| async move {
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let began = std::time::Instant::now();
            let handle = client.get_workflow_handle::<Call>(id.clone());
            handle.signal(Call::call_event, message.clone(), Default::default()).await?;
            latencies.push(began.elapsed());
        }
        Ok(latencies)
    })
    .await
}

async fn report(address: &str, ids: &[String], senders: usize, share: usize) -> Result<Latencies> {
    Latencies::of(senders, |sender| async move {
        let mut connection = Sender::connect(address).await?;
        let mut latencies = Vec::with_capacity(share);
        for n in 0..share {
            let id = &ids[(sender * share + n) % ids.len()];
            let dial = format!("{}.1", id.trim_start_matches("call/"));
            latencies.push(connection.report(&dial).await?);
        }
        Ok(latencies)
    })
    .await
}

/// Forged requests, beside a route of the same framework that refuses everything unread.
async fn refusals(options: &Options, address: &str) -> Result<Vec<Figure>> {
    eprintln!("   forged requests, and a bare route, for {} s each …", options.secs);
    let bare = BareRoute::start().await?;
    let turn = Duration::from_secs(options.secs) / ROUNDS as u32;
    let (mut forged_rates, mut bare_rates) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        forged_rates += refused_per_second(address, options.senders, turn).await?;
        bare_rates += refused_per_second(&bare.address, options.senders, turn).await?;
    }
    let (forged, bare) = (forged_rates / ROUNDS as f64, bare_rates / ROUNDS as f64);
    Ok(vec![
        figure("forged requests refused", forged, "requests/s", ""),
        figure("bare route", bare, "requests/s", "the reference"),
        figure("forged to bare", forged / bare, "", "at least 0.5"),
    ])
}

/// How long each kind of refusal takes: nothing should be learnt from the difference.
async fn kinds_of_refusal(address: &str) -> Result<Vec<Figure>> {
    const EACH: usize = 3_000;
    eprintln!("   {EACH} refusals of every kind …");
    let mut connection = Sender::connect(address).await?;
    let mut latencies: BTreeMap<Forged, Latencies> = BTreeMap::new();
    for _ in 0..EACH {
        for kind in Forged::ALL {
            let took = connection.forged(kind).await?;
            latencies.entry(kind).or_default().push(took);
        }
    }
    let medians = Forged::ALL.map(|kind| latencies[&kind].percentile_ms(50) * 1_000.0);
    let (least, most) = medians
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), median| (least.min(*median), most.max(*median)));
    let mut figures: Vec<Figure> = Forged::ALL
        .iter()
        .zip(medians)
        .map(|(kind, median)| figure(kind.name(), median, "µs", ""))
        .collect();
    figures.push(figure("slowest to fastest kind", most / least, "", "about 1"));
    Ok(figures)
}

/// Memory of the server while it is flooded, and while it holds idle connections beside.
async fn memory(options: &Options, address: &str, pid: u32) -> Result<Vec<Figure>> {
    let secs = options.memory_secs;
    eprintln!("   {} forged requests a second for {secs} s …", options.rate);
    let flooded = watch(options, address, pid).await?;
    eprintln!("   the same beside {} idle connections …", options.idle);
    let idle = idle_connections(address, options.idle).await?;
    let crowded = watch(options, address, pid).await?;
    let kept = load::still_open(&idle);
    drop(idle);
    Ok(vec![
        figure("rate of the flood", flooded.rate, "requests/s", ""),
        figure("memory at its beginning", flooded.first_mb, "MB", ""),
        figure("most to first, flooded", flooded.most_mb / flooded.first_mb, "", "0.9 to 1.1"),
        figure("idle connections", kept as f64, "", ""),
        figure("memory with them", crowded.first_mb, "MB", ""),
        figure("most to first, with them", crowded.most_mb / crowded.first_mb, "", "0.9 to 1.1"),
    ])
}

struct Watched {
    rate: f64,
    first_mb: f64,
    most_mb: f64,
}

async fn watch(options: &Options, address: &str, pid: u32) -> Result<Watched> {
    // Buffers grow to their size at first.
    let warm_up = Duration::from_secs(5);
    refuse_at_rate(address, options.senders, options.rate, warm_up).await?;
    let first_mb = resident_megabytes(pid)?;
    let flood = tokio::spawn(refuse_at_rate(
        address.to_owned(),
        options.senders,
        options.rate,
        Duration::from_secs(options.memory_secs),
    ));
    let mut most_mb = first_mb;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while !flood.is_finished() {
        ticks.tick().await;
        most_mb = most_mb.max(resident_megabytes(pid)?);
    }
    Ok(Watched { rate: flood.await??, first_mb, most_mb })
}

fn figure(name: &'static str, value: f64, unit: &'static str, aim: &str) -> Figure {
    Figure { name, value, unit, aim: aim.to_owned() }
}
