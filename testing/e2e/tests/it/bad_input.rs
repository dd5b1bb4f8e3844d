//! What is missing, garbled or gone never rings a phone, and is told to whoever can mend it.

use std::time::Duration;

use anyhow::Result;
use chrono::{SecondsFormat, TimeDelta};
use devstack::{Parts, StackOptions};
use serde_json::json;

use crate::support::{
    Conversation, Plan, Prospect, Story, User, conversation, conversations, eventually, plan, post,
    prospect_status, seconds_to, signed_post,
};

const SOON: Duration = Duration::from_secs(30);

fn at_ten_in_new_york(parts: Parts) -> StackOptions {
    StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        parts,
        ..StackOptions::default()
    }
}

const WITHOUT_WEBHOOK: Parts = Parts { simulator: true, webhook: false, worker: true };

#[tokio::test]
async fn who_cannot_be_called_is_passed_over_with_the_reason_and_others_are_called() -> Result<()> {
    let parts = Parts { simulator: false, webhook: false, worker: true };
    let story = Story::start(at_ten_in_new_york(parts)).await?;
    let users = [
        User { has_settings: false, ..User::new("bare") },
        User { time_zone: "Mars/Olympus_Mons".to_owned(), ..User::new("lost") },
        User { end_at: "2025-02-25 09:00:00".to_owned(), ..User::new("shut") },
        User { minutes: 0, ..User::new("poor") },
        User::new("sound"),
    ];
    for user in &users {
        user.insert(&story.database).await?;
        let prospect = format!("p-{}", user.id);
        Prospect::new(prospect)
            .of_user(&user.id)
            .phone_ending(212, 20)
            .insert(&story.database)
            .await?;
    }
    let garbled = Prospect { phone: "(212) 555-0121".to_owned(), ..Prospect::new("p-garbled") };
    garbled.of_user("sound").insert(&story.database).await?;

    // From in an hour on, so that nobody is dialled meanwhile.
    let done = plan(&story, Plan::at(story.now() + TimeDelta::hours(1))).await?;
    assert_eq!((&done["users"], &done["planned"]), (&json!(5), &json!(1)));
    let decisions: Vec<(String, Option<String>, String, String)> = sqlx::query_as(
        "select user_id, prospect_id, reason, detail from plan_decisions
        where reason is not null order by user_id, prospect_id",
    )
    .fetch_all(&story.database)
    .await?;
    let expected = [
        ("bare", None, "settings_missing", "AdvancedSetting"),
        ("lost", None, "window_invalid", "Mars/Olympus_Mons"),
        ("poor", Some("p-poor"), "no_minutes", "minutes"),
        ("shut", None, "window_invalid", "empty"),
        ("sound", Some("p-garbled"), "phone_invalid", "E.164"),
    ];
    assert_eq!(decisions.len(), expected.len(), "{decisions:?}");
    for ((user, prospect, reason, detail), expected) in decisions.iter().zip(expected) {
        assert_eq!(
            (user.as_str(), prospect.as_deref(), reason.as_str()),
            (expected.0, expected.1, expected.2)
        );
        assert!(detail.contains(expected.3), "{detail}");
    }
    let planned = conversations(&story.database).await?;
    let planned: Vec<&str> = planned.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(planned, ["p-sound-1"]);
    Ok(())
}

/// The conversation once it is no longer open.
async fn settled(story: &Story, id: &str) -> Conversation {
    eventually(SOON, &format!("{id} is settled"), async || {
        let call = conversation(&story.database, id).await?;
        let open = ["SCHEDULED", "DIALING", "IN_PROGRESS"].contains(&call.status.as_str());
        Ok(Some(call).filter(|_| !open))
    })
    .await
}

#[tokio::test]
async fn a_script_with_an_unknown_placeholder_is_never_read_out() -> Result<()> {
    let story = Story::start(at_ten_in_new_york(WITHOUT_WEBHOOK)).await?;
    let initial_script = "Hello {firstName}, how are you?".to_owned();
    User { initial_script, ..User::default() }.insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 20).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;

    let call = settled(&story, "p1-id-1").await;
    assert_eq!(call.summary(), ("CANCELLED", None, Some("denied")));
    let notes = call.notes.unwrap_or_default();
    assert!(notes.contains("{firstName}") && notes.contains("{prospectName}"), "{notes}");
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "INITIAL");
    assert!(story.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_number_that_the_provider_refuses_fails_in_the_words_of_the_provider() -> Result<()> {
    let story = Story::start(at_ten_in_new_york(WITHOUT_WEBHOOK)).await?;
    User::new("user1-id").insert(&story.database).await?;
    Prospect::new("p1-id").phone_ending(212, 70).insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;

    let call = settled(&story, "p1-id-1").await;
    assert_eq!(call.summary(), ("FAILED", Some("FAILED"), Some("rejected_by_provider")));
    let notes = call.notes.unwrap_or_default();
    assert!(notes.contains("can't be dialled"), "{notes}");
    assert_eq!(prospect_status(&story.database, "p1-id").await?, "FAILED");
    let minutes: i32 = sqlx::query_scalar(r#"SELECT minutesLeft FROM "Subscription""#)
        .fetch_one(&story.database)
        .await?;
    assert_eq!(minutes, 600);
    assert!(story.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_prospect_that_is_deleted_while_its_call_sleeps_is_not_called() -> Result<()> {
    let story = Story::start(at_ten_in_new_york(WITHOUT_WEBHOOK)).await?;
    User::new("user1-id").insert(&story.database).await?;
    let due = (story.now() + TimeDelta::seconds(4)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let prospect = Prospect::new("p1-id").phone_ending(212, 20).callback_at(due);
    prospect.insert(&story.database).await?;
    plan(&story, Plan::at(story.now())).await?;
    let deleted = sqlx::query(r#"DELETE FROM "Prospect" WHERE id = 'p1-id'"#);
    deleted.execute(&story.database).await?;

    let call = settled(&story, "p1-id-1").await;
    assert_eq!(call.summary(), ("CANCELLED", None, Some("denied")));
    assert_eq!(call.notes.as_deref(), Some("The prospect no longer exists."));
    assert!(story.calls_placed().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_cannot_be_taken_is_answered_with_what_is_wrong() -> Result<()> {
    let parts = Parts { simulator: false, webhook: true, worker: false };
    let limit = [("MAX_BODY_BYTES".to_owned(), "4096".to_owned())];
    let options = StackOptions { webhook_env: limit.into(), ..at_ten_in_new_york(parts) };
    let story = Story::start(options).await?;
    let url = story.webhook("/webhooks/outcome");
    let sound = r#"{"eventType": "call.failed", "conversationId": "nobody-1"}"#;

    let unsigned = post(&url, sound, &[]).await?;
    assert_eq!(
        (unsigned.status, unsigned.content_type.as_str()),
        (401, "application/problem+json")
    );
    let stamp = chrono::Utc::now().to_rfc3339();
    let forged = [
        ("X-Ultravox-Webhook-Timestamp", stamp.as_str()),
        ("X-Ultravox-Webhook-Signature", &"0".repeat(64)),
    ];
    assert_eq!(post(&url, sound, &forged).await?.status, 401);

    for (body, wrong) in [
        (r#"{"eventType": "#, "JSON"),
        (r#"["call.failed"]"#, "object"),
        (r#"{"eventType": "call.failed"}"#, "conversationId"),
        (r#"{"eventType": "call.sang", "conversationId": "nobody-1"}"#, "eventType"),
        (
            r#"{"eventType": "call.completed", "conversationId": "nobody-1", "outcome": {"type": "APPOINTMENT_SET"}}"#,
            "outcome.appointmentTime",
        ),
    ] {
        let answer = signed_post(&url, body).await?;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (400, "application/problem+json")
        );
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(wrong), "{body}: {detail}");
        assert_eq!(answer.body["status"], 400);
    }
    let long = json!({"eventType": "call.completed", "conversationId": "nobody-1", "transcript": "x".repeat(5_000)});
    assert_eq!(signed_post(&url, &long.to_string()).await?.status, 413);
    // It is genuine; that nobody waits for it is not the sender's fault.
    assert_eq!(signed_post(&url, sound).await?.status, 202);
    Ok(())
}
