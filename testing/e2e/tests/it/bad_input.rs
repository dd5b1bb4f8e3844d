//! Missing and invalid data: no phone rings, and the reason is recorded or reported.

use anyhow::Result;
use chrono::{SecondsFormat, TimeDelta};
use devstack::{Parts, StackOptions};
use serde_json::json;

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, post, post_signed, read_conversations,
    read_prospect_status, run_plan, wait_until_recorded,
};

/// 10:00 in New York.
fn options(parts: Parts) -> StackOptions {
    StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        parts,
        ..StackOptions::default()
    }
}

const WITHOUT_WEBHOOK: Parts = Parts { simulator: true, webhook: false, worker: true };

#[tokio::test]
async fn uncallable_prospects_are_skipped_with_a_reason_and_others_are_planned() -> Result<()> {
    let parts = Parts { simulator: false, webhook: false, worker: true };
    let system = TestSystem::start(options(parts)).await?;
    let users = [
        User { has_settings: false, ..User::new("without-settings") },
        User { time_zone: "Mars/Olympus_Mons".to_owned(), ..User::new("invalid-zone") },
        User { end_at: "2025-02-25 09:00:00".to_owned(), ..User::new("empty-window") },
        User { minutes: 0, ..User::new("no-minutes") },
        User::new("valid"),
    ];
    // Area codes of New York, so that the numbers differ.
    for (user, area) in users.iter().zip([212, 332, 646, 917, 929]) {
        user.insert(&system.database).await?;
        let prospect = format!("p-{}", user.id);
        Prospect::new(prospect)
            .of_user(&user.id)
            .phone_ending(area, 20)
            .insert(&system.database)
            .await?;
    }
    let invalid = Prospect { phone: "(212) 555-0121".to_owned(), ..Prospect::new("p-invalid") };
    invalid.of_user("valid").insert(&system.database).await?;

    // The slots are in an hour, so that no call is made during the test.
    let result = run_plan(&system, Plan::at(system.now() + TimeDelta::hours(1))).await?;
    assert_eq!((&result["users"], &result["planned"]), (&json!(5), &json!(1)));
    let decisions: Vec<(String, Option<String>, String, String)> = sqlx::query_as(
        "select user_id, prospect_id, reason, detail from plan_decisions
        where reason is not null order by user_id, prospect_id",
    )
    .fetch_all(&system.database)
    .await?;
    let expected = [
        ("empty-window", None, "window_invalid", "empty"),
        ("invalid-zone", None, "window_invalid", "Mars/Olympus_Mons"),
        ("no-minutes", Some("p-no-minutes"), "no_minutes", "minutes"),
        ("valid", Some("p-invalid"), "phone_invalid", "E.164"),
        ("without-settings", None, "settings_missing", "AdvancedSetting"),
    ];
    assert_eq!(decisions.len(), expected.len(), "{decisions:?}");
    for ((user, prospect, reason, detail), expected) in decisions.iter().zip(expected) {
        assert_eq!(
            (user.as_str(), prospect.as_deref(), reason.as_str()),
            (expected.0, expected.1, expected.2)
        );
        assert!(detail.contains(expected.3), "{detail}");
    }
    let planned = read_conversations(&system.database).await?;
    let planned: Vec<&str> = planned.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(planned, ["p-valid-1"]);
    Ok(())
}

#[tokio::test]
async fn planned_call_is_denied_if_its_script_gets_an_unknown_placeholder() -> Result<()> {
    let system = TestSystem::start(options(WITHOUT_WEBHOOK)).await?;
    User::default().insert(&system.database).await?;
    let due = (system.now() + TimeDelta::seconds(4)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let prospect = Prospect::new("p1-id").phone_ending(212, 20).callback_at(due);
    prospect.insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    let changed = "update script_settings set initial = 'Hello {firstName}, how are you?'";
    sqlx::query(changed).execute(&system.database).await?;

    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("CANCELLED", None, Some("denied")));
    let notes = call.notes.unwrap_or_default();
    assert!(notes.contains("{firstName}") && notes.contains("{prospectName}"), "{notes}");
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "RESCHEDULED");
    assert!(system.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn call_rejected_by_the_provider_fails_with_the_providers_message() -> Result<()> {
    let system = TestSystem::start(options(WITHOUT_WEBHOOK)).await?;
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 70).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;

    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("FAILED", Some("FAILED"), Some("rejected_by_provider")));
    let notes = call.notes.unwrap_or_default();
    assert!(notes.contains("can't be dialled"), "{notes}");
    assert_eq!(read_prospect_status(&system.database, "p1-id").await?, "FAILED");
    let minutes: i32 = sqlx::query_scalar(r#"SELECT minutesLeft FROM "Subscription""#)
        .fetch_one(&system.database)
        .await?;
    assert_eq!(minutes, 600);
    assert!(system.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn prospect_deleted_before_its_slot_is_not_called() -> Result<()> {
    let system = TestSystem::start(options(WITHOUT_WEBHOOK)).await?;
    User::new("user1-id").insert(&system.database).await?;
    let due = (system.now() + TimeDelta::seconds(4)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let prospect = Prospect::new("p1-id").phone_ending(212, 20).callback_at(due);
    prospect.insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    let deleted = sqlx::query(r#"DELETE FROM "Prospect" WHERE id = 'p1-id'"#);
    deleted.execute(&system.database).await?;

    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("CANCELLED", None, Some("denied")));
    assert_eq!(call.notes.as_deref(), Some("The prospect no longer exists."));
    assert!(system.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn invalid_webhook_is_rejected_with_the_invalid_field() -> Result<()> {
    let parts = Parts { simulator: false, webhook: true, worker: false };
    let webhook_env = env(&[("MAX_BODY_BYTES", "4096")]);
    let options = StackOptions { webhook_env, ..options(parts) };
    let system = TestSystem::start(options).await?;
    let url = system.webhook("/webhooks/outcome");
    let valid = r#"{"eventType": "call.failed", "conversationId": "unknown-1"}"#;

    let unsigned = post(&url, valid, &[]).await?;
    assert_eq!(
        (unsigned.status, unsigned.content_type.as_str()),
        (401, "application/problem+json")
    );
    let stamp = chrono::Utc::now().to_rfc3339();
    let invalid = [
        ("X-Ultravox-Webhook-Timestamp", stamp.as_str()),
        ("X-Ultravox-Webhook-Signature", &"0".repeat(64)),
    ];
    assert_eq!(post(&url, valid, &invalid).await?.status, 401);

    for (body, field) in [
        (r#"{"eventType": "#, "JSON"),
        (r#"["call.failed"]"#, "object"),
        (r#"{"eventType": "call.failed"}"#, "conversationId"),
        (r#"{"eventType": "call.unknown", "conversationId": "unknown-1"}"#, "eventType"),
        (
            r#"{"eventType": "call.completed", "conversationId": "unknown-1", "outcome": {"type": "APPOINTMENT_SET"}}"#,
            "outcome.appointmentTime",
        ),
    ] {
        let response = post_signed(&url, body).await?;
        assert_eq!(
            (response.status, response.content_type.as_str()),
            (400, "application/problem+json")
        );
        let detail = response.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field), "{body}: {detail}");
        assert_eq!(response.body["status"], 400);
    }
    let long = json!({"eventType": "call.completed", "conversationId": "unknown-1", "transcript": "x".repeat(5_000)});
    assert_eq!(post_signed(&url, &long.to_string()).await?.status, 413);
    // Authenticated and valid, but no workflow of the call is running.
    assert_eq!(post_signed(&url, valid).await?.status, 202);
    Ok(())
}
