//! Concurrent requests, and the reference server.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use futures::future::try_join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval};

use super::sender::{Forged, Sender};

/// Latencies of single requests and the time for all of them.
#[derive(Default)]
pub struct Latencies {
    each: Vec<Duration>,
    total: Duration,
}

impl Latencies {
    /// Runs concurrent senders and collects their latencies.
    pub async fn measure<Sent: Future<Output = Result<Vec<Duration>>>>(
        senders: usize,
        send: impl Fn(usize) -> Sent,
    ) -> Result<Self> {
        let began = Instant::now();
        let each = try_join_all((0..senders).map(send)).await?;
        Ok(Self { each: each.into_iter().flatten().collect(), total: began.elapsed() })
    }

    pub fn push(&mut self, one: Duration) {
        self.each.push(one);
    }

    pub fn extend(&mut self, more: Self) {
        self.each.extend(more.each);
        self.total += more.total;
    }

    pub fn per_second(&self) -> f64 {
        self.each.len() as f64 / self.total.as_secs_f64()
    }

    /// The latency of this percentile in ms.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.each.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(f64::NAN, |one| one.as_secs_f64() * 1_000.0)
    }
}

/// Sends forged requests, each sender as fast as it gets responses. Returns the rate per second.
pub async fn measure_forged(address: &str, senders: usize, duration: Duration) -> Result<f64> {
    let began = Instant::now();
    let counts = try_join_all((0..senders).map(async |_| {
        let mut connection = Sender::connect(address).await?;
        let mut count = 0_u32;
        while began.elapsed() < duration {
            connection.send_forged(Forged::WrongSignature).await?;
            count += 1;
        }
        Ok::<_, anyhow::Error>(count)
    }))
    .await?;
    Ok(f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

/// Sends forged requests at `rate` per second, or as many as possible. Returns the actual rate.
pub async fn send_forged_at_rate(
    address: impl AsRef<str>,
    senders: usize,
    rate: u32,
    duration: Duration,
) -> Result<f64> {
    let began = Instant::now();
    let period = Duration::from_secs(senders as u64) / rate;
    let counts = try_join_all((0..senders).map(async |_| {
        let mut connection = Sender::connect(address.as_ref()).await?;
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut count = 0_u32;
        while began.elapsed() < duration {
            ticks.tick().await;
            connection.send_forged(Forged::WrongSignature).await?;
            count += 1;
        }
        Ok::<_, anyhow::Error>(count)
    }))
    .await?;
    Ok(f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

/// Opens connections without sending data.
pub async fn open_idle_connections(address: &str, count: usize) -> Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(TcpStream::connect(address).await?);
    }
    Ok(connections)
}

/// Counts the connections that the server has not closed.
pub fn count_open(connections: &[TcpStream]) -> usize {
    let is_open = |connection: &&TcpStream| {
        let read = connection.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    connections.iter().filter(is_open).count()
}

/// Raises the limit of open files of this process.
pub fn raise_open_file_limit(required: usize) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < required as u64 {
        let message = format!("raise `ulimit -n` to {required}, or open fewer with --idle");
        setrlimit(Resource::RLIMIT_NOFILE, required as u64, hard).context(message)?;
    }
    Ok(())
}

/// The reference server, in its own process: one route that rejects every request.
pub struct BareRoute {
    /// `host:port`.
    pub address: String,
    process: Child,
}

impl BareRoute {
    /// Starts the server and waits until it accepts connections.
    pub async fn start() -> Result<Self> {
        let port = devstack::ports::find_free()?;
        let process = Command::new(std::env::current_exe()?)
            .args(["bare-route", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .spawn()?;
        let server = Self { address: format!("127.0.0.1:{port}"), process };
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(error) = TcpStream::connect(&server.address).await {
            anyhow::ensure!(Instant::now() < deadline, "the bare route does not listen: {error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Serves the route in this process.
    pub async fn serve(port: u16) -> Result<()> {
        let reject = async |_: Bytes| StatusCode::UNAUTHORIZED;
        let router = Router::new().route("/webhooks/outcome", post(reject));
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        Ok(axum::serve(listener, router).await?)
    }
}

impl Drop for BareRoute {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
