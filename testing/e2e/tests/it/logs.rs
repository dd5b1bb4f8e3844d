//! What the processes tell about themselves in files.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::development::{FROM_NUMBER, ULTRAVOX_API_KEY, WEBHOOK_SECRET};
use devstack::{StackOptions, workspace};
use serde_json::{Map, Value};

use crate::support::{
    Plan, Prospect, Story, User, eventually, open_calls, plan, post, seconds_to, signed_post,
};

const SOON: Duration = Duration::from_secs(60);

/// Every line of a log as a JSON object.
fn lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let read = |line| serde_json::from_str(line).with_context(|| format!("no object: {line}"));
    text.lines().map(read).collect()
}

/// A day with a talk, a refused number, requests that are not genuine and a worker that can't start,
/// all logged in one folder.
async fn an_eventful_day(log_dir: &Path) -> Result<Story> {
    let log_dir = [("LOG_DIR".to_owned(), log_dir.display().to_string())];
    let story = Story::start(StackOptions {
        clock_offset_secs: seconds_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: log_dir.clone().into(),
        webhook_env: log_dir.into(),
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&story.database).await?;
    for (id, ending) in [("p1-id", 20), ("p2-id", 70), ("p3-id", 10)] {
        Prospect::new(id).phone_ending(212, ending).insert(&story.database).await?;
    }
    // The run is late: every slot has come.
    let from = story.now() - chrono::TimeDelta::seconds(50);
    plan(&story, Plan::at(from).for_minutes(1)).await?;
    let webhook = story.webhook("/webhooks/outcome");
    let body = r#"{"eventType": "call.failed", "conversationId": "nobody-1"}"#;
    assert_eq!(post(&webhook, body, &[]).await?.status, 401);
    assert_eq!(signed_post(&webhook, body).await?.status, 202);
    eventually(SOON, "every call is settled", async || {
        Ok((open_calls(&story).await? == 0).then_some(()))
    })
    .await;
    let nowhere =
        story.stack.endpoints().database_url.replace("postgres@", "postgres:hunter2@") + "_not";
    let nowhere = [("DATABASE_URL".to_owned(), nowhere)];
    let failed = story.stack.start_worker("failing", &nowhere.into()).await;
    assert!(failed.is_err());
    Ok(story)
}

#[tokio::test]
async fn log_files_are_flat_json_without_anything_private() -> Result<()> {
    let scratch = workspace::temp_dir()?;
    let story = an_eventful_day(scratch.path()).await?;

    let combined = lines(&scratch.path().join("combined.log"))?;
    for line in &combined {
        for field in ["level", "message", "timestamp"] {
            assert!(line.get(field).is_some_and(Value::is_string), "{line:?}");
        }
        let flat = line.values().all(|value| !value.is_object() && !value.is_array());
        assert!(flat, "{line:?}");
    }
    let scheduled: Vec<_> =
        combined.iter().filter(|line| line["message"] == "Scheduled call").collect();
    assert_eq!(scheduled.len(), 3);
    for (line, prospect) in scheduled.iter().zip(["p1-id", "p2-id", "p3-id"]) {
        assert_eq!((&line["userId"], &line["prospectId"]), (&"user1-id".into(), &prospect.into()));
        let time = line["scheduledTime"].as_str().unwrap();
        assert!(time.starts_with("2025-02-25T") && time.ends_with(".000Z"), "{time}");
    }
    // Of both processes.
    for message in ["Worker started", "Webhook server started", "Recorded call"] {
        assert!(combined.iter().any(|line| line["message"] == message), "{message}");
    }

    let errors = lines(&scratch.path().join("error.log"))?;
    let said = |error: &Map<String, Value>| error["message"].to_string().contains("DATABASE_URL");
    assert!(errors.iter().any(said), "{errors:?}");
    assert!(errors.iter().all(|line| line["level"] == "error"), "{errors:?}");
    for error in &errors {
        let same = |line: &&Map<String, Value>| line["message"] == error["message"];
        assert!(combined.iter().find(same).is_some_and(|line| line["level"] == "error"));
    }

    let text = serde_json::to_string(&combined)?;
    let names = ["Name of", "User of", "Hello?"];
    let secrets = [WEBHOOK_SECRET, ULTRAVOX_API_KEY, "hunter2"];
    for private in names.into_iter().chain(secrets).chain([FROM_NUMBER, "+1212", "12125550"]) {
        assert!(!text.contains(private), "{private} is in the log");
    }
    drop(story);
    Ok(())
}
