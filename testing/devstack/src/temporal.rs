//! A Temporal development server and its command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::process::{self, Process};
use crate::{Error, Program, Ready, Result, TempDir, Tools, development, ports, workspace};

#[derive(Clone, Debug)]
pub struct TemporalOptions {
    /// Folder for the server's database and log; created if missing.
    pub dir: PathBuf,
    /// Port of the gRPC interface on 127.0.0.1. `None` means any free port.
    pub port: Option<u16>,
    /// Port of the web interface. `None` means any free port.
    pub ui_port: Option<u16>,
    /// Whether to start without the web interface.
    pub headless: bool,
    /// Dynamic configuration, each as `key=value` with the value in JSON.
    pub config: Vec<String>,
}

/// A namespace of a Temporal development server.
#[derive(Debug)]
pub struct Temporal {
    address: String,
    namespace: String,
    ui_url: Option<String>,
    cli: PathBuf,
    /// `None` if this handle does not control the server.
    process: Option<Process>,
    _temp_dir: Option<TempDir>,
}

impl Temporal {
    /// Starts a server on the existing or a new database in `options.dir` and waits until its namespace answers queries.
    pub async fn start(options: TemporalOptions) -> Result<Self> {
        let cli = Tools::ensure_installed().await?.temporal.clone();
        let port = options.port.map_or_else(ports::find_free, Ok)?;
        let ui_port = if options.headless {
            None
        } else {
            Some(options.ui_port.map_or_else(ports::find_free, Ok)?)
        };
        let program = Program::new("temporal", &cli, &options.dir)
            .args(server_args(&options, port, ui_port))
            .stop_timeout(Duration::from_secs(10));
        let process = Process::start(program, Ready::Running).await?;
        let mut temporal = Self {
            address: format!("127.0.0.1:{port}"),
            namespace: development::NAMESPACE.to_owned(),
            ui_url: ui_port.map(|port| format!("http://127.0.0.1:{port}")),
            cli,
            process: Some(process),
            _temp_dir: None,
        };
        temporal.wait_until_ready().await?;
        Ok(temporal)
    }

    /// Starts a server without a web interface on a new database. Drop removes the database.
    pub async fn start_temporary() -> Result<Self> {
        let temp_dir = workspace::temp_dir()?;
        let dir = temp_dir.path().to_path_buf();
        let (port, ui_port, config) = (None, None, Vec::new());
        let options = TemporalOptions { dir, port, ui_port, headless: true, config };
        let temporal = Self::start(options).await?;
        Ok(Self { _temp_dir: Some(temp_dir), ..temporal })
    }

    /// A new namespace on the server that the tests share: the one in `TEST_TEMPORAL_ADDRESS`, otherwise one that the
    /// first call starts and that ends with this process.
    pub async fn create_shared_namespace() -> Result<Self> {
        static SERVER: OnceCell<Temporal> = OnceCell::const_new();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let start = async || match std::env::var("TEST_TEMPORAL_ADDRESS") {
            Ok(address) => Self::external(address).await,
            Err(_) => Self::start_temporary().await,
        };
        let server = SERVER.get_or_try_init(start).await?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("test-{}-{number}", std::process::id());
        let create = ["operator", "namespace", "create", "--retention", "24h"];
        run_cli(&server.cli, &server.address, &namespace, create).await?;
        Ok(Self { namespace, ..Self::external(server.address.clone()).await? })
    }

    /// Another handle of the same namespace, which does not control the server.
    pub fn handle(&self) -> Self {
        Self {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            ui_url: self.ui_url.clone(),
            cli: self.cli.clone(),
            process: None,
            _temp_dir: None,
        }
    }

    /// A handle of another namespace of the server, which need not exist yet.
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.handle() }
    }

    /// The namespace `default` of a server that this process does not control.
    async fn external(address: String) -> Result<Self> {
        let cli = Tools::ensure_installed().await?.temporal.clone();
        let namespace = development::NAMESPACE.to_owned();
        Ok(Self { address, namespace, ui_url: None, cli, process: None, _temp_dir: None })
    }

    /// `host:port` of the gRPC interface.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn ui_url(&self) -> Option<&str> {
        self.ui_url.as_deref()
    }

    /// Runs the Temporal command line in this namespace and returns its standard output.
    pub async fn cli<Arg: Into<OsString>>(
        &self,
        args: impl IntoIterator<Item = Arg>,
    ) -> Result<String> {
        run_cli(&self.cli, &self.address, &self.namespace, args).await
    }

    /// Runs the Temporal command line in this namespace and returns its JSON output.
    pub async fn cli_json<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Value> {
        let output = self.cli(args.into_iter().chain(["--output", "json"])).await?;
        serde_json::from_str(&output).map_err(|error| {
            Error::Setting(format!("temporal printed no JSON ({error}): {output}"))
        })
    }

    pub async fn pause_schedule(&self, id: &str) -> Result<()> {
        let toggle = ["schedule", "toggle", "--pause", "--reason", "devstack", "--schedule-id", id];
        self.cli(toggle).await.map(|_| ())
    }

    /// Runs a workflow of the task queue `calls` and returns its result.
    pub async fn run_workflow(&self, name: &str, id: &str, input: &Value) -> Result<Value> {
        let input = input.to_string();
        let start = ["workflow", "start", "--type", name, "--task-queue", "calls"];
        self.cli(start.into_iter().chain(["--workflow-id", id, "--input", &input])).await?;
        let output = self.cli_json(["workflow", "result", "--workflow-id", id]).await?;
        Ok(output["result"].clone())
    }

    /// Stops the server if it runs and starts it again on the same database and ports.
    pub async fn restart(&mut self) -> Result<()> {
        self.process()?.restart().await?;
        self.wait_until_ready().await
    }

    /// Stops the server if this handle controls it.
    pub async fn stop(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill9(&mut self) -> Result<()> {
        self.process()?.kill9().await
    }

    /// The process of the server.
    ///
    /// # Errors
    ///
    /// If other tests use the server as well.
    pub fn process(&mut self) -> Result<&mut Process> {
        let shared = || Error::Setting("the Temporal server is shared with other tests".to_owned());
        self.process.as_mut().ok_or_else(shared)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (program, address, namespace) =
            (self.cli.clone(), self.address.clone(), self.namespace.clone());
        // More than a health check: the namespace and the visibility store start later than the front end.
        let count = ["workflow", "count"];
        let check = async || run_cli(&program, &address, &namespace, count).await.is_ok();
        self.process()?
            .wait_until("its namespace answers queries", Duration::from_secs(60), check)
            .await
    }
}

/// Runs the Temporal command line without the settings of the developer's own profile.
async fn run_cli<Arg: Into<OsString>>(
    program: &std::path::Path,
    address: &str,
    namespace: &str,
    args: impl IntoIterator<Item = Arg>,
) -> Result<String> {
    let common = ["--address", address, "--namespace", namespace, "--disable-config-file"];
    process::run(&Program::new("temporal", program, "").args(args).args(common)).await
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
    // Survives kill -9 and is three times as fast as the default settings.
    let pragmas = ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"];
    args.extend(pragmas.map(OsString::from));
    // A new namespace gets its schedules within a second.
    let refresh = ["--dynamic-config-value", r#"system.namespaceCacheRefreshInterval="1s""#];
    args.extend(refresh.map(OsString::from));
    for value in &options.config {
        args.extend(["--dynamic-config-value".into(), value.into()]);
    }
    args.extend(["--log-level", "error", "--disable-config-file"].map(OsString::from));
    args
}
