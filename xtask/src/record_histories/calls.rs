//! Runs the cases of calls.

use anyhow::{Context, ensure};
use chrono::{SecondsFormat, TimeDelta};
use devstack::fixtures::{Prospect, User};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::call_cases::{Action, CallCase, Start};
use super::plan_runs;
use super::system::{CallRow, System, wait_until};
use super::{Recording, in_case};
use crate::step;

/// The time for which a waiting call waits; within the minutes of one plan run.
const WAITING_TIME: TimeDelta = TimeDelta::minutes(20);

/// The delay of a rescheduled call.
const RESCHEDULE_DELAY: TimeDelta = TimeDelta::seconds(5);

/// Gives a failed call a number with which it succeeds: the callee is not interested.
const CORRECT_PHONE: &str = "update prospects set phone = '+13325550129' where id = $1";

impl CallCase {
    /// The file without `.json`.
    fn file(&self) -> String {
        format!("call-{}", self.name)
    }

    fn prospect(&self) -> Prospect {
        let (area, ending) = self.phone;
        Prospect::new(self.name).of_user(self.user().id).phone_ending(area, ending)
    }

    fn user(&self) -> User {
        User::new(format!("{}-user", self.name))
    }

    fn conversation(&self) -> String {
        self.prospect().first_call_id()
    }

    fn workflow_id(&self) -> String {
        format!("call/{}", self.conversation())
    }

    fn expected_row(&self) -> CallRow {
        let (status, outcome, reason) = self.end;
        (status.to_owned(), outcome.map(str::to_owned), reason.map(str::to_owned))
    }
}

/// Starts the call by a plan run of its own, waits until its fault has occurred, and cancels it if the case says so.
pub async fn start_one(system: &System, case: &CallCase) -> anyhow::Result<()> {
    let start = async {
        insert(system, case).await?;
        if let Start::WithFault(faults) = case.start {
            system.inject_faults(faults).await?;
        }
        system.start_plan_run(&format!("plan-calls/{}", case.name), 1).await?;
        wait_until(async || system.faults_are_used_up().await)
            .await
            .context("the provider got no dial request")?;
        match case.action {
            Action::CancelWhile(state) => cancel(system, case, state).await,
            _ => Ok(()),
        }
    };
    in_case(&case.file(), start.await)
}

/// Starts calls by one plan run and returns the recording of the run.
pub async fn start_together(system: &System, cases: &[CallCase]) -> anyhow::Result<Vec<Recording>> {
    for case in cases {
        in_case(&case.file(), insert(system, case).await)?;
    }
    let recording = plan_runs::run_one_page(system).await?;
    Ok(vec![recording])
}

/// Waits until the cases that were started one by one are complete.
pub async fn finish_one_by_one(
    system: &System,
    cases: &[CallCase],
) -> anyhow::Result<Vec<Recording>> {
    let finished = try_join_all(cases.iter().map(|case| finish(system, case, vec![])));
    Ok(finished.await?.into_iter().flatten().collect())
}

/// Does what the cases need after the start and waits until they are complete.
pub async fn finish_together(
    system: &System,
    cases: &[CallCase],
) -> anyhow::Result<Vec<Recording>> {
    let finished = try_join_all(cases.iter().map(async |case| {
        let of_others = in_case(&case.file(), act(system, case).await)?;
        finish(system, case, of_others).await
    }));
    Ok(finished.await?.into_iter().flatten().collect())
}

/// Waits until the call is recorded and the workflow is closed.
async fn finish(
    system: &System,
    case: &CallCase,
    mut recordings: Vec<Recording>,
) -> anyhow::Result<Vec<Recording>> {
    let workflow_id = case.workflow_id();
    let wait = async {
        wait_for_row(system, case, &case.expected_row()).await?;
        if case.action != Action::LeaveOpen {
            wait_until(async || system.is_closed(&workflow_id).await)
                .await
                .context("the workflow does not end")?;
        }
        Ok(())
    };
    in_case(&case.file(), wait.await)?;
    step::progress(&format!("{} is recorded", case.file()));
    recordings.push(Recording::new(case.file(), workflow_id));
    Ok(recordings)
}

/// Does what the case needs after the start; returns the recordings of other workflows.
async fn act(system: &System, case: &CallCase) -> anyhow::Result<Vec<Recording>> {
    let workflow_id = case.workflow_id();
    let workflow_id = workflow_id.as_str();
    match case.action {
        Action::None | Action::LeaveOpen => {}
        Action::CancelWhile(state) => cancel(system, case, state).await?,
        Action::Reschedule | Action::RescheduleAndBook => {
            system.wait_for_state(workflow_id, "waiting").await?;
            let slot = system.now() + RESCHEDULE_DELAY;
            system.update(workflow_id, "reschedule", Some(slot)).await?;
            if case.action == Action::RescheduleAndBook {
                let book = "update prospects set status = 'BOOKED' where id = $1";
                update_prospect(system, case, book).await?;
            }
        }
        Action::CallNow => {
            system.wait_for_state(workflow_id, "waiting").await?;
            system.update(workflow_id, "call_now", None).await?;
        }
        Action::Complete => {
            system.wait_for_state(workflow_id, "talking").await?;
            system.send_user_webhook(&appointment_webhook(system, case)).await?;
        }
        Action::Fail => {
            system.wait_for_state(workflow_id, "talking").await?;
            let failed = json!({
                "eventType": "call.failed",
                "conversationId": case.conversation(),
                "failureReason": "The line is noisy.",
            });
            system.send_user_webhook(&failed).await?;
        }
        Action::CompleteLate => {
            let without_report = ("COMPLETED".to_owned(), None, Some("no_report".to_owned()));
            wait_for_row(system, case, &without_report).await?;
            wait_until(async || system.is_closed(workflow_id).await).await?;
            system.send_user_webhook(&appointment_webhook(system, case)).await?;
            let late_event = format!("late-event/{}/", case.conversation());
            return Ok(vec![Recording::new("late-event-appointment-set", late_event)]);
        }
        Action::CorrectPhoneAndReset => {
            wait_until(async || system.is_closed(workflow_id).await).await?;
            update_prospect(system, case, CORRECT_PHONE).await?;
            let reset = ["workflow", "reset", "--workflow-id", workflow_id];
            let how = ["--type", "FirstWorkflowTask", "--reason", "number corrected"];
            system.temporal(reset.into_iter().chain(how)).await?;
        }
        Action::TerminateAndSweep => {
            system.wait_for_state(workflow_id, "talking").await?;
            let terminate = ["workflow", "terminate", "--workflow-id", workflow_id];
            system.temporal(terminate.into_iter().chain(["--reason", "for the sweep"])).await?;
            return Ok(vec![sweep(system, case).await?]);
        }
    }
    Ok(vec![])
}

async fn insert(system: &System, case: &CallCase) -> anyhow::Result<()> {
    case.user().insert(&system.database).await?;
    let prospect = match case.start {
        Start::Waiting => {
            let time = system.plan_time + WAITING_TIME;
            case.prospect().callback_at(time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        Start::AtOnce | Start::WithFault(_) => case.prospect(),
    };
    Ok(prospect.insert(&system.database).await?)
}

async fn cancel(system: &System, case: &CallCase, state: &str) -> anyhow::Result<()> {
    system.wait_for_state(&case.workflow_id(), state).await?;
    system.temporal(["workflow", "cancel", "--workflow-id", &case.workflow_id()]).await?;
    Ok(())
}

async fn update_prospect(
    system: &System,
    case: &CallCase,
    statement: &'static str,
) -> anyhow::Result<()> {
    let id = case.prospect().id;
    let updated = sqlx::query(statement).bind(&id).execute(&system.database).await?;
    ensure!(updated.rows_affected() == 1, "there is no prospect {id}");
    Ok(())
}

fn appointment_webhook(system: &System, case: &CallCase) -> Value {
    let time = system.plan_time + TimeDelta::days(7);
    json!({
        "eventType": "call.completed",
        "conversationId": case.conversation(),
        "duration": 60,
        "outcome": { "type": "APPOINTMENT_SET", "appointmentTime": time },
    })
}

/// Sweeps until a sweep has ended or recorded the call; returns its recording. Once the call is hung up, the event of its
/// end records it.
async fn sweep(system: &System, case: &CallCase) -> anyhow::Result<Recording> {
    let conversation = case.conversation();
    let mut sweeps = 0;
    let mut workflow_id = String::new();
    let swept = wait_until(async || {
        // A sweep leaves calls alone that have changed within the last minute.
        let age =
            "update conversations set updated_at = updated_at - interval '5 minutes' where id = $1";
        sqlx::query(age).bind(&conversation).execute(&system.database).await?;
        sweeps += 1;
        workflow_id = format!("sweep-calls/{sweeps}");
        system.start_workflow("SweepCalls", &workflow_id, &json!({ "limit": 100 })).await?;
        let result = system.workflow_result(&workflow_id).await?;
        let swept =
            ["recorded", "ending"].iter().filter_map(|key| result[key].as_array()).flatten();
        Ok(swept.into_iter().any(|id| *id == json!(conversation)))
    });
    swept.await.context("no sweep has recorded the call")?;
    Ok(Recording::new("sweep-calls-terminated-call", workflow_id))
}

async fn wait_for_row(system: &System, case: &CallCase, expected: &CallRow) -> anyhow::Result<()> {
    let mut last = None;
    let recorded = wait_until(async || {
        let row = system.read_call(&case.conversation()).await?;
        let is_expected = row == *expected;
        last = Some(row);
        Ok(is_expected)
    });
    let recorded = recorded.await;
    recorded.with_context(|| format!("the call is not recorded as {expected:?} but {last:?}"))
}
