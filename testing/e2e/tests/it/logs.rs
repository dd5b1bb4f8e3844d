//! The log files of the processes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::development::{FROM_NUMBER, ULTRAVOX_API_KEY, WEBHOOK_SECRET};
use devstack::{StackOptions, workspace};
use serde_json::{Map, Value};

use crate::support::{
    Plan, Prospect, TestSystem, User, clock_offset_to, env, post, post_signed, run_plan,
    wait_until_all_recorded,
};

const RECORD_TIMEOUT: Duration = Duration::from_secs(60);

/// Parses each line of a log as a JSON object.
fn read_lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let read = |line| serde_json::from_str(line).with_context(|| format!("not an object: {line}"));
    text.lines().map(read).collect()
}

/// Runs calls with different outcomes, rejected requests and a worker that can't start, with logs in one folder.
async fn run_logged_calls(log_dir: &Path) -> Result<TestSystem> {
    let log_dir = env(&[("LOG_DIR", &log_dir.display().to_string())]);
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 60.0,
        worker_env: log_dir.clone(),
        webhook_env: log_dir,
        ..StackOptions::default()
    })
    .await?;
    User::new("user1-id").insert(&system.database).await?;
    for (id, ending) in [("p1-id", 20), ("p2-id", 70), ("p3-id", 10)] {
        Prospect::new(id).phone_ending(212, ending).insert(&system.database).await?;
    }
    run_plan(&system, Plan::at(system.now()).for_minutes(1)).await?;
    let webhook = system.webhook("/webhooks/outcome");
    let body = r#"{"eventType": "call.failed", "conversationId": "unknown-1"}"#;
    assert_eq!(post(&webhook, body, &[]).await?.status, 401);
    assert_eq!(post_signed(&webhook, body).await?.status, 202);
    wait_until_all_recorded(&system, RECORD_TIMEOUT).await;
    let database_url = &system.stack.endpoints().database_url;
    let missing_database = database_url.replace("postgres@", "postgres:hunter2@") + "_missing";
    let missing_database = env(&[("DATABASE_URL", &missing_database)]);
    let failed = system.stack.start_worker("failing", &missing_database).await;
    assert!(failed.is_err());
    Ok(system)
}

#[tokio::test]
async fn log_files_are_flat_json_without_private_data() -> Result<()> {
    let temp_dir = workspace::temp_dir()?;
    let system = run_logged_calls(temp_dir.path()).await?;

    let combined = read_lines(&temp_dir.path().join("combined.log"))?;
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
    // From both processes.
    for message in ["Worker started", "Webhook server started", "Recorded call"] {
        assert!(combined.iter().any(|line| line["message"] == message), "{message}");
    }

    let errors = read_lines(&temp_dir.path().join("error.log"))?;
    let names_setting =
        |error: &Map<String, Value>| error["message"].to_string().contains("DATABASE_URL");
    assert!(errors.iter().any(names_setting), "{errors:?}");
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
    drop(system);
    Ok(())
}
