//! All parts of a stack, started in order and stopped in reverse order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::process::{Process, Program, Ready};
use crate::programs::{Programs, webhook_scheme};
use crate::workspace::{self, DirLock};
use crate::{
    Endpoints, Error, Postgres, PostgresOptions, Result, StackOptions, TempDir, Temporal,
    TemporalOptions, ports,
};

/// Name of the database on the stack's own PostgreSQL server.
const DATABASE: &str = "calls";

/// A running HTTP server of this workspace.
#[derive(Debug)]
pub struct HttpServer {
    /// `http://host:port` without a trailing slash.
    pub url: String,
    pub process: Process,
}

/// A running stack. Drop stops all its processes.
#[derive(Debug)]
pub struct Stack {
    pub worker: Option<Process>,
    pub simulator: Option<HttpServer>,
    pub webhook: Option<HttpServer>,
    pub temporal: Temporal,
    /// `None` if the stack uses an existing database.
    pub postgres: Option<Postgres>,
    programs: Programs,
    options: StackOptions,
    _lock: DirLock,
    _temp_dir: Option<TempDir>,
}

impl Stack {
    /// Starts PostgreSQL and Temporal, then the webhook server, the simulator and the worker. Each is ready before the
    /// next one starts.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let (dir, temp_dir) = match &options.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temp_dir = workspace::temp_dir()?;
                (temp_dir.path().to_path_buf(), Some(temp_dir))
            }
        };
        let lock = DirLock::acquire(&dir)?;
        let (postgres, temporal) =
            tokio::try_join!(start_postgres(&options, &dir), start_temporal(&options, &dir))?;
        let database_url = match (&postgres, &options.database_url) {
            (Some(postgres), _) => postgres.create_database(DATABASE).await?,
            (None, given) => given.clone().unwrap_or_default(),
        };
        let webhook_port = options.ports.webhook.map_or_else(ports::find_free, Ok)?;
        let simulator_port = options.ports.simulator.map_or_else(ports::find_free, Ok)?;
        let endpoints = Endpoints {
            database_url,
            temporal_address: temporal.address().to_owned(),
            temporal_namespace: temporal.namespace().to_owned(),
            temporal_ui_url: temporal.ui_url().map(str::to_owned),
            webhook_url: format!("http://127.0.0.1:{webhook_port}"),
            simulator_url: format!("http://127.0.0.1:{simulator_port}"),
            log_dir: dir.join("logs"),
            clock_offset_secs: options.clock_offset_secs,
        };
        let bin_dir = options.bin_dir.clone().map_or_else(workspace::bin_dir, Ok)?;
        let mut stack = Self {
            worker: None,
            simulator: None,
            webhook: None,
            temporal,
            postgres,
            programs: Programs { bin_dir, endpoints },
            options,
            _lock: lock,
            _temp_dir: temp_dir,
        };
        stack.start_programs(webhook_port, simulator_port).await?;
        Ok(stack)
    }

    pub fn endpoints(&self) -> &Endpoints {
        &self.programs.endpoints
    }

    /// The environment of the stack's workers, with all their settings.
    pub fn worker_settings(&self) -> BTreeMap<String, String> {
        self.programs.worker_settings(&self.options)
    }

    /// Starts another worker with a unique name. `env` overrides the stack's `worker_env`.
    pub async fn start_worker(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Process> {
        let mut options = self.options.clone();
        options.worker_env.extend(env.clone());
        let (program, ready) = self.programs.worker(name, &options)?;
        self.launch(program, ready).await
    }

    /// Starts another webhook server with a unique name on a free port. `env` overrides the stack's `webhook_env`.
    pub async fn start_webhook(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<HttpServer> {
        let mut options = self.options.clone();
        options.webhook_env.extend(env.clone());
        let port = ports::find_free()?;
        let (program, ready) = self.programs.webhook(name, port, &options)?;
        let process = self.launch(program, ready).await?;
        let scheme = webhook_scheme(&options);
        Ok(HttpServer { url: format!("{scheme}://127.0.0.1:{port}"), process })
    }

    /// The simulator's record of all calls, from `GET /sim/ledger`.
    pub async fn ledger(&self) -> Result<serde_json::Value> {
        let url = format!("{}/sim/ledger", self.endpoints().simulator_url);
        let (status, body) = crate::get(&url).await.map_err(Error::io(format!("get {url}")))?;
        if status != 200 {
            return Err(Error::Setting(format!(
                "{url} returned {status} instead of the ledger: {body}"
            )));
        }
        serde_json::from_str(&body)
            .map_err(|error| Error::Setting(format!("{url} did not return JSON: {error}")))
    }

    /// Stops all processes in reverse order, then returns the first error.
    pub async fn stop(&mut self) -> Result<()> {
        let mut results = Vec::new();
        if let Some(mut worker) = self.worker.take() {
            results.push(worker.stop().await);
        }
        for mut server in [self.simulator.take(), self.webhook.take()].into_iter().flatten() {
            results.push(server.process.stop().await);
        }
        results.push(self.temporal.stop().await);
        if let Some(mut postgres) = self.postgres.take() {
            results.push(postgres.stop().await);
        }
        results.into_iter().collect()
    }

    async fn start_programs(&mut self, webhook_port: u16, simulator_port: u16) -> Result<()> {
        let options = &self.options;
        if options.parts.webhook {
            let (program, ready) = self.programs.webhook("webhook", webhook_port, options)?;
            let process = self.launch(program, ready).await?;
            self.webhook = Some(HttpServer { url: self.endpoints().webhook_url.clone(), process });
        }
        if options.parts.simulator {
            let (program, ready) = self.programs.simulator(simulator_port, options)?;
            let process = self.launch(program, ready).await?;
            self.simulator =
                Some(HttpServer { url: self.endpoints().simulator_url.clone(), process });
        }
        if options.parts.worker {
            let (program, ready) = self.programs.worker("worker", options)?;
            self.worker = Some(self.launch(program, ready).await?);
        }
        Ok(())
    }

    async fn launch(&self, program: Program, ready: Ready) -> Result<Process> {
        let started = Instant::now();
        let process = Process::start(program, ready).await?;
        report_ready(&self.options, process.name(), started);
        Ok(process)
    }
}

async fn start_postgres(options: &StackOptions, dir: &Path) -> Result<Option<Postgres>> {
    if options.database_url.is_some() {
        return Ok(None);
    }
    let started = Instant::now();
    let dir = dir.join("postgres");
    let postgres = Postgres::start(PostgresOptions {
        dir,
        port: options.ports.postgres,
        durable: options.durable,
    });
    let postgres = postgres.await?;
    report_ready(options, "PostgreSQL", started);
    Ok(Some(postgres))
}

async fn start_temporal(options: &StackOptions, dir: &Path) -> Result<Temporal> {
    if options.shared_temporal {
        return Temporal::create_shared_namespace().await;
    }
    let started = Instant::now();
    let (port, ui_port) = (options.ports.temporal, options.ports.temporal_ui);
    let dir = dir.join("temporal");
    let (headless, config) = (options.headless, options.temporal_config.clone());
    let temporal = TemporalOptions { dir, port, ui_port, headless, config };
    let temporal = Temporal::start(temporal).await?;
    report_ready(options, "Temporal", started);
    Ok(temporal)
}

fn report_ready(options: &StackOptions, name: &str, started: Instant) {
    (options.progress)(&format!("{name} is ready ({:.1} s)", started.elapsed().as_secs_f64()));
}
