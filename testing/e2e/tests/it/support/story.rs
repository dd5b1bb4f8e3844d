//! A running system for one story.

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use devstack::{Postgres, Stack, StackOptions};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The system and its database.
pub struct Story {
    /// The processes.
    pub stack: Stack,
    /// The tables.
    pub database: PgPool,
    clock_offset_secs: i64,
}

impl Story {
    /// Starts a system with a database of its own. Its schedule is paused, so that only the story
    /// plans.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let story = Self::start_with_schedule(options).await?;
        if story.stack.worker.is_some() {
            story.plan_only_when_told().await?;
        }
        Ok(story)
    }

    /// Pauses the schedule, which a worker has made.
    pub async fn plan_only_when_told(&self) -> Result<()> {
        let pause = ["schedule", "toggle", "--schedule-id", "plan-calls", "--pause"];
        self.stack.temporal.cli(pause.into_iter().chain(["--reason", "a test"])).await?;
        Ok(())
    }

    /// The same with the schedule running.
    pub async fn start_with_schedule(options: StackOptions) -> Result<Self> {
        let clock_offset_secs = options.clock_offset_secs;
        let database_url = Postgres::shared().await?.create_unique_database("e2e").await?;
        let database = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy(&database_url)
            .context("reading the address of the database")?;
        let options = StackOptions { database_url: Some(database_url), ..options };
        Ok(Self { stack: Stack::start(options).await?, database, clock_offset_secs })
    }

    /// How far the clock inside is ahead of the real one.
    pub fn clock_offset_secs(&self) -> i64 {
        self.clock_offset_secs
    }

    /// The moment that it is inside.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.clock_offset_secs)
    }

    /// The address of the webhook server, with a path.
    pub fn webhook(&self, path: &str) -> String {
        format!("{}{path}", self.stack.endpoints().webhook_url)
    }

    /// What the Temporal command line answers, as JSON.
    pub async fn temporal<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Value> {
        let args = args.into_iter().chain(["--output", "json"]);
        let printed = self.stack.temporal.cli(args).await?;
        serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))
    }

    /// The ids of the workflows that a query finds; the newest ones may still be missing.
    pub async fn workflows(&self, query: &str) -> Result<Vec<String>> {
        let found = self.temporal(["workflow", "list", "--query", query]).await?;
        let ids = found.as_array().into_iter().flatten();
        let ids = ids.filter_map(|found| found["execution"]["workflowId"].as_str());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        Ok(ids)
    }

    /// The calls that the simulator has taken, whose phones rang or were about to.
    pub async fn calls_placed(&self) -> Result<Vec<Value>> {
        let ledger = self.stack.ledger().await?;
        Ok(ledger["calls"].as_array().cloned().unwrap_or_default())
    }
}

/// The seconds by which a clock must be moved to show that moment now.
pub fn seconds_to(moment: &str) -> i64 {
    let moment: DateTime<Utc> = moment.parse().expect("a moment is written in RFC 3339");
    (moment - Utc::now()).num_seconds()
}

impl Drop for Story {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let services = [&self.stack.simulator, &self.stack.webhook].into_iter().flatten();
        let processes = services.map(|service| &service.process).chain(&self.stack.worker);
        for process in processes {
            let log = process.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the end of the log of {} ---\n{tail}", process.name());
        }
    }
}
