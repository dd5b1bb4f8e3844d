//! The stack on which the histories are recorded.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::{Stack, StackOptions, sign, workspace};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::step;

/// The stack's time at the start: all prospects may be called.
const START: &str = "2025-02-25T15:00:00Z";

/// Simulated seconds per second in calls: phones ring long enough to cancel a ringing call.
const SPEED: f64 = 5.0;

/// More than the longest case needs: a dial whose answer was lost and which the provider does not have.
const CASE_TIMEOUT: Duration = Duration::from_secs(240);

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Minutes planned by one plan run.
pub const PLAN_MINUTES: i64 = 30;

pub struct System {
    pub stack: Stack,
    pub database: PgPool,
    /// The time for which all plan runs plan: a user that one of them has planned is not planned by another one.
    pub plan_time: DateTime<Utc>,
    clock_offset_secs: i64,
}

/// Status, outcome and reason of a conversation.
pub type CallRow = (String, Option<String>, Option<String>);

impl System {
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let start: DateTime<Utc> = START.parse()?;
        let clock_offset_secs = (start - Utc::now()).num_seconds();
        let worker_env = [
            ("MAX_CONCURRENT_CALLS", "1000"),
            ("ULTRAVOX_CALLS_PER_MINUTE", "100000"),
            ("RING_TIMEOUT", "20"),
            ("NEVER_PLACED_AFTER_SECS", "5"),
        ];
        let simulator_args = ["--max-concurrent", "1000", "--retry-base-secs", "1"];
        let options = StackOptions {
            dir: Some(dir.to_owned()),
            speed: SPEED,
            clock_offset_secs,
            worker_env: worker_env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            simulator_args: simulator_args.map(str::to_owned).into(),
            progress: step::progress,
            ..StackOptions::default()
        };
        let stack = Stack::start(options).await?;
        let database = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(&stack.endpoints().database_url)
            .context("could not connect to the database")?;
        let plan_time = Utc::now() + TimeDelta::seconds(clock_offset_secs);
        let system = Self { stack, database, plan_time, clock_offset_secs };
        for schedule in ["plan-calls", "sweep-calls"] {
            let pause = ["schedule", "toggle", "--schedule-id", schedule, "--pause"];
            system.temporal(pause.into_iter().chain(["--reason", "only recorded runs"])).await?;
        }
        Ok(system)
    }

    /// The stack's time.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.clock_offset_secs)
    }

    /// Runs the Temporal command line.
    pub async fn temporal<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<String> {
        Ok(self.stack.temporal.cli(args).await?)
    }

    /// Runs the Temporal command line and parses the JSON that it prints.
    pub async fn query_temporal<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<Value> {
        let printed = self.temporal(args.into_iter().chain(["--output", "json"])).await?;
        serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))
    }

    pub async fn start_workflow(
        &self,
        workflow_type: &str,
        workflow_id: &str,
        input: &Value,
    ) -> anyhow::Result<()> {
        let input = input.to_string();
        let start = ["workflow", "start", "--task-queue", "calls", "--type", workflow_type];
        self.temporal(start.into_iter().chain(["--workflow-id", workflow_id, "--input", &input]))
            .await?;
        Ok(())
    }

    /// Waits for the end of a workflow and returns its result.
    pub async fn workflow_result(&self, workflow_id: &str) -> anyhow::Result<Value> {
        let ended =
            self.query_temporal(["workflow", "result", "--workflow-id", workflow_id]).await?;
        let result = ended.get("result").cloned();
        result.with_context(|| format!("{workflow_id} has no result: {ended}"))
    }

    /// Starts a plan run for `plan_time`.
    pub async fn start_plan_run(&self, workflow_id: &str, batch_size: u32) -> anyhow::Result<()> {
        let input = json!({
            "batchSize": batch_size,
            "intervalMinutes": PLAN_MINUTES,
            "clockOffset": self.clock_offset_secs,
            "from": self.plan_time.to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        self.start_workflow("PlanCalls", workflow_id, &input).await
    }

    pub async fn is_closed(&self, workflow_id: &str) -> anyhow::Result<bool> {
        let describe = ["workflow", "describe", "--workflow-id", workflow_id];
        let described = self.query_temporal(describe).await?;
        let status = described.pointer("/workflowExecutionInfo/status").and_then(Value::as_str);
        Ok(status.is_some_and(|status| status != "WORKFLOW_EXECUTION_STATUS_RUNNING"))
    }

    /// The state of a call, as its query `progress` returns it.
    pub async fn call_state(&self, workflow_id: &str) -> anyhow::Result<String> {
        let query = ["workflow", "query", "--type", "progress", "--workflow-id", workflow_id];
        let progress = self.query_temporal(query).await?;
        let state = progress.pointer("/queryResult/0/state").and_then(Value::as_str);
        state.map(str::to_owned).with_context(|| format!("no state in {progress}"))
    }

    pub async fn wait_for_state(&self, workflow_id: &str, state: &str) -> anyhow::Result<()> {
        let mut last = String::new();
        let waited = wait_until(async || {
            last = self.call_state(workflow_id).await?;
            Ok(last == state || last == "recorded")
        });
        waited.await.with_context(|| format!("{workflow_id} is not {state} but {last:?}"))?;
        ensure!(last == state, "{workflow_id} is recorded and was not seen {state}");
        Ok(())
    }

    /// Sends an update to a call.
    pub async fn update(
        &self,
        workflow_id: &str,
        name: &str,
        input: Option<DateTime<Utc>>,
    ) -> anyhow::Result<()> {
        let input = input.map(|time| json!(time).to_string());
        let update = ["workflow", "update", "execute", "--workflow-id", workflow_id];
        let input = input.iter().flat_map(|input| ["--input", input.as_str()]);
        self.temporal(update.into_iter().chain(["--name", name]).chain(input)).await?;
        Ok(())
    }

    pub async fn read_call(&self, conversation: &str) -> anyhow::Result<CallRow> {
        let statement =
            "select status::text, outcome::text, reason from conversations where id = $1";
        let row = sqlx::query_as(statement).bind(conversation).fetch_optional(&self.database);
        row.await?.with_context(|| format!("there is no conversation {conversation}"))
    }

    /// Sets faults of the provider, as JSON.
    pub async fn inject_faults(&self, faults: &str) -> anyhow::Result<()> {
        self.post(&self.faults_url(), &[], faults).await
    }

    /// Whether every injected fault of a dial request has occurred.
    pub async fn faults_are_used_up(&self) -> anyhow::Result<bool> {
        let (_, body) = devstack::get(&self.faults_url()).await?;
        let faults: Value = serde_json::from_str(&body)?;
        Ok(faults["create_call"].as_array().is_some_and(Vec::is_empty))
    }

    /// Sends a user webhook.
    pub async fn send_user_webhook(&self, body: &Value) -> anyhow::Result<()> {
        let body = body.to_string();
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let signature = sign::webhook_signature(WEBHOOK_SECRET, body.as_bytes(), time.as_bytes());
        let headers = [
            ("X-Ultravox-Webhook-Timestamp", time.as_str()),
            ("X-Ultravox-Webhook-Signature", signature.as_str()),
        ];
        let url = format!("{}/webhooks/outcome", self.stack.endpoints().webhook_url);
        self.post(&url, &headers, &body).await
    }

    /// Replays all workflows with this build and writes their histories to a folder.
    pub async fn export_histories(&self, dir: &Path) -> anyhow::Result<()> {
        let endpoints = self.stack.endpoints();
        let args = ["replay", "--query", r#"TaskQueue="calls""#, "--export"].map(OsStr::new);
        let output = tokio::process::Command::new(workspace::bin_dir()?.join("worker"))
            .args(args.into_iter().chain([dir.as_os_str()]))
            .env("TEMPORAL_ADDRESS", &endpoints.temporal_address)
            .env("TEMPORAL_NAMESPACE", &endpoints.temporal_namespace)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("could not run `worker replay`")?;
        let printed = [output.stdout, output.stderr].concat();
        ensure!(
            output.status.success(),
            "`worker replay` failed: {}",
            String::from_utf8_lossy(&printed).trim()
        );
        Ok(())
    }

    fn faults_url(&self) -> String {
        format!("{}/sim/faults", self.stack.endpoints().simulator_url)
    }

    async fn post(&self, url: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<()> {
        let (status, answer) = devstack::post(url, headers, body).await?;
        ensure!((200..300).contains(&status), "{url} answered {status}: {answer}");
        Ok(())
    }
}

/// Waits until a check returns true. An error of the check counts as "not yet".
pub async fn wait_until(
    mut check: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + CASE_TIMEOUT;
    loop {
        let checked = check().await;
        if matches!(checked, Ok(true)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let secs = CASE_TIMEOUT.as_secs();
            match checked {
                Err(error) => return Err(error.context(format!("given up after {secs} s"))),
                Ok(_) => bail!("given up after {secs} s"),
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
