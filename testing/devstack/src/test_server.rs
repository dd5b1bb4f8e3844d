//! The Temporal test server, which can skip time.

use std::time::Duration;

use crate::process::Process;
use crate::{Program, Ready, Result, TempDir, Tools, ports, workspace};

/// A Temporal server that can skip time. It keeps its state in memory and has no schedules. Start one for each test,
/// because all clients share its clock.
#[derive(Debug)]
pub struct TestServer {
    address: String,
    process: Process,
    _temp_dir: TempDir,
}

impl TestServer {
    /// Starts a server on a free port and waits until it accepts connections.
    pub async fn start() -> Result<Self> {
        let path = &Tools::ensure_installed().await?.temporal_test_server;
        let temp_dir = workspace::temp_dir()?;
        let address = format!("127.0.0.1:{}", ports::find_free()?);
        let port = address.rsplit(':').next().unwrap_or_default();
        let program = Program::new("temporal-test-server", path, temp_dir.path()).args([port]);
        let mut process =
            Process::start(program.stop_timeout(Duration::from_secs(2)), Ready::Running).await?;
        let check = async || tokio::net::TcpStream::connect(&address).await.is_ok();
        process.wait_until("it accepts a connection", Duration::from_secs(60), check).await?;
        Ok(Self { address, process, _temp_dir: temp_dir })
    }

    /// `host:port` of the gRPC interface.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await
    }
}
