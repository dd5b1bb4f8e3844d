//! The responses to the agent's tool `report_outcome`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::agent_token;
use serde_json::{Value, json};

use crate::support::{
    DIAL, RawConnection, Reply, TestSystem, count_signals, eventually, post_request, webhook_only,
    webhook_only_with_own_temporal,
};

const LATE_EVENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Reports for a dial. Returns the response and its JSON.
async fn send_report(system: &TestSystem, dial: &str, arguments: Value) -> Result<(Reply, Value)> {
    let authorization = format!("Bearer {}", agent_token(WEBHOOK_SECRET, dial));
    let mut connection = RawConnection::open(&system.webhook("")).await?;
    let headers = [("authorization", authorization.as_str())];
    let reply = connection
        .exchange(post_request("/tools/report_outcome", &headers, &arguments.to_string()))
        .await?;
    let body = serde_json::from_str(&reply.body).with_context(|| reply.body.clone())?;
    Ok((reply, body))
}

fn in_days(days: i64) -> String {
    (Utc::now() + TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[tokio::test]
async fn report_is_answered_with_the_next_step() -> Result<()> {
    let system = webhook_only(&[]).await?;
    for (arguments, advice) in [
        (
            json!({"outcome": "APPOINTMENT_SET", "time": in_days(-1)}),
            "in the past. Ask for another",
        ),
        (json!({"outcome": "APPOINTMENT_SET", "time": in_days(3_650)}), "more than a year away"),
        (json!({"outcome": "CALLBACK_REQUESTED"}), "Ask for it"),
        (json!({"outcome": "SOLD"}), "Use one of APPOINTMENT_SET"),
    ] {
        let (reply, body) = send_report(&system, DIAL, arguments).await?;
        assert_eq!((reply.status, &body["accepted"]), (200, &json!(false)), "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(advice)), "{body}");
        assert_eq!(reply.headers["x-ultravox-agent-reaction"], "speaks");
    }
    assert_eq!(count_signals(&system).await?, 0);

    let booking = json!({"outcome": "APPOINTMENT_SET", "time": in_days(2)});
    let (first, body) = send_report(&system, DIAL, booking).await?;
    assert_eq!((first.status, &body["accepted"]), (200, &json!(true)));
    assert_eq!(body["message"], "Recorded. Say goodbye and use hangUp.");
    assert_eq!(first.headers["x-ultravox-agent-reaction"], "speaks-once");
    // The provider stores the call state of the response and sends it with the next report.
    let state: Value = serde_json::from_str(&first.headers["x-ultravox-update-call-state"])?;
    let second = json!({"outcome": "NOT_INTERESTED", "callState": state});
    let (_, body) = send_report(&system, DIAL, second).await?;
    let message = body["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Your earlier report APPOINTMENT_SET for"), "{message}");
    assert_eq!(body["accepted"], true);
    assert_eq!(count_signals(&system).await?, 2);
    Ok(())
}

#[tokio::test]
async fn report_without_a_running_workflow_makes_the_agent_hang_up() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let (reply, body) =
        send_report(&system, "gone-id-1.1", json!({"outcome": "NOT_INTERESTED"})).await?;
    assert_eq!((reply.status, &body["accepted"]), (200, &json!(true)));
    assert_eq!(reply.headers["x-ultravox-response-type"], "hang-up");
    let late = eventually(LATE_EVENT_TIMEOUT, "the report is stored", async || {
        let found = system.workflows(r#"WorkflowType="LateEvent""#).await?;
        Ok(Some(found).filter(|found| !found.is_empty()))
    })
    .await;
    assert!(late[0].starts_with("late-event/gone-id-1/"), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn report_while_temporal_hangs_is_answered_with_a_retry() -> Result<()> {
    let mut system = webhook_only_with_own_temporal(&[]).await?;
    system.stack.temporal.process()?.pause();
    let (reply, body) = send_report(&system, DIAL, json!({"outcome": "NOT_INTERESTED"})).await?;
    assert_eq!((reply.status, body.get("accepted")), (200, None));
    assert!(body["message"].as_str().is_some_and(|text| text.contains("once more")), "{body}");
    system.stack.temporal.process()?.resume();
    Ok(())
}
