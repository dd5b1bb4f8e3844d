//! The schedule of plan runs, kept equal to the configuration.

use std::time::Duration;

use anyhow::{Context as _, Result};
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::Code;
use tracing::info;
use workflows::PlanCalls;
use workflows::ids::{PLAN_SCHEDULE, TASK_QUEUE};
use workflows::plan_calls::{PlanInput, PlanSummary};

use crate::config::Config;

/// Creates the schedule or brings it up to the configuration. One that is paused stays paused.
pub(crate) async fn keep_equal(client: &Client, config: &Config) -> Result<()> {
    let interval = Duration::from_secs(u64::from(config.schedule_interval) * 60);
    let created = client
        .create_schedule(
            PLAN_SCHEDULE,
            CreateScheduleOptions::builder()
                .action(action(config))
                .spec(ScheduleSpec::from_interval(interval))
                .overlap_policy(ScheduleOverlapPolicy::Skip)
                .build(),
        )
        .await;
    match created {
        Ok(_) => {}
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => {}
        Err(error) => return Err(error).context("creating the schedule plan-calls"),
    }
    let action = action(config);
    client
        .get_schedule_handle(PLAN_SCHEDULE)
        .update(
            move |schedule| {
                schedule
                    .set_action(action)
                    .set_spec(ScheduleSpec::from_interval(interval))
                    .set_overlap_policy(ScheduleOverlapPolicy::Skip)
                    // A run that is missed by more is of no use: the next one plans the same.
                    .set_catchup_window(interval);
            },
            Default::default(),
        )
        .await
        .context("updating the schedule plan-calls")?;
    info!(
        intervalMinutes = config.schedule_interval,
        batchSize = config.batch_size,
        "Schedule is up to date"
    );
    Ok(())
}

fn action(config: &Config) -> ScheduleAction {
    let input = PlanInput {
        batch_size: config.batch_size,
        interval_minutes: config.schedule_interval,
        clock_offset: config.clock_offset(),
        from: None,
        so_far: PlanSummary::default(),
    };
    ScheduleAction::start_workflow(PlanCalls::run, input, TASK_QUEUE, PLAN_SCHEDULE)
}
