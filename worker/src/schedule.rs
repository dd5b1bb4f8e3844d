//! The schedules of plan runs and of sweeps, kept equal to the configuration.

use std::time::Duration;

use anyhow::{Context as _, Result};
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::Code;
use tracing::info;
use workflows::ids::{PLAN_SCHEDULE, SWEEP_SCHEDULE, TASK_QUEUE};
use workflows::plan_calls::{PlanInput, PlanSummary};
use workflows::sweep_calls::SweepCallsInput;
use workflows::{PlanCalls, SweepCalls};

use crate::config::Config;

/// Seconds from one sweep to the next.
const SWEEP_INTERVAL: Duration = Duration::from_secs(300);
/// Calls looked at in one sweep.
const SWEEP_LIMIT: u32 = 500;

/// Creates the schedules or brings them up to the configuration. One that is paused stays paused.
pub(crate) async fn keep_equal(client: &Client, config: &Config) -> Result<()> {
    let interval = Duration::from_secs(u64::from(config.schedule_interval) * 60);
    keep(client, PLAN_SCHEDULE, planning(config), interval).await?;
    let input = SweepCallsInput { limit: SWEEP_LIMIT };
    let sweeping =
        ScheduleAction::start_workflow(SweepCalls::run, input, TASK_QUEUE, SWEEP_SCHEDULE);
    keep(client, SWEEP_SCHEDULE, sweeping, SWEEP_INTERVAL).await?;
    info!(
        intervalMinutes = config.schedule_interval,
        batchSize = config.batch_size,
        "Schedules are up to date"
    );
    Ok(())
}

async fn keep(
    client: &Client,
    id: &'static str,
    action: ScheduleAction,
    interval: Duration,
) -> Result<()> {
    let created = client
        .create_schedule(
            id,
            CreateScheduleOptions::builder()
                .action(action.clone())
                .spec(ScheduleSpec::from_interval(interval))
                .overlap_policy(ScheduleOverlapPolicy::Skip)
                .build(),
        )
        .await;
    match created {
        Ok(_) => {}
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("creating the schedule {id}")),
    }
    client
        .get_schedule_handle(id)
        .update(
            move |schedule| {
                schedule
                    .set_action(action)
                    .set_spec(ScheduleSpec::from_interval(interval))
                    .set_overlap_policy(ScheduleOverlapPolicy::Skip)
                    // A run that is missed by more is of no use: the next one does the same.
                    .set_catchup_window(interval);
            },
            Default::default(),
        )
        .await
        .with_context(|| format!("updating the schedule {id}"))
}

fn planning(config: &Config) -> ScheduleAction {
    let input = PlanInput {
        batch_size: config.batch_size,
        interval_minutes: config.schedule_interval,
        clock_offset: config.clock_offset(),
        from: None,
        so_far: PlanSummary::default(),
        promises_after: None,
    };
    ScheduleAction::start_workflow(PlanCalls::run, input, TASK_QUEUE, PLAN_SCHEDULE)
}
