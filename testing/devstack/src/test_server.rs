//! The Temporal test server, whose clock can be moved.

use std::time::Duration;

use crate::process::Process;
use crate::{Program, Ready, Result, Scratch, Tools, ports};

/// A Temporal server for tests that skip time. Keeps everything in memory and knows no schedules; use one per test,
/// as its clock is everybody's.
#[derive(Debug)]
pub struct TestServer {
    address: String,
    process: Process,
    _scratch: Scratch,
}

impl TestServer {
    /// Starts a server on a free port; ready when that accepts connections.
    pub async fn start() -> Result<Self> {
        let path = &Tools::ensure().await?.temporal_test_server;
        let scratch = Scratch::new()?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let port = address.rsplit(':').next().unwrap_or_default();
        let program = Program::new("temporal-test-server", path, scratch.path()).args([port]);
        let mut process =
            Process::start(program.grace(Duration::from_secs(2)), Ready::Running).await?;
        let check = async || tokio::net::TcpStream::connect(&address).await.is_ok();
        process.wait_until("it accepts a connection", Duration::from_secs(60), check).await?;
        Ok(Self { address, process, _scratch: scratch })
    }

    /// The `host:port` of its gRPC interface.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stops the server.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await
    }
}
