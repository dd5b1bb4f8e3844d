//! Checks of Temporal and of the schedules.

use std::time::Duration;

use chrono::{DateTime, Utc};
use temporalio_client::Client;
use temporalio_client::tonic::{Code, IntoRequest as _, Status};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeScheduleResponse, DescribeTaskQueueRequest,
    GetSystemInfoRequest, SignalWorkflowExecutionRequest,
};
use workflows::ids::TASK_QUEUE;

use super::groups::Groups;
use super::{Finding, Part, Report};
use crate::schedule::{self, Settings};
use crate::search_attributes;

/// The shortest retention of a namespace in which an operator can look at the calls of the day before.
const MIN_RETENTION: Duration = Duration::from_secs(24 * 3600);
/// A schedule that has not acted for so many intervals is late.
const LATE_INTERVALS: i64 = 2;

pub(super) async fn check(groups: &Groups) -> Vec<Finding> {
    let mut report = Report::new(Part::Temporal);
    let client = match bootstrap::temporal::connect().await {
        Ok(client) => client,
        Err(error) => {
            report.fail(format!("{error:#}"));
            return report.findings;
        }
    };
    let namespace = client.options().namespace.clone();
    let checked = check_server(&client, &namespace, &mut report).await;
    let has_worker = match checked {
        Ok(has_worker) => has_worker,
        Err(status) => {
            report.fail(explain(&status, &namespace));
            return report.findings;
        }
    };
    let mut findings = report.findings;
    findings.extend(check_schedules(groups, &client, has_worker).await);
    findings
}

/// Checks server and namespace. Returns whether a worker is running.
async fn check_server(
    client: &Client,
    namespace: &str,
    report: &mut Report,
) -> Result<bool, Status> {
    let mut service = client.connection().workflow_service();
    let info = service.get_system_info(GetSystemInfoRequest {}.into_request()).await?.into_inner();
    let request =
        DescribeNamespaceRequest { namespace: namespace.to_owned(), ..Default::default() };
    let found = service.describe_namespace(request.into_request()).await?.into_inner();
    let retention = found.config.and_then(|config| config.workflow_execution_retention_ttl);
    let retention = retention.and_then(|time| Duration::try_from(time).ok()).unwrap_or_default();
    let hours = retention.as_secs() / 3600;
    if retention < MIN_RETENTION {
        report.warn(format!(
            "the namespace {namespace} keeps closed calls for {hours} hours only; raise it with \
            `temporal operator namespace update --namespace {namespace} --retention 30d`"
        ));
    }
    let differences = search_attributes::compare(client, namespace).await?;
    differences.wrong.into_iter().for_each(|problem| report.fail(problem));
    if !differences.missing.is_empty() {
        let mut names: Vec<_> = differences.missing.into_keys().collect();
        names.sort();
        report.warn(format!(
            "the namespace {namespace} lacks the search attributes {}; a worker adds them when it \
            starts, if it may",
            names.join(", ")
        ));
    }
    check_rights(client, namespace).await?;
    let has_worker = has_pollers(client, namespace).await?;
    if !has_worker {
        report.warn(format!(
            "no worker takes tasks of the task queue {TASK_QUEUE} in the namespace {namespace}: no \
            call is made; start a worker"
        ));
    }
    if report.findings.is_empty() {
        report.ok(format!(
            "Temporal {}, namespace {namespace}, closed calls are kept for {hours} hours",
            info.server_version
        ));
    }
    Ok(has_worker)
}

/// A signal to a workflow that does not exist needs the right to write, and changes nothing.
async fn check_rights(client: &Client, namespace: &str) -> Result<(), Status> {
    let request = SignalWorkflowExecutionRequest {
        namespace: namespace.to_owned(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: "doctor".to_owned(),
            ..Default::default()
        }),
        signal_name: "doctor".to_owned(),
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    match service.signal_workflow_execution(request.into_request()).await {
        Err(status) if status.code() != Code::NotFound => Err(status),
        _ => Ok(()),
    }
}

async fn has_pollers(client: &Client, namespace: &str) -> Result<bool, Status> {
    let request = DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(TaskQueue { name: TASK_QUEUE.to_owned(), ..Default::default() }),
        task_queue_type: TaskQueueType::Workflow.into(),
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let found = service.describe_task_queue(request.into_request()).await?.into_inner();
    Ok(!found.pollers.is_empty())
}

async fn check_schedules(groups: &Groups, client: &Client, has_worker: bool) -> Vec<Finding> {
    let mut report = Report::new(Part::Schedules);
    let Some(config) = &groups.schedule else {
        return report.skip("BATCH_SIZE, SCHEDULE_INTERVAL and CLOCK_OFFSET_SECS");
    };
    let wanted = match schedule::wanted(config) {
        Ok(wanted) => wanted,
        Err(error) => {
            report.fail(format!("{error:#}"));
            return report.findings;
        }
    };
    for (id, settings) in wanted {
        match schedule::describe(client, id).await {
            Ok(found) => check_schedule(id, &settings, &found, Utc::now(), &mut report),
            Err(status) if status.code() == Code::NotFound && has_worker => report.fail(format!(
                "the schedule {id} does not exist; restart a worker, which creates it"
            )),
            Err(status) if status.code() == Code::NotFound => {
                report.warn(format!(
                    "the schedule {id} does not exist; a worker creates it at start"
                ));
            }
            Err(status) => report.fail(format!("reading the schedule {id}: {}", status.message())),
        }
    }
    report.findings
}

fn check_schedule(
    id: &str,
    wanted: &Settings,
    found: &DescribeScheduleResponse,
    now: DateTime<Utc>,
    report: &mut Report,
) {
    let before = report.findings.len();
    let schedule = found.schedule.clone().unwrap_or_default();
    let state = schedule.state.clone().unwrap_or_default();
    if state.paused {
        let why =
            if state.notes.is_empty() { String::new() } else { format!(" ({})", state.notes) };
        report.warn(format!(
            "the schedule {id} is paused{why}; resume it with `temporal schedule toggle --unpause \
            --schedule-id {id}`"
        ));
    }
    let settings = schedule::read_settings(&schedule);
    if settings != *wanted {
        report.warn(format!(
            "the schedule {id} has other settings than this environment: {}; the next worker that \
            starts sets its own",
            settings.differences(wanted).join(", ")
        ));
    }
    let info = found.info.clone().unwrap_or_default();
    let last = info.recent_actions.last();
    let acted = last.and_then(|action| action.actual_time);
    // A new or changed schedule has not acted yet.
    let since = [acted, info.create_time, info.update_time].into_iter().flatten();
    let since = since.filter_map(|time| DateTime::from_timestamp(time.seconds, 0)).max();
    if let Some(since) = since
        && !state.paused
        && (now - since).num_seconds() > LATE_INTERVALS * settings.interval_secs.max(60)
    {
        report.fail(format!(
            "the schedule {id} has started nothing since {}; look at its runs in the Temporal UI: the \
            last one may hang",
            since.format("%F %T UTC")
        ));
    }
    if report.findings.len() == before {
        let every = settings.interval_secs / 60;
        let last = acted.and_then(|time| DateTime::from_timestamp(time.seconds, 0));
        let last = last.map_or("not yet run".to_owned(), |time| {
            format!("last run at {}", time.format("%F %T UTC"))
        });
        report.ok(format!("{id}: every {every} minutes, {last}"));
    }
}

fn explain(status: &Status, namespace: &str) -> String {
    let advice = match status.code() {
        Code::NotFound => format!(
            "correct TEMPORAL_NAMESPACE, or create it with `temporal operator namespace create \
            --namespace {namespace}`"
        ),
        Code::PermissionDenied | Code::Unauthenticated => {
            "the key or certificate needs the right to read and write in the namespace".to_owned()
        }
        _ => "look at the server's log".to_owned(),
    };
    format!("namespace {namespace}: {}; {advice}", status.message())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use temporalio_common::protos::temporal::api::schedule::v1::{
        IntervalSpec, Schedule, ScheduleActionResult, ScheduleInfo, ScheduleSpec,
    };

    use super::super::Level;
    use super::*;

    #[test]
    fn schedule_that_starts_nothing_for_two_intervals_is_an_error() {
        let now: DateTime<Utc> = "2026-11-27T12:00:00Z".parse().unwrap();
        for (minutes, level) in [(10, Level::Ok), (59, Level::Ok), (61, Level::Error)] {
            let acted = now - TimeDelta::minutes(minutes);
            let interval = Some(Duration::from_secs(1800).try_into().unwrap());
            let spec = ScheduleSpec {
                interval: vec![IntervalSpec { interval, phase: None }],
                ..Default::default()
            };
            let action = ScheduleActionResult {
                actual_time: Some(std::time::SystemTime::from(acted).into()),
                ..Default::default()
            };
            let found = DescribeScheduleResponse {
                schedule: Some(Schedule { spec: Some(spec), ..Default::default() }),
                info: Some(ScheduleInfo { recent_actions: vec![action], ..Default::default() }),
                ..Default::default()
            };
            let wanted = Settings { interval_secs: 1800, input: serde_json::Value::Null };
            let mut report = Report::new(Part::Schedules);
            check_schedule("plan-calls", &wanted, &found, now, &mut report);
            assert_eq!(report.findings[0].level, level, "{minutes} minutes: {report:?}");
        }
    }
}
