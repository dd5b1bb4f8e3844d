//! The process that hosts workflows and activities.

pub mod cli;
pub mod config;
pub mod csv_file;
pub mod doctor;
pub mod explain;
pub mod import;
mod schedule;
mod search_attributes;
pub mod suppress;
mod suppressions;
pub mod tools;

use std::time::Duration;

use activities::deadline::StopAtDeadline;
use activities::{Calls, Planning};
use anyhow::{Context as _, Result, anyhow, bail};
use temporalio_sdk::runtime::{PollerBehavior, Runtime, RuntimeOptions};
use temporalio_sdk::{Worker, WorkerOptions};
use tracing::{info, warn};
use workflows::ids::TASK_QUEUE;
use workflows::{Call, LateEvent, PlanCalls, SweepCalls};

use config::Config;
use doctor::Groups;

/// Time for activities in progress to finish after a shutdown signal.
const GRACEFUL_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// Concurrent polls for workflow tasks: a plan run starts many workflows at once.
const WORKFLOW_POLLERS: usize = 20;

/// Migrates the database, registers search attributes and schedules, and works until `shutdown` completes.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<()> {
    let secrets = config.webhook.secrets.watch().await?;
    if secrets.borrow().is_empty() {
        warn!("WEBHOOK_SECRETS is empty: anybody can forge the outcome of a call");
    }
    if let Some(problem) = config.ultravox.problem_of(&secrets.borrow()) {
        bail!(problem);
    }
    if config.schedule.clock_offset_secs != 0 {
        warn!(
            offsetSecs = config.schedule.clock_offset_secs,
            "The clock is offset from real time, for a rehearsal"
        );
    }
    let store = config.database.connect().await?;
    store.migrate().await.context("applying the migrations")?;
    doctor::log_database(&config.database, &store).await?;
    // Calls are made all the same: an account may be unlocked later.
    tokio::spawn(doctor::log_provider(Groups::from(&config)));
    let ultravox = config.ultravox.client()?;
    let telnyx = config.telnyx.client()?;

    let client = bootstrap::temporal::connect().await?;
    let namespace = client.options().namespace.clone();
    search_attributes::register(&client, &namespace).await?;

    let clock = config.schedule.clock();
    let calls = Calls::new(store.clone(), ultravox, telnyx, config.calls(secrets), clock);
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<PlanCalls>()?
        .register_workflow::<Call>()?
        .register_workflow::<LateEvent>()?
        .register_workflow::<SweepCalls>()?
        .register_activities(Planning::new(store.clone(), config.plans.settings(), clock))
        .register_activities(calls)
        .activity_inbound_interceptor(StopAtDeadline)
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(WORKFLOW_POLLERS))
        .graceful_shutdown_period(GRACEFUL_SHUTDOWN_TIMEOUT)
        .build();
    let runtime_options = RuntimeOptions::builder().build().map_err(|error| anyhow!(error))?;
    let runtime = Runtime::from_current_tokio(runtime_options)?;
    let mut worker = Worker::new(&runtime, client.clone(), options)
        .map_err(|error| anyhow!("starting the worker: {error}"))?;
    schedule::sync_schedules(&client, &config.schedule).await?;
    info!(namespace, taskQueue = TASK_QUEUE, "Worker started");

    let suppressions = tokio::spawn(suppressions::watch(store, client));
    let initiate_shutdown = worker.shutdown_handle();
    let shutdown = async {
        shutdown.await;
        info!("Worker is stopping; it finishes activities in progress");
        initiate_shutdown();
        std::future::pending::<()>().await
    };
    tokio::select! {
        result = worker.run() => result.map_err(|error| anyhow!("running the worker: {error}"))?,
        () = shutdown => {}
    }
    suppressions.abort();
    info!("Worker stopped");
    Ok(())
}
