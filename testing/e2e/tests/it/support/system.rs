//! The whole system for one test.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Postgres, Stack, StackOptions};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::post;

/// The processes, with a database and a Temporal namespace of their own.
pub struct TestSystem {
    pub stack: Stack,
    pub database: PgPool,
    clock_offset_secs: i64,
}

impl TestSystem {
    /// Starts a system. Its schedule is paused, so that only the test starts plan runs.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let system = Self::start_with_schedule(options).await?;
        if system.stack.worker.is_some() {
            system.pause_planning().await?;
        }
        Ok(system)
    }

    /// Starts a system whose schedule is not paused.
    pub async fn start_with_schedule(options: StackOptions) -> Result<Self> {
        Self::start_stack(StackOptions { shared_temporal: true, ..options }).await
    }

    /// Starts a system with a Temporal server of its own, which the test may pause.
    pub async fn start_with_own_temporal(options: StackOptions) -> Result<Self> {
        Self::start_stack(options).await
    }

    async fn start_stack(options: StackOptions) -> Result<Self> {
        let clock_offset_secs = options.clock_offset_secs;
        let database_url = match options.database_url.clone() {
            Some(url) => url,
            None => Postgres::shared().await?.create_unique_database("e2e").await?,
        };
        let database = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy(&database_url)
            .context("reading the URL of the database")?;
        let mut options = StackOptions { database_url: Some(database_url), ..options };
        // The simulator lists a call at once, unless a test says otherwise.
        let never_placed_after = ("NEVER_PLACED_AFTER_SECS".to_owned(), "5".to_owned());
        options.worker_env.entry(never_placed_after.0).or_insert(never_placed_after.1);
        Ok(Self { stack: Stack::start(options).await?, database, clock_offset_secs })
    }

    /// Starts the worker of a system that has none yet, and pauses the schedule.
    pub async fn start_worker(&mut self, env: BTreeMap<String, String>) -> Result<()> {
        self.stack.worker = Some(self.stack.start_worker("worker", &env).await?);
        self.pause_planning().await
    }

    /// Stops the worker and starts another one with the settings of the stack, overridden by `env`.
    pub async fn replace_worker(&mut self, env: &BTreeMap<String, String>) -> Result<()> {
        let mut worker = self.stack.worker.take().context("the system has no worker")?;
        worker.stop().await?;
        self.stack.worker = Some(self.stack.start_worker("worker2", env).await?);
        Ok(())
    }

    /// Pauses the schedule, which the first worker creates.
    async fn pause_planning(&self) -> Result<()> {
        Ok(self.stack.temporal.pause_schedule("plan-calls").await?)
    }

    /// Seconds by which the system's clock is ahead of real time.
    pub fn clock_offset_secs(&self) -> i64 {
        self.clock_offset_secs
    }

    /// The time of the system's clock.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.clock_offset_secs)
    }

    /// The URL of a path of the webhook server.
    pub fn webhook(&self, path: &str) -> String {
        format!("{}{path}", self.stack.endpoints().webhook_url)
    }

    /// Injects faults into the simulator. `faults` is the JSON of `/sim/faults`.
    pub async fn inject_faults(&self, faults: &str) -> Result<()> {
        let url = format!("{}/sim/faults", self.stack.endpoints().simulator_url);
        let response = post(&url, faults, &[]).await?;
        anyhow::ensure!(response.status == 200, "the simulator rejects {faults}: {response:?}");
        Ok(())
    }

    /// Runs the Temporal command line and returns its JSON output.
    pub async fn temporal<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Value> {
        Ok(self.stack.temporal.cli_json(args).await?)
    }

    /// The sorted ids of the workflows that match a query. The newest ones may be missing.
    pub async fn workflows(&self, query: &str) -> Result<Vec<String>> {
        let found = self.temporal(["workflow", "list", "--query", query]).await?;
        let ids = found.as_array().into_iter().flatten();
        let ids = ids.filter_map(|found| found["execution"]["workflowId"].as_str());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        Ok(ids)
    }

    /// The calls that the simulator has accepted.
    pub async fn calls_placed(&self) -> Result<Vec<Value>> {
        let ledger = self.stack.ledger().await?;
        Ok(ledger["calls"].as_array().cloned().unwrap_or_default())
    }
}

/// Seconds by which a clock must be ahead to show this time (RFC 3339) now.
pub fn clock_offset_to(time: &str) -> i64 {
    let time: DateTime<Utc> = time.parse().expect("the time is not RFC 3339");
    (time - Utc::now()).num_seconds()
}

/// Environment variables.
pub fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Drop for TestSystem {
    /// Prints the end of each log if the test failed.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let servers = [&self.stack.simulator, &self.stack.webhook].into_iter().flatten();
        let processes = servers.map(|server| &server.process).chain(&self.stack.worker);
        for process in processes {
            let log = process.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- end of the log of {} ---\n{tail}", process.name());
        }
    }
}
