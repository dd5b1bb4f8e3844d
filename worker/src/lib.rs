//! The process that hosts workflows and activities.

pub mod config;
pub mod explain;
pub mod import;
mod schedule;
mod search_attributes;
mod suppressions;
pub mod tools;

use std::time::Duration;

use activities::clock::Clock;
use activities::ultravox::Ultravox;
use activities::{Calls, Planning};
use anyhow::{Context as _, Result, anyhow};
use secrecy::ExposeSecret as _;
use store::Store;
use temporalio_sdk::runtime::{PollerBehavior, Runtime, RuntimeOptions};
use temporalio_sdk::{Worker, WorkerOptions};
use tracing::{info, warn};
use workflows::ids::TASK_QUEUE;
use workflows::{Call, LateEvent, PlanCalls, SweepCalls};

use config::Config;

/// How long activities may go on once the process is told to stop.
const GRACE: Duration = Duration::from_secs(30);
/// Polls for workflow tasks at once: a plan run starts many workflows in one go.
const WORKFLOW_POLLS: usize = 20;

/// Makes everything ready and works until it is told to stop.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<()> {
    config.check()?;
    let secrets = config.secrets.watch().await?;
    if secrets.borrow().is_empty() {
        warn!("WEBHOOK_SECRETS is empty: anybody can forge the outcome of a call");
    }
    if config.clock_offset_secs != 0 {
        warn!(offsetSecs = config.clock_offset_secs, "The clock is moved: this is a rehearsal");
    }
    let store = Store::connect(config.database_url.expose_secret())
        .await
        .context("connecting to PostgreSQL at DATABASE_URL")?;
    store.migrate().await.context("applying the migrations")?;
    let ultravox = Ultravox::new(config.ultravox_api_url.clone(), config.ultravox_api_key.clone())?;

    let telnyx = config.telnyx()?;

    let client = bootstrap::temporal::connect().await?;
    let namespace = client.options().namespace.clone();
    search_attributes::register(&client, &namespace).await?;

    let clock = Clock::new(config.clock_offset());
    let calls = Calls::new(store.clone(), ultravox, telnyx, config.calls(secrets), clock);
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<PlanCalls>()?
        .register_workflow::<Call>()?
        .register_workflow::<LateEvent>()?
        .register_workflow::<SweepCalls>()?
        .register_activities(Planning::new(store.clone(), config.plans.settings()))
        .register_activities(calls)
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(WORKFLOW_POLLS))
        .graceful_shutdown_period(GRACE)
        .build();
    let options_of_runtime = RuntimeOptions::builder().build().map_err(|error| anyhow!(error))?;
    let runtime = Runtime::from_current_tokio(options_of_runtime)?;
    let mut worker = Worker::new(&runtime, client.clone(), options)
        .map_err(|error| anyhow!("starting the worker: {error}"))?;
    schedule::sync_schedules(&client, &config).await?;
    info!(namespace, taskQueue = TASK_QUEUE, "Worker started");

    let watching = tokio::spawn(suppressions::watch(store, client));
    let halt = worker.shutdown_handle();
    let stopped = async {
        stop.await;
        info!("Worker is stopping: it finishes what it has begun");
        halt();
        std::future::pending::<()>().await
    };
    tokio::select! {
        worked = worker.run() => worked.map_err(|error| anyhow!("working: {error}"))?,
        () = stopped => {}
    }
    watching.abort();
    info!("Worker stopped");
    Ok(())
}
