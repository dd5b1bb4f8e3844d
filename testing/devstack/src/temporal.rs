//! A Temporal development server of one's own, and its command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::process::{self, Process};
use crate::{Program, Ready, Result, Scratch, Tools, development, ports};

/// How a Temporal development server is started.
#[derive(Clone, Debug)]
pub struct TemporalOptions {
    /// Holds the server's database and its log; made when it is not there.
    pub dir: PathBuf,
    /// The port of the gRPC interface on 127.0.0.1; any free one if none is given.
    pub port: Option<u16>,
    /// The port of the web interface; any free one if none is given.
    pub ui_port: Option<u16>,
    /// Without the web interface.
    pub headless: bool,
}

/// A Temporal development server that keeps its state in a file.
#[derive(Debug)]
pub struct Temporal {
    address: String,
    ui_url: Option<String>,
    cli: PathBuf,
    process: Process,
    _scratch: Option<Scratch>,
}

impl Temporal {
    /// Starts a server, on the database in the folder when there is one; ready when its namespace answers queries.
    pub async fn start(options: TemporalOptions) -> Result<Self> {
        let cli = Tools::ensure().await?.temporal.clone();
        let port = options.port.map_or_else(ports::free, Ok)?;
        let ui_port = if options.headless {
            None
        } else {
            Some(options.ui_port.map_or_else(ports::free, Ok)?)
        };
        let program = Program::new("temporal", &cli, &options.dir)
            .args(server_args(&options, port, ui_port))
            .grace(Duration::from_secs(10));
        let process = Process::start(program, Ready::Running).await?;
        let mut temporal = Self {
            address: format!("127.0.0.1:{port}"),
            ui_url: ui_port.map(|port| format!("http://127.0.0.1:{port}")),
            cli,
            process,
            _scratch: None,
        };
        temporal.wait_until_ready().await?;
        Ok(temporal)
    }

    /// Starts a server without a web interface on a new database that is removed when this is dropped.
    pub async fn throw_away() -> Result<Self> {
        let scratch = Scratch::new()?;
        let dir = scratch.path().to_path_buf();
        let temporal =
            Self::start(TemporalOptions { dir, port: None, ui_port: None, headless: true }).await?;
        Ok(Self { _scratch: Some(scratch), ..temporal })
    }

    /// The `host:port` of its gRPC interface.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of its web interface.
    pub fn ui_url(&self) -> Option<&str> {
        self.ui_url.as_deref()
    }

    /// Runs the Temporal command line against this server, and returns what it printed.
    pub async fn cli<Arg: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = Arg>,
    ) -> Result<String> {
        cli(&self.cli, &self.address, args).await
    }

    /// Stops the server if it runs and starts it again on the same database and ports; also after
    /// [`Temporal::kill9`].
    pub async fn restart(&mut self) -> Result<()> {
        self.process.restart().await?;
        self.wait_until_ready().await
    }

    /// Stops the server.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await
    }

    /// Kills the server without a warning.
    pub async fn kill9(&mut self) -> Result<()> {
        self.process.kill9().await
    }

    /// The process of the server, to be frozen or watched.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (program, address) = (self.cli.clone(), self.address.clone());
        // Asks for more than health: the namespace and the search come up after the front end.
        let check = async || cli(&program, &address, ["workflow", "count"]).await.is_ok();
        self.process
            .wait_until("its namespace answers queries", Duration::from_secs(60), check)
            .await
    }
}

/// Runs the Temporal command line; the settings of the developer's own profile stay out of it.
pub(crate) async fn cli<Arg: Into<OsString>>(
    program: &std::path::Path,
    address: &str,
    args: impl IntoIterator<Item = Arg>,
) -> Result<String> {
    let own =
        ["--address", address, "--namespace", development::NAMESPACE, "--disable-config-file"];
    process::run(&Program::new("temporal", program, "").args(args).args(own)).await
}

fn server_args(options: &TemporalOptions, port: u16, ui_port: Option<u16>) -> Vec<OsString> {
    let port = port.to_string();
    let mut args: Vec<OsString> =
        ["server", "start-dev", "--ip", "127.0.0.1", "--port", &port].map(OsString::from).into();
    match ui_port {
        Some(ui_port) => {
            args.extend(["--ui-port".into(), ui_port.to_string().into()]);
            args.push("--ui-disable-news-fetch".into());
        }
        None => args.push("--headless".into()),
    }
    args.extend(["--db-filename".into(), options.dir.join("temporal.db").into_os_string()]);
    // Survives kill -9, and is three times as fast as the defaults.
    let pragmas = ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"];
    args.extend(pragmas.map(OsString::from));
    args.extend(["--log-level", "error", "--disable-config-file"].map(OsString::from));
    args
}
