//! What the agent of a call is told when it reports.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{SecondsFormat, TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::agent_token;
use serde_json::{Value, json};

use crate::support::{DIAL, Reply, Story, Wire, door, events_taken, eventually, request};

/// Reports for a dial, in the state that the call had; the answer with its body.
async fn report(story: &Story, dial: &str, arguments: Value) -> Result<(Reply, Value)> {
    let authorization = format!("Bearer {}", agent_token(WEBHOOK_SECRET, dial));
    let mut wire = Wire::to(&story.webhook("")).await?;
    let headers = [("authorization", authorization.as_str())];
    let reply =
        wire.ask(request("/tools/report_outcome", &headers, &arguments.to_string())).await?;
    let body = serde_json::from_str(&reply.body).with_context(|| reply.body.clone())?;
    Ok((reply, body))
}

fn in_days(days: i64) -> String {
    (Utc::now() + TimeDelta::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[tokio::test]
async fn a_report_is_answered_with_what_to_do_next() -> Result<()> {
    let story = door(&[]).await?;
    for (arguments, advice) in [
        (
            json!({"outcome": "APPOINTMENT_SET", "time": in_days(-1)}),
            "in the past. Ask for another",
        ),
        (json!({"outcome": "APPOINTMENT_SET", "time": in_days(3_650)}), "more than a year away"),
        (json!({"outcome": "CALLBACK_REQUESTED"}), "Ask for it"),
        (json!({"outcome": "SOLD"}), "Use one of APPOINTMENT_SET"),
    ] {
        let (reply, body) = report(&story, DIAL, arguments).await?;
        assert_eq!((reply.status, &body["accepted"]), (200, &json!(false)), "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(advice)), "{body}");
        assert_eq!(reply.headers["x-ultravox-agent-reaction"], "speaks");
    }
    assert_eq!(events_taken(&story).await?, 0);

    let booking = json!({"outcome": "APPOINTMENT_SET", "time": in_days(2)});
    let (first, body) = report(&story, DIAL, booking).await?;
    assert_eq!((first.status, &body["accepted"]), (200, &json!(true)));
    assert_eq!(body["message"], "Recorded. Say goodbye and use hangUp.");
    assert_eq!(first.headers["x-ultravox-agent-reaction"], "speaks-once");
    // The provider keeps the state that we leave, and shows it with the next report.
    let state: Value = serde_json::from_str(&first.headers["x-ultravox-update-call-state"])?;
    let contrary = json!({"outcome": "NOT_INTERESTED", "callState": state});
    let (_, body) = report(&story, DIAL, contrary).await?;
    let told = body["message"].as_str().unwrap_or_default();
    assert!(told.starts_with("Your earlier report APPOINTMENT_SET for"), "{told}");
    assert_eq!(body["accepted"], true);
    assert_eq!(events_taken(&story).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_agent_whose_call_is_over_is_made_to_hang_up() -> Result<()> {
    let story = door(&[]).await?;
    let (reply, body) = report(&story, "gone-id-1.1", json!({"outcome": "NOT_INTERESTED"})).await?;
    assert_eq!((reply.status, &body["accepted"]), (200, &json!(true)));
    assert_eq!(reply.headers["x-ultravox-response-type"], "hang-up");
    let late = eventually(Duration::from_secs(20), "it is kept", async || {
        let found = story.workflows(r#"WorkflowType="LateEvent""#).await?;
        Ok(Some(found).filter(|found| !found.is_empty()))
    })
    .await;
    assert!(late[0].starts_with("late-event/gone-id-1/"), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn an_agent_is_not_left_waiting_while_temporal_is_silent() -> Result<()> {
    let mut story = door(&[]).await?;
    story.stack.temporal.process().pause();
    // Temporal is silent all the while: an answer comes all the same.
    let (reply, body) = report(&story, DIAL, json!({"outcome": "NOT_INTERESTED"})).await?;
    assert_eq!((reply.status, body.get("accepted")), (200, None));
    assert!(body["message"].as_str().is_some_and(|text| text.contains("once more")), "{body}");
    story.stack.temporal.process().resume();
    Ok(())
}
