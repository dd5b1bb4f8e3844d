//! Replays recorded histories with the present workflows.
//!
//! A history that no longer matches means that workflows of the deployed version can't continue on this version: keep
//! the old order of commands for them with `patched`. `cargo xtask record-histories` records the histories.

use std::collections::BTreeMap;
use std::path::Path;

use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{Call, LateEvent, PlanCalls, SweepCalls};

fn replayer() -> WorkflowReplayer {
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<Call>()
        .and_then(|options| options.register_workflow::<PlanCalls>())
        .and_then(|options| options.register_workflow::<LateEvent>())
        .and_then(|options| options.register_workflow::<SweepCalls>())
        .unwrap();
    WorkflowReplayer::new(options.build()).unwrap()
}

/// The recorded histories as JSON, by case.
fn recorded_histories() -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let histories = paths.map(|path| {
        let case = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
        let case = case.unwrap_or_else(|| panic!("{} is not a JSON file", path.display()));
        (case.to_owned(), std::fs::read_to_string(&path).unwrap())
    });
    histories.collect()
}

/// The workflow types, by the prefix of their cases: `plan-calls-` for `PlanCalls`.
fn types_by_prefix() -> BTreeMap<String, String> {
    let definitions = replayer().options().workflows();
    let types = definitions.workflow_definitions().map(|found| found.workflow_type.clone());
    types.map(|workflow_type| (prefix_of(&workflow_type), workflow_type)).collect()
}

fn prefix_of(workflow_type: &str) -> String {
    let mut prefix = String::new();
    for letter in workflow_type.chars() {
        if letter.is_uppercase() && !prefix.is_empty() {
            prefix.push('-');
        }
        prefix.extend(letter.to_lowercase());
    }
    prefix + "-"
}

#[tokio::test]
async fn recorded_histories_match_the_present_workflows() {
    let replayer = replayer();
    let mut failures = Vec::new();
    for (case, json) in recorded_histories() {
        let history = WorkflowHistory::from_json(json.as_bytes());
        let history = history.unwrap_or_else(|error| panic!("{case}: {error}"));
        if let Err(failure) = replayer.replay_workflow(history).await {
            failures.push(format!("{case}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "histories that do not match:\n{}", failures.join("\n"));
}

#[test]
fn every_workflow_type_has_a_recorded_history() {
    let histories = recorded_histories();
    for (prefix, workflow_type) in types_by_prefix() {
        let found = histories.keys().any(|case| case.starts_with(&prefix));
        assert!(found, "no history of the workflow type {workflow_type}: {prefix}*.json");
    }
}

#[test]
fn recorded_histories_are_named_after_their_workflow_type() {
    let types = types_by_prefix();
    for (case, json) in recorded_histories() {
        let found = types.iter().find(|(prefix, _)| case.starts_with(prefix.as_str()));
        let Some((_, expected)) = found else { panic!("{case}: no workflow type has this prefix") };
        let history: serde_json::Value = serde_json::from_str(&json).unwrap();
        let started = "/events/0/attributes/WorkflowExecutionStartedEventAttributes";
        let workflow_type = history.pointer(&format!("{started}/workflow_type/name"));
        let workflow_type = workflow_type.and_then(serde_json::Value::as_str);
        assert_eq!(workflow_type, Some(expected.as_str()), "{case}");
    }
}
