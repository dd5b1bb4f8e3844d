//! Runs the cases of plan runs.

use anyhow::{Context, ensure};
use chrono::{SecondsFormat, TimeDelta};
use devstack::fixtures::{Prospect, User};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::system::{System, wait_until};
use super::{Recording, in_case};
use crate::step;

/// One more than the users of one page.
const USERS_OF_TWO_PAGES: u32 = 101;

/// More than there are users.
const ALL_USERS: u32 = 1_000;

/// A plan run with two pages of users. They have no settings, so they are skipped.
pub async fn run_many_pages(system: &System) -> anyhow::Result<Vec<Recording>> {
    let plan = async {
        for number in 1..=USERS_OF_TWO_PAGES {
            let user = User::new(format!("user-without-settings-{number:03}"));
            User { has_settings: false, ..user }.insert(&system.database).await?;
        }
        let (recording, result) = run(system, "many-pages", ALL_USERS).await?;
        ensure!(result["users"] == USERS_OF_TWO_PAGES, "the users are not planned: {result}");
        Ok(vec![recording])
    };
    in_case("plan-calls-many-pages", plan.await)
}

/// A plan run of the users that no other run has planned.
pub async fn run_one_page(system: &System) -> anyhow::Result<Recording> {
    let plan = async {
        let (recording, result) = run(system, "one-page", ALL_USERS).await?;
        ensure!(result["planned"] == result["users"], "not every user has a call: {result}");
        Ok(recording)
    };
    in_case("plan-calls-one-page", plan.await)
}

/// The plan runs that no call of a case needs.
pub async fn run_others(system: &System) -> anyhow::Result<Vec<Recording>> {
    let due_callbacks = in_case("plan-calls-due-callbacks", run_due_callbacks(system).await)?;
    let failed_user = in_case("plan-calls-failed-user", run_failed_user(system).await)?;
    Ok(vec![due_callbacks, failed_user])
}

/// A plan run of one user, and of the due callbacks of another one.
async fn run_due_callbacks(system: &System) -> anyhow::Result<Recording> {
    let due = system.plan_time + TimeDelta::minutes(25);
    for (number, area) in [(1, 212), (2, 646)] {
        let user = User::new(format!("user-with-callback-{number}"));
        user.insert(&system.database).await?;
        let prospect = Prospect::new(format!("prospect-with-callback-{number}"));
        let prospect = prospect.of_user(user.id).phone_ending(area, 59);
        let prospect = prospect.callback_at(due.to_rfc3339_opts(SecondsFormat::Secs, true));
        prospect.insert(&system.database).await?;
    }
    let (recording, result) = run(system, "due-callbacks", 1).await?;
    ensure!(result["users"] == 2 && result["planned"] == 2, "not both are planned: {result}");
    Ok(recording)
}

/// A plan run in which the plan of a user fails: its row is locked until then.
async fn run_failed_user(system: &System) -> anyhow::Result<Recording> {
    let user = User::new("user-that-fails");
    user.insert(&system.database).await?;
    let mut connection = system.database.acquire().await?;
    let mut lock = connection.begin().await?;
    sqlx::query("select from users where id = $1 for update")
        .bind(&user.id)
        .execute(&mut *lock)
        .await?;
    let workflow_id = workflow_id("failed-user");
    system.start_plan_run(&workflow_id, ALL_USERS).await?;
    wait_until(async || fail_plan_of_user(system, &workflow_id).await)
        .await
        .context("the plan of the user does not fail")?;
    lock.rollback().await?;
    let result = system.workflow_result(&workflow_id).await?;
    ensure!(result["failedUsers"] == json!([user.id]), "no user has failed: {result}");
    step::progress("plan-calls-failed-user is recorded");
    Ok(Recording::new("plan-calls-failed-user", workflow_id))
}

/// Fails the running activity that plans a user; returns whether there is one.
async fn fail_plan_of_user(system: &System, workflow_id: &str) -> anyhow::Result<bool> {
    let describe = ["workflow", "describe", "--workflow-id", workflow_id];
    let described = system.query_temporal(describe).await?;
    let mut pending = described["pendingActivities"].as_array().into_iter().flatten();
    let plan = pending.find(|activity| activity["activityType"]["name"] == "planning.plan_user");
    let Some(id) = plan.and_then(|activity| activity["activityId"].as_str()) else {
        return Ok(false);
    };
    let fail = ["activity", "fail", "--workflow-id", workflow_id, "--activity-id", id];
    system.temporal(fail.into_iter().chain(["--reason", "the plan of this user fails"])).await?;
    Ok(true)
}

/// Completes a plan run and returns its result.
async fn run(system: &System, case: &str, batch_size: u32) -> anyhow::Result<(Recording, Value)> {
    let workflow_id = workflow_id(case);
    system.start_plan_run(&workflow_id, batch_size).await?;
    let result = system.workflow_result(&workflow_id).await?;
    step::progress(&format!("plan-calls-{case} is recorded"));
    Ok((Recording::new(format!("plan-calls-{case}"), workflow_id), result))
}

fn workflow_id(case: &str) -> String {
    format!("plan-calls/{case}")
}
