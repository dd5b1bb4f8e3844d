//! Writes histories as test data: one file each, without the names of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use devstack::workspace;
use serde_json::Value;

use super::Recording;
use super::system::System;

/// How long the list of workflows may lack the newest ones.
const LIST_TIMEOUT: Duration = Duration::from_secs(20);

/// Replaces the identities of workers and clients.
const IDENTITY: &str = "worker";

/// Writes the histories of the recordings to `dir`, which then has no other JSON files. Returns their number.
pub async fn write(system: &System, recordings: &[Recording], dir: &Path) -> anyhow::Result<usize> {
    let deadline = Instant::now() + LIST_TIMEOUT;
    let mut files = loop {
        match export(system, recordings).await? {
            Ok(files) => break files,
            Err(missing) if Instant::now() >= deadline => {
                bail!("there is no history of the case {missing}")
            }
            Err(_) => {}
        }
    };
    remove_json_files(dir)?;
    for (file, history) in &mut files {
        replace_identities(history);
        let path = dir.join(format!("{file}.json"));
        fs::write(&path, to_text(history)?)
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(files.len())
}

/// The histories by file, or a file without a history.
async fn export(
    system: &System,
    recordings: &[Recording],
) -> anyhow::Result<Result<BTreeMap<String, Value>, String>> {
    let export_dir = workspace::temp_dir()?;
    system.export_histories(export_dir.path()).await?;
    let histories = read_all(export_dir.path())?;
    let files = recordings.iter().map(|recording| {
        let history = last_of(&histories, recording).ok_or_else(|| recording.file.clone())?;
        Ok((recording.file.clone(), history.clone()))
    });
    Ok(files.collect())
}

/// The history of a recording. After a reset, the one that has ended last.
fn last_of<'a>(histories: &'a [Value], recording: &Recording) -> Option<&'a Value> {
    let of_recording = histories.iter().filter(|history| {
        let id = history
            .pointer("/events/0/attributes/WorkflowExecutionStartedEventAttributes/workflow_id");
        id.and_then(Value::as_str).is_some_and(|id| recording.is_of(id))
    });
    // All times have nine decimals, so their order is that of their texts.
    of_recording
        .max_by_key(|history| events(history).last().map(|event| event["event_time"].as_str()))
}

fn events(history: &Value) -> &[Value] {
    history["events"].as_array().map_or(&[], Vec::as_slice)
}

fn read_all(dir: &Path) -> anyhow::Result<Vec<Value>> {
    let entries = fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))?;
    let histories = entries.map(|entry| {
        let text = fs::read_to_string(entry?.path())?;
        anyhow::Ok(serde_json::from_str(&text)?)
    });
    histories.collect()
}

/// Replaces the identities of workers and clients, which contain the host name. The names of task queues contain them too.
fn replace_identities(history: &mut Value) {
    let mut identities = BTreeSet::new();
    for_each_text(history, &mut |field, text| {
        if field.ends_with("identity") && !text.is_empty() {
            identities.insert(text.clone());
        }
    });
    for_each_text(history, &mut |_, text| {
        // The longest first: one identity may contain another one.
        if let Some(identity) =
            identities.iter().filter(|id| text.contains(*id)).max_by_key(|id| id.len())
        {
            *text = text.replace(identity, IDENTITY);
        }
    });
}

/// Visits all fields that are texts, with their names.
fn for_each_text(value: &mut Value, visit: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_text(item, visit)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) => visit(name, text),
                    other => for_each_text(other, visit),
                }
            }
        }
        _ => {}
    }
}

/// One line for each event.
fn to_text(history: &Value) -> anyhow::Result<String> {
    let lines: Result<Vec<String>, _> = events(history).iter().map(serde_json::to_string).collect();
    Ok(format!("{{\"events\":[\n{}\n]}}\n", lines?.join(",\n")))
}

fn remove_json_files(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))?;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            fs::remove_file(&path)
                .with_context(|| format!("could not remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn identities_are_replaced_and_events_are_on_lines_of_their_own() {
        let mut history = json!({"events": [
            {"event_id": 1, "attributes": {"identity": "17@host", "first_identity": ""}},
            {"event_id": 2, "attributes": {"items": [{"name": "17@host-8c4e"}]}},
        ]});
        replace_identities(&mut history);
        let expected = r#"{"events":[
{"attributes":{"first_identity":"","identity":"worker"},"event_id":1},
{"attributes":{"items":[{"name":"worker-8c4e"}]},"event_id":2}
]}
"#;
        assert_eq!(to_text(&history).unwrap(), expected);
    }
}
