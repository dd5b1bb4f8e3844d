//! The schedules of plan runs and of sweeps.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::Value;
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::{Code, IntoRequest as _, Status};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::enums::v1::ScheduleOverlapPolicy as OverlapPolicy;
use temporalio_common::protos::temporal::api::schedule::v1::schedule_action::Action;
use temporalio_common::protos::temporal::api::schedule::v1::{
    IntervalSpec, Schedule, ScheduleSpec as Spec,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeScheduleRequest, DescribeScheduleResponse, UpdateScheduleRequest,
};
use tracing::{info, warn};
use workflows::ids::{PLAN_SCHEDULE, SWEEP_SCHEDULE, TASK_QUEUE};
use workflows::plan_calls::{PlanCallsInput, PlanPhase, PlanSummary};
use workflows::sweep_calls::SweepCallsInput;
use workflows::{PlanCalls, SweepCalls};

use crate::config::ScheduleConfig;

const SWEEP_INTERVAL: Duration = Duration::from_secs(300);
/// The maximum number of calls of one sweep.
const MAX_SWEPT_CALLS: u32 = 500;
/// How often an update is tried again after somebody else has changed the schedule meanwhile.
const MAX_CONFLICTS: usize = 10;

/// Creates the schedules, or updates them to the settings. A paused schedule stays paused.
pub(crate) async fn sync_schedules(client: &Client, config: &ScheduleConfig) -> Result<()> {
    let interval = plan_interval(config);
    let input = plan_input(config);
    let plan = ScheduleAction::start_workflow(
        PlanCalls::run,
        input.clone().into(),
        TASK_QUEUE,
        PLAN_SCHEDULE,
    );
    sync(client, PLAN_SCHEDULE, plan, &input, interval).await?;
    let input = SweepCallsInput { limit: MAX_SWEPT_CALLS };
    let sweep = ScheduleAction::start_workflow(
        SweepCalls::run,
        input.clone().into(),
        TASK_QUEUE,
        SWEEP_SCHEDULE,
    );
    sync(client, SWEEP_SCHEDULE, sweep, &input, SWEEP_INTERVAL).await?;
    info!(
        intervalMinutes = config.schedule_interval_minutes,
        batchSize = config.batch_size,
        "Schedules have the settings of this worker"
    );
    Ok(())
}

async fn sync(
    client: &Client,
    id: &'static str,
    action: ScheduleAction,
    input: &impl Serialize,
    interval: Duration,
) -> Result<()> {
    let options = CreateScheduleOptions::builder()
        .action(action)
        .spec(ScheduleSpec::from_interval(interval))
        .overlap_policy(ScheduleOverlapPolicy::Skip)
        .build();
    let is_new = match client.create_schedule(id, options).await {
        Ok(_) => true,
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => false,
        Err(error) => return Err(error).with_context(|| format!("creating the schedule {id}")),
    };
    let settings = Settings {
        interval_secs: interval.as_secs().try_into()?,
        input: serde_json::to_value(input)?,
    };
    let replaced = update(client, id, &settings)
        .await
        .with_context(|| format!("updating the schedule {id}"))?;
    if let Some(old) = replaced.filter(|old| *old != settings && !is_new) {
        warn!(
            schedule = id,
            oldIntervalSecs = old.interval_secs,
            oldInput = %old.input,
            newIntervalSecs = settings.interval_secs,
            newInput = %settings.input,
            "Schedule changed to the settings of this worker; a worker with the old settings \
            changes it back when it starts"
        );
    }
    Ok(())
}

/// What a worker's settings determine of a schedule.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    pub interval_secs: i64,
    pub input: Value,
}

impl Settings {
    /// What differs from other settings, as `batchSize 10 instead of 5`.
    pub fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.interval_secs != wanted.interval_secs {
            let (found, wanted) = (self.interval_secs, wanted.interval_secs);
            differences.push(format!("every {found} s instead of {wanted} s"));
        }
        match (&self.input, &wanted.input) {
            (Value::Object(found), Value::Object(wanted)) => {
                for (name, value) in wanted {
                    let found = found.get(name).unwrap_or(&Value::Null);
                    if found != value {
                        differences.push(format!("{name} {found} instead of {value}"));
                    }
                }
            }
            (found, wanted) if found != wanted => {
                differences.push("another input of the workflow".to_owned());
            }
            _ => {}
        }
        differences
    }
}

/// Reads a schedule with what it has done.
pub(crate) async fn describe(
    client: &Client,
    id: &str,
) -> Result<DescribeScheduleResponse, Status> {
    let namespace = client.options().namespace.clone();
    let request = DescribeScheduleRequest { namespace, schedule_id: id.to_owned() };
    let mut service = client.connection().workflow_service();
    Ok(service.describe_schedule(request.into_request()).await?.into_inner())
}

/// Updates a schedule unless it has these settings. Returns its settings before the update.
///
/// The update names the version that was read, so that a pause or another worker's update at the same time is kept or
/// seen.
async fn update(client: &Client, id: &str, settings: &Settings) -> Result<Option<Settings>> {
    let mut service = client.connection().workflow_service();
    let namespace = &client.options().namespace;
    for _ in 0..MAX_CONFLICTS {
        let found = describe(client, id).await?;
        let before = found.schedule.context("the schedule has no definition")?;
        let schedule = with_settings(before.clone(), settings)?;
        if schedule == before {
            return Ok(None);
        }
        let request = UpdateScheduleRequest {
            namespace: namespace.clone(),
            schedule_id: id.to_owned(),
            schedule: Some(schedule),
            conflict_token: found.conflict_token,
            ..UpdateScheduleRequest::default()
        };
        match service.update_schedule(request.into_request()).await {
            Ok(_) => return Ok(Some(read_settings(&before))),
            Err(status) if status.code() == Code::FailedPrecondition => {}
            Err(status) => return Err(status.into()),
        }
    }
    bail!("it is changed by others again and again")
}

fn with_settings(mut schedule: Schedule, settings: &Settings) -> Result<Schedule> {
    if read_settings(&schedule) != *settings {
        let interval = Duration::from_secs(settings.interval_secs.try_into()?).try_into().ok();
        let interval = vec![IntervalSpec { interval, phase: None }];
        schedule.spec = Some(Spec { interval, ..Spec::default() });
        let payload = payload(&mut schedule).context("the schedule starts no workflow")?;
        payload.data = serde_json::to_vec(&settings.input)?;
    }
    let policies = schedule.policies.get_or_insert_default();
    policies.overlap_policy = OverlapPolicy::Skip.into();
    // A run that is later than the next one is of no use.
    let interval = Duration::from_secs(settings.interval_secs.try_into()?);
    policies.catchup_window = interval.try_into().ok();
    Ok(schedule)
}

pub(crate) fn read_settings(schedule: &Schedule) -> Settings {
    let intervals = schedule.spec.iter().flat_map(|spec| &spec.interval);
    let interval = intervals.filter_map(|spec| spec.interval).next();
    let mut schedule = schedule.clone();
    let input =
        payload(&mut schedule).and_then(|payload| serde_json::from_slice(&payload.data).ok());
    Settings {
        interval_secs: interval.map_or(0, |interval| interval.seconds),
        input: input.unwrap_or_default(),
    }
}

/// The input of the workflow that a schedule starts.
fn payload(schedule: &mut Schedule) -> Option<&mut Payload> {
    let Action::StartWorkflow(workflow) = schedule.action.as_mut()?.action.as_mut()?;
    workflow.input.as_mut()?.payloads.first_mut()
}

/// The schedules with the settings that a worker gives them.
pub(crate) fn wanted(config: &ScheduleConfig) -> Result<[(&'static str, Settings); 2]> {
    let settings = |interval: Duration, input: Value| {
        let interval_secs = interval.as_secs().try_into()?;
        anyhow::Ok(Settings { interval_secs, input })
    };
    let plan = settings(plan_interval(config), serde_json::to_value(plan_input(config))?)?;
    let sweep = serde_json::to_value(SweepCallsInput { limit: MAX_SWEPT_CALLS })?;
    Ok([(PLAN_SCHEDULE, plan), (SWEEP_SCHEDULE, settings(SWEEP_INTERVAL, sweep)?)])
}

fn plan_interval(config: &ScheduleConfig) -> Duration {
    Duration::from_secs(u64::from(config.schedule_interval_minutes) * 60)
}

fn plan_input(config: &ScheduleConfig) -> PlanCallsInput {
    PlanCallsInput {
        batch_size: config.batch_size,
        interval_minutes: config.schedule_interval_minutes,
        clock_offset: config.clock_offset(),
        from: None,
        so_far: PlanSummary::default(),
        phase: PlanPhase::default(),
        unstarted: Vec::new(),
        cancelled: false,
    }
}
