//! The example day: two prospects at 14:00 UTC, whose outcomes arrive as two user webhooks v1.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use devstack::{Postgres, StackOptions, TempDir, workspace};
use sqlx::{AssertSqlSafe, PgPool};
use store::Store;
use tokio::process::Command;
use url::Url;

use crate::support::{
    Plan, TestSystem, TlsFront, clock_offset_to, env, eventually, post_signed, read_conversation,
    read_conversations, read_prospect_status, run_plan,
};

/// The statements with which users fill the tables, unchanged.
const ROWS: &str = r#"
INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt) VALUES ('user1-id', 'User1', 'user1@example.com', 'clerk1', NOW(), NOW());
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p1-id', 'Prospect1', '+1234567890', 'user1-id', 'INITIAL', NULL, NULL);
INSERT INTO "Setting" (id, userId, theme) VALUES ('setting1-id', 'user1-id', 'LIGHT');
INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt) VALUES ('adv1-id', 'setting1-id', 'America/New_York', '2025-02-25 09:00:00', '2025-02-25 17:00:00');
INSERT INTO "ScriptSetting" (id, settingId, initial, followUp) VALUES ('script1-id', 'setting1-id', 'Hello...', 'Hi, calling back...');
INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage) VALUES ('agent1-id', 'setting1-id', 'en', 'female', 'Hi {prospectName}');
INSERT INTO "Plan" (id, name, price, minutes, duration, perDay) VALUES ('plan1-id', 'Basic', 10.0, 600, 30, 10);
INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status) VALUES ('sub1-id', 'user1-id', 'plan1-id', 600, 'ACTIVE');
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p2-id', 'Prospect2', '+12125550198', 'user1-id', 'RESCHEDULED', NULL, '2025-02-25 14:15:00+00');
"#;

const BOOKED: &str = r#"{"eventType":"call.completed","conversationId":"p1-id-1","duration":240,"transcript":"Booked!","outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2025-02-26T15:00:00Z"}}"#;
const UNREACHABLE: &str =
    r#"{"eventType":"call.failed","conversationId":"p2-id-1","failureReason":"Unreachable"}"#;

const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than a phone rings.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Starts shortly before 14:00 and plans. The simulator reports nothing about the first number, so that the webhooks
/// decide.
async fn start_before_two() -> Result<(TestSystem, TempDir)> {
    start_on(None).await
}

/// Starts on a database, or on a new one.
async fn start_on(database_url: Option<String>) -> Result<(TestSystem, TempDir)> {
    let temp_dir = workspace::temp_dir()?;
    let scenarios = temp_dir.path().join("scenarios.json");
    std::fs::write(&scenarios, r#"{"+1234567890": "silent"}"#)?;
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T13:59:52Z"),
        simulator_args: vec!["--scenarios".to_owned(), scenarios.display().to_string()],
        worker_env: env(&[("RING_TIMEOUT", "16")]),
        database_url,
        ..StackOptions::default()
    })
    .await?;
    sqlx::raw_sql(ROWS).execute(&system.database).await?;
    run_plan(&system, Plan::at(at("14:00:00"))).await?;
    Ok((system, temp_dir))
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2025-02-25T{time}Z").parse().unwrap()
}

#[tokio::test]
async fn new_prospect_is_called_at_once_and_callback_at_its_time() -> Result<()> {
    let (system, _temp_dir) = start_before_two().await?;
    // Later than 14:00 only if the start of the stack took until then.
    let at_once = at("14:00:00")..=system.now().max(at("14:00:00"));
    let planned = read_conversations(&system.database).await?;
    let ids: Vec<_> = planned.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["p1-id-1", "p2-id-1"]);
    assert!(at_once.contains(&planned[0].slot), "{}", planned[0].slot);
    assert_eq!(planned[1].slot, at("14:15:00"));

    let call = eventually(STEP_TIMEOUT, "the first phone rings", async || {
        Ok(system.calls_placed().await?.into_iter().find(|call| call["rang"] == true))
    })
    .await;
    assert_eq!(call["number"], "+1234567890");
    assert!(call["created"].as_str().unwrap().parse::<DateTime<Utc>>()? >= at("14:00:00"));
    Ok(())
}

#[tokio::test]
async fn completed_call_books_the_prospect_and_is_charged_once() -> Result<()> {
    let (system, _temp_dir) = start_before_two().await?;
    check_completed_call(&system).await
}

#[tokio::test]
async fn database_that_takes_only_tls_is_used_with_a_checked_certificate() -> Result<()> {
    let temp_dir = workspace::temp_dir()?;
    let plain = Postgres::shared().await?.create_unique_database("e2e").await?;
    let front = TlsFront::start(&plain, temp_dir.path()).await?;
    for parameters in ["sslmode=disable", "sslmode=verify-full", "sslrootcert=system"] {
        let url = front.url(&plain, parameters)?.parse()?;
        assert!(Store::connect(&url, 4).await.is_err(), "{parameters}");
    }
    for parameters in ["", "sslmode=require", "sslmode=verify-ca&sslrootcert=CERT"] {
        let url = front.url(&plain, parameters)?.parse()?;
        Store::connect(&url, 4).await.with_context(|| parameters)?;
    }
    let url = front.url(&plain, "sslmode=verify-full&sslrootcert=CERT")?;
    let (system, _temp_dir) = start_on(Some(url)).await?;
    check_completed_call(&system).await
}

#[tokio::test]
async fn worker_whose_role_may_only_write_rows_makes_calls() -> Result<()> {
    let owner = Postgres::shared().await?.create_unique_database("e2e").await?;
    let mut url = Url::parse(&owner)?;
    let role = format!("{}_worker", url.path().trim_start_matches('/'));
    let database = PgPool::connect(&owner).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("create role {role} login"))).execute(&database).await?;
    url.set_username(&role).ok().context("the URL takes a user")?;

    // Before the migrations the worker can't start, and says what to do.
    let worker = workspace::bin_dir()?.join("worker");
    let run = async |url: &str, args: &[&str]| {
        let mut command = Command::new(&worker);
        command.env_clear().env("DATABASE_URL", url).args(args);
        let output = command.output().await?;
        let text = [output.stdout, output.stderr].concat();
        anyhow::Ok((output.status.success(), String::from_utf8(text)?))
    };
    let (done, text) = run(url.as_str(), &["migrate"]).await?;
    assert!(!done && text.contains("permission denied") && text.contains("owner"), "{text}");
    let (done, text) = run(&owner, &["migrate", "--grant-to", "nobody"]).await?;
    assert!(!done && text.contains("nobody"), "{text}");
    for word in ["migrations were applied before", "can read and write"] {
        let (done, text) = run(&owner, &["migrate", "--grant-to", &role]).await?;
        assert!(done && text.contains(word), "{text}");
    }

    let (system, _temp_dir) = start_on(Some(url.into())).await?;
    let create = sqlx::query("create table other (id int)").execute(&system.database).await;
    assert!(create.unwrap_err().to_string().contains("permission denied"));
    check_completed_call(&system).await
}

/// Completes the first call, also late and repeatedly, and checks its records.
async fn check_completed_call(system: &TestSystem) -> Result<()> {
    eventually(STEP_TIMEOUT, "the first phone rings", async || {
        Ok(system.calls_placed().await?.into_iter().find(|call| call["rang"] == true))
    })
    .await;

    assert_eq!(post_signed(&system.webhook("/webhooks/outcome"), BOOKED).await?.status, 204);
    // 202 if the workflow has closed meanwhile.
    let again = post_signed(&system.webhook("/webhooks/outcome"), BOOKED).await?.status;
    assert!([202, 204].contains(&again), "{again}");

    let call = eventually(STEP_TIMEOUT, "the first call is recorded", async || {
        let call = read_conversation(&system.database, "p1-id-1").await?;
        Ok(Some(call).filter(|call| call.status == "COMPLETED"))
    })
    .await;
    assert_eq!(call.outcome.as_deref(), Some("APPOINTMENT_SET"));
    assert_eq!(call.transcript.as_deref(), Some("Booked!"));
    check_booked_and_charged_once(system).await?;

    // Once more, in other words, after the workflow has closed.
    eventually(CALL_TIMEOUT, "the workflow of the call has closed", async || {
        let closed = r#"WorkflowId="call/p1-id-1" AND ExecutionStatus="Completed""#;
        Ok((!system.workflows(closed).await?.is_empty()).then_some(()))
    })
    .await;
    let late = BOOKED.replace("Booked!", "Booked again!");
    assert_eq!(post_signed(&system.webhook("/webhooks/outcome"), &late).await?.status, 202);
    eventually(STEP_TIMEOUT, "the late event is handled", async || {
        let late = r#"WorkflowType="LateEvent" AND ExecutionStatus="Completed""#;
        Ok((!system.workflows(late).await?.is_empty()).then_some(()))
    })
    .await;
    check_booked_and_charged_once(system).await
}

/// Checks that there is one appointment and that four minutes were charged.
async fn check_booked_and_charged_once(system: &TestSystem) -> Result<()> {
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "BOOKED");
    let appointments: Vec<(String, String, DateTime<Utc>)> =
        sqlx::query_as(r#"SELECT prospectId, conversationId, appointmentTime FROM "Appointment""#)
            .fetch_all(&system.database)
            .await?;
    let expected = "2025-02-26T15:00:00Z".parse()?;
    assert_eq!(appointments, [("p1-id".to_owned(), "p1-id-1".to_owned(), expected)]);
    // The talk is charged once the dial is over, too.
    let charged = "the dial is over and four minutes are charged";
    eventually(CALL_TIMEOUT, charged, async || {
        let minutes: i32 = sqlx::query_scalar(r#"SELECT minutesLeft FROM "Subscription""#)
            .fetch_one(&system.database)
            .await?;
        Ok((minutes == 596).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn call_reported_as_failed_before_its_slot_is_recorded_and_not_made() -> Result<()> {
    let (system, _temp_dir) = start_before_two().await?;
    assert_eq!(post_signed(&system.webhook("/webhooks/outcome"), UNREACHABLE).await?.status, 204);
    let call = eventually(STEP_TIMEOUT, "the second call is recorded", async || {
        let call = read_conversation(&system.database, "p2-id-1").await?;
        Ok(Some(call).filter(|call| call.status == "FAILED"))
    })
    .await;
    assert_eq!(call.summary(), ("FAILED", Some("FAILED"), Some("reported_failure")));
    assert_eq!(call.notes.as_deref(), Some("Unreachable"));
    assert_eq!(read_prospect_status(&system.database, "p2-id").await?, "FAILED");
    let calls = system.calls_placed().await?;
    assert!(calls.iter().all(|call| call["number"] != "+12125550198"), "{calls:?}");
    Ok(())
}
