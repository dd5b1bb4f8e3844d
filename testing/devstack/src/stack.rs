//! The whole stack, started in order and stopped in reverse.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::process::{Process, Program, Ready};
use crate::services::{Surroundings, webhook_scheme};
use crate::workspace::{self, DirLock};
use crate::{
    Error, Postgres, PostgresOptions, Result, Scratch, StackOptions, Temporal, TemporalOptions,
    development, ports,
};

/// The database that a stack makes on its own PostgreSQL server.
const DATABASE: &str = "calls";

/// One of our HTTP servers.
#[derive(Debug)]
pub struct Service {
    /// `http://host:port`, without a slash at the end.
    pub url: String,
    /// The running program.
    pub process: Process,
}

/// Where a running stack can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The address of the database.
    pub database_url: String,
    /// The `host:port` of Temporal's gRPC interface.
    pub temporal_address: String,
    /// The namespace in use.
    pub temporal_namespace: String,
    /// Temporal's web interface.
    pub temporal_ui_url: Option<String>,
    /// The webhook server.
    pub webhook_url: String,
    /// The simulator.
    pub simulator_url: String,
    /// Where the log of every process is.
    pub log_dir: PathBuf,
    /// What the processes believe the time to be, in seconds from now.
    #[serde(default)]
    pub clock_offset_secs: i64,
}

/// A running stack; what is still running is stopped when it is dropped.
#[derive(Debug)]
pub struct Stack {
    /// The worker, unless the stack was started without.
    pub worker: Option<Process>,
    /// The simulator, unless the stack was started without.
    pub simulator: Option<Service>,
    /// The webhook server, unless the stack was started without.
    pub webhook: Option<Service>,
    /// Temporal.
    pub temporal: Temporal,
    /// The stack's own PostgreSQL server, unless it uses an existing database.
    pub postgres: Option<Postgres>,
    surroundings: Surroundings,
    options: StackOptions,
    _lock: DirLock,
    _scratch: Option<Scratch>,
}

impl Stack {
    /// Starts PostgreSQL and Temporal, then the webhook server, the simulator and the worker; every one is ready
    /// before the next one starts.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let (dir, scratch) = match &options.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let scratch = Scratch::new()?;
                (scratch.path().to_path_buf(), Some(scratch))
            }
        };
        let lock = DirLock::take(&dir)?;
        let (postgres, temporal) =
            tokio::try_join!(start_postgres(&options, &dir), start_temporal(&options, &dir))?;
        let database_url = match (&postgres, &options.database_url) {
            (Some(postgres), _) => postgres.create_database(DATABASE).await?,
            (None, given) => given.clone().unwrap_or_default(),
        };
        let surroundings = Surroundings {
            log_dir: dir.join("logs"),
            bin_dir: options.bin_dir.clone().map_or_else(workspace::bin_dir, Ok)?,
            database_url,
            temporal_address: temporal.address().to_owned(),
            webhook_port: options.ports.webhook.map_or_else(ports::free, Ok)?,
            simulator_port: options.ports.simulator.map_or_else(ports::free, Ok)?,
        };
        let mut stack = Self {
            worker: None,
            simulator: None,
            webhook: None,
            temporal,
            postgres,
            surroundings,
            options,
            _lock: lock,
            _scratch: scratch,
        };
        stack.start_parts().await?;
        Ok(stack)
    }

    /// Where everything can be reached.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            database_url: self.surroundings.database_url.clone(),
            temporal_address: self.surroundings.temporal_address.clone(),
            temporal_namespace: development::NAMESPACE.to_owned(),
            temporal_ui_url: self.temporal.ui_url().map(str::to_owned),
            webhook_url: self.surroundings.webhook_url(),
            simulator_url: self.surroundings.simulator_url(),
            log_dir: self.surroundings.log_dir.clone(),
            clock_offset_secs: self.options.clock_offset_secs,
        }
    }

    /// The address of the database.
    pub fn database_url(&self) -> &str {
        &self.surroundings.database_url
    }

    /// Starts one more worker beside the first, under a name of its own; `env` goes over the stack's `worker_env`.
    pub async fn start_worker(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Process> {
        let mut options = self.options.clone();
        options.worker_env.extend(env.clone());
        let (program, ready) = self.surroundings.worker(name, &options)?;
        self.launch(program, ready).await
    }

    /// Starts one more webhook server on a port of its own; `env` goes over the stack's `webhook_env`.
    pub async fn start_webhook(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Service> {
        let mut options = self.options.clone();
        options.webhook_env.extend(env.clone());
        let port = ports::free()?;
        let (program, ready) = self.surroundings.webhook(name, port, &options)?;
        let process = self.launch(program, ready).await?;
        let scheme = webhook_scheme(&options);
        Ok(Service { url: format!("{scheme}://127.0.0.1:{port}"), process })
    }

    /// What the simulator knows of every call: `GET /sim/ledger`.
    pub async fn ledger(&self) -> Result<serde_json::Value> {
        let url = format!("{}/sim/ledger", self.surroundings.simulator_url());
        let (status, body) = crate::get(&url).await.map_err(Error::io(format!("ask {url}")))?;
        if status != 200 {
            return Err(Error::Setting(format!(
                "{url} answered {status} instead of the ledger: {body}"
            )));
        }
        serde_json::from_str(&body)
            .map_err(|error| Error::Setting(format!("{url} did not answer JSON: {error}")))
    }

    /// Stops everything in reverse order; the first error is returned after all have been stopped.
    pub async fn stop(&mut self) -> Result<()> {
        let mut results = Vec::new();
        if let Some(mut worker) = self.worker.take() {
            results.push(worker.stop().await);
        }
        for mut service in [self.simulator.take(), self.webhook.take()].into_iter().flatten() {
            results.push(service.process.stop().await);
        }
        results.push(self.temporal.stop().await);
        if let Some(mut postgres) = self.postgres.take() {
            results.push(postgres.stop().await);
        }
        results.into_iter().collect()
    }

    async fn start_parts(&mut self) -> Result<()> {
        let options = &self.options;
        if options.parts.webhook {
            let (program, ready) =
                self.surroundings.webhook("webhook", self.surroundings.webhook_port, options)?;
            let process = self.launch(program, ready).await?;
            self.webhook = Some(Service { url: self.surroundings.webhook_url(), process });
        }
        if options.parts.simulator {
            let (program, ready) = self.surroundings.simulator(options)?;
            let process = self.launch(program, ready).await?;
            self.simulator = Some(Service { url: self.surroundings.simulator_url(), process });
        }
        if options.parts.worker {
            let (program, ready) = self.surroundings.worker("worker", options)?;
            self.worker = Some(self.launch(program, ready).await?);
        }
        Ok(())
    }

    async fn launch(&self, program: Program, ready: Ready) -> Result<Process> {
        let started = Instant::now();
        let process = Process::start(program, ready).await?;
        report(&self.options, process.name(), started);
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
    report(options, "PostgreSQL", started);
    Ok(Some(postgres))
}

async fn start_temporal(options: &StackOptions, dir: &Path) -> Result<Temporal> {
    let started = Instant::now();
    let (port, ui_port) = (options.ports.temporal, options.ports.temporal_ui);
    let dir = dir.join("temporal");
    let temporal =
        Temporal::start(TemporalOptions { dir, port, ui_port, headless: options.headless }).await?;
    report(options, "Temporal", started);
    Ok(temporal)
}

fn report(options: &StackOptions, name: &str, started: Instant) {
    (options.progress)(&format!("{name} is ready ({:.1} s)", started.elapsed().as_secs_f64()));
}
