//! Many requests at once, and what they are held against.

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

/// How long single requests took, and all of them together.
#[derive(Default)]
pub struct Latencies {
    each: Vec<Duration>,
    in_all: Duration,
}

impl Latencies {
    /// Those of several senders at once.
    pub async fn of<Sent: Future<Output = Result<Vec<Duration>>>>(
        senders: usize,
        send: impl Fn(usize) -> Sent,
    ) -> Result<Self> {
        let began = Instant::now();
        let each = try_join_all((0..senders).map(send)).await?;
        Ok(Self { each: each.into_iter().flatten().collect(), in_all: began.elapsed() })
    }

    pub fn push(&mut self, one: Duration) {
        self.each.push(one);
    }

    pub fn extend(&mut self, more: Self) {
        self.each.extend(more.each);
        self.in_all += more.in_all;
    }

    pub fn per_second(&self) -> f64 {
        self.each.len() as f64 / self.in_all.as_secs_f64()
    }

    /// The time within which that many of a hundred were answered.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.each.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(f64::NAN, |one| one.as_secs_f64() * 1_000.0)
    }
}

/// Sends forged requests as fast as they are refused; how many there were in a second.
pub async fn refused_per_second(address: &str, senders: usize, turn: Duration) -> Result<f64> {
    let began = Instant::now();
    let counts = try_join_all((0..senders).map(async |_| {
        let mut connection = Sender::connect(address).await?;
        let mut count = 0_u32;
        while began.elapsed() < turn {
            connection.forged(Forged::WrongSignature).await?;
            count += 1;
        }
        Ok::<_, anyhow::Error>(count)
    }))
    .await?;
    Ok(f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

/// Sends that many forged requests a second, or as many as can be; how many there were.
pub async fn refuse_at_rate(
    address: impl AsRef<str>,
    senders: usize,
    rate: u32,
    time: Duration,
) -> Result<f64> {
    let began = Instant::now();
    let pause = Duration::from_secs(senders as u64) / rate;
    let counts = try_join_all((0..senders).map(async |_| {
        let mut connection = Sender::connect(address.as_ref()).await?;
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut count = 0_u32;
        while began.elapsed() < time {
            ticks.tick().await;
            connection.forged(Forged::WrongSignature).await?;
            count += 1;
        }
        Ok::<_, anyhow::Error>(count)
    }))
    .await?;
    Ok(f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

/// Opens connections on which nothing is sent.
pub async fn idle_connections(address: &str, count: usize) -> Result<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        connections.push(TcpStream::connect(address).await?);
    }
    Ok(connections)
}

/// How many of them the server has not closed.
pub fn still_open(connections: &[TcpStream]) -> usize {
    let silent = |connection: &&TcpStream| {
        let read = connection.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    connections.iter().filter(silent).count()
}

/// Lets this process have so many connections.
pub fn allow_open_files(wanted: usize) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < wanted as u64 {
        let message = format!("raise `ulimit -n` to {wanted}, or open fewer with --idle");
        setrlimit(Resource::RLIMIT_NOFILE, wanted as u64, hard).context(message)?;
    }
    Ok(())
}

/// A server in a process of its own, with one route that refuses everything unread.
pub struct BareRoute {
    /// Where it listens.
    pub address: String,
    process: Child,
}

impl BareRoute {
    /// Starts it and waits until it listens.
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

    /// Is that server.
    pub async fn serve(port: u16) -> Result<()> {
        let refuse = async |_: Bytes| StatusCode::UNAUTHORIZED;
        let router = Router::new().route("/webhooks/outcome", post(refuse));
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
