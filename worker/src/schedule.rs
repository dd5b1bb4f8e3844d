//! The schedules of plan runs and of sweeps.

use std::time::Duration;

use anyhow::{Context as _, Result};
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::Code;
use tracing::info;
use workflows::ids::{PLAN_SCHEDULE, SWEEP_SCHEDULE, TASK_QUEUE};
use workflows::plan_calls::{PlanCallsInput, PlanPhase, PlanSummary};
use workflows::sweep_calls::SweepCallsInput;
use workflows::{PlanCalls, SweepCalls};

use crate::config::Config;

const SWEEP_INTERVAL: Duration = Duration::from_secs(300);
/// The maximum number of calls of one sweep.
const MAX_SWEPT_CALLS: u32 = 500;

/// Creates the schedules, or updates them to the settings. A paused schedule stays paused.
pub(crate) async fn sync_schedules(client: &Client, config: &Config) -> Result<()> {
    let interval = Duration::from_secs(u64::from(config.schedule_interval) * 60);
    sync(client, PLAN_SCHEDULE, plan_action(config), interval).await?;
    let input = SweepCallsInput { limit: MAX_SWEPT_CALLS };
    let sweep = ScheduleAction::start_workflow(SweepCalls::run, input, TASK_QUEUE, SWEEP_SCHEDULE);
    sync(client, SWEEP_SCHEDULE, sweep, SWEEP_INTERVAL).await?;
    info!(
        intervalMinutes = config.schedule_interval,
        batchSize = config.batch_size,
        "Schedules match the settings"
    );
    Ok(())
}

async fn sync(
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
                    // A run that is later than the next one is of no use.
                    .set_catchup_window(interval);
            },
            Default::default(),
        )
        .await
        .with_context(|| format!("updating the schedule {id}"))
}

fn plan_action(config: &Config) -> ScheduleAction {
    let input = PlanCallsInput {
        batch_size: config.batch_size,
        interval_minutes: config.schedule_interval,
        clock_offset: config.clock_offset(),
        from: None,
        so_far: PlanSummary::default(),
        phase: PlanPhase::default(),
        unstarted: Vec::new(),
        cancelled: false,
    };
    ScheduleAction::start_workflow(PlanCalls::run, input, TASK_QUEUE, PLAN_SCHEDULE)
}
