//! The day of the examples: two prospects at two in the afternoon UTC, settled by two plain webhooks.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use devstack::{StackOptions, TempDir, workspace};

use crate::support::{
    Plan, Story, conversation, conversations, eventually, plan, prospect_status, seconds_to,
    signed_post,
};

/// The statements with which clients have always filled the tables, word for word.
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

const SOON: Duration = Duration::from_secs(30);
/// Longer than a phone rings.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shortly before two. The provider tells nothing of the two numbers, so that the webhooks decide.
async fn shortly_before_two() -> Result<(Story, TempDir)> {
    let scratch = workspace::temp_dir()?;
    let scenarios = scratch.path().join("scenarios.json");
    std::fs::write(&scenarios, r#"{"+1234567890": "silent"}"#)?;
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T13:59:52Z"),
        simulator_args: vec!["--scenarios".to_owned(), scenarios.display().to_string()],
        ..StackOptions::default()
    })
    .await?;
    sqlx::raw_sql(ROWS).execute(&story.database).await?;
    plan(&story, Plan::at(at("14:00:00"))).await?;
    Ok((story, scratch))
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2025-02-25T{time}Z").parse().unwrap()
}

#[tokio::test]
async fn a_new_prospect_is_called_at_once_and_a_promised_one_at_its_time() -> Result<()> {
    let (story, _scratch) = shortly_before_two().await?;
    let planned = conversations(&story.database).await?;
    let slots: Vec<_> = planned.iter().map(|call| (call.id.as_str(), call.slot)).collect();
    assert_eq!(slots, [("p1-id-1", at("14:00:00")), ("p2-id-1", at("14:15:00"))]);

    let call = eventually(SOON, "the phone of the first rings", async || {
        Ok(story.calls_placed().await?.into_iter().find(|call| call["rang"] == true))
    })
    .await;
    assert_eq!(call["number"], "+1234567890");
    assert!(call["created"].as_str().unwrap().parse::<DateTime<Utc>>()? >= at("14:00:00"));
    Ok(())
}

#[tokio::test]
async fn a_completed_call_books_the_prospect_and_is_charged_once() -> Result<()> {
    let (story, _scratch) = shortly_before_two().await?;
    eventually(SOON, "the phone of the first rings", async || {
        Ok(story.calls_placed().await?.into_iter().find(|call| call["rang"] == true))
    })
    .await;

    assert_eq!(signed_post(&story.webhook("/webhooks/outcome"), BOOKED).await?.status, 204);
    // Whether its workflow has ended by now or not, it has been taken.
    let again = signed_post(&story.webhook("/webhooks/outcome"), BOOKED).await?.status;
    assert!([202, 204].contains(&again), "{again}");

    let call = eventually(SOON, "the first call is settled", async || {
        let call = conversation(&story.database, "p1-id-1").await?;
        Ok(Some(call).filter(|call| call.status == "COMPLETED"))
    })
    .await;
    assert_eq!(call.outcome.as_deref(), Some("APPOINTMENT_SET"));
    assert_eq!(call.transcript.as_deref(), Some("Booked!"));
    booked_and_charged_once(&story).await?;

    // And once more, when the phone has fallen silent as well and its workflow has ended.
    eventually(PATIENCE, "the workflow of the call has ended", async || {
        let ended = r#"WorkflowId="call/p1-id-1" AND ExecutionStatus="Completed""#;
        Ok((!story.workflows(ended).await?.is_empty()).then_some(()))
    })
    .await;
    assert_eq!(signed_post(&story.webhook("/webhooks/outcome"), BOOKED).await?.status, 202);
    eventually(SOON, "the late event has been looked at", async || {
        let late = r#"WorkflowType="LateEvent" AND ExecutionStatus="Completed""#;
        Ok((!story.workflows(late).await?.is_empty()).then_some(()))
    })
    .await;
    booked_and_charged_once(&story).await
}

/// Checks that there is one appointment and that four minutes were charged.
async fn booked_and_charged_once(story: &Story) -> Result<()> {
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "BOOKED");
    let appointments: Vec<(String, String, DateTime<Utc>)> =
        sqlx::query_as(r#"SELECT prospectId, conversationId, appointmentTime FROM "Appointment""#)
            .fetch_all(&story.database)
            .await?;
    let agreed = "2025-02-26T15:00:00Z".parse()?;
    assert_eq!(appointments, [("p1-id".to_owned(), "p1-id-1".to_owned(), agreed)]);
    let minutes: i32 = sqlx::query_scalar(r#"SELECT minutesLeft FROM "Subscription""#)
        .fetch_one(&story.database)
        .await?;
    assert_eq!(minutes, 596);
    Ok(())
}

#[tokio::test]
async fn a_call_that_failed_before_its_time_is_settled_and_never_rings() -> Result<()> {
    let (story, _scratch) = shortly_before_two().await?;
    assert_eq!(signed_post(&story.webhook("/webhooks/outcome"), UNREACHABLE).await?.status, 204);
    let call = eventually(SOON, "the second call is settled", async || {
        let call = conversation(&story.database, "p2-id-1").await?;
        Ok(Some(call).filter(|call| call.status == "FAILED"))
    })
    .await;
    assert_eq!(call.summary(), ("FAILED", Some("FAILED"), Some("reported_failure")));
    assert_eq!(call.notes.as_deref(), Some("Unreachable"));
    assert_eq!(prospect_status(&story.database, "p2-id").await?, "FAILED");
    let calls = story.calls_placed().await?;
    assert!(calls.iter().all(|call| call["number"] != "+12125550198"), "{calls:?}");
    Ok(())
}
