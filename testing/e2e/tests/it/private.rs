//! What is private is nowhere to be read in clear: not in a log, an error, or what Temporal shows of a workflow outside
//! of payloads, which a codec can encrypt.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devstack::development::{FROM_NUMBER, TELNYX_API_KEY, ULTRAVOX_API_KEY, WEBHOOK_SECRET};
use devstack::sign::{agent_token, carrier_token};
use serde_json::Value;

use crate::all_scenarios::every_call_is_settled;
use crate::support::{Story, carrier_post, post, signed_post};

/// The provider refuses, fails and is away, so that its words are passed on.
const FAULTS: &str = r#"{
    "create_call": [
        {"refuse": 401, "times": 2},
        {"refuse_429": {"retry_after": 1}, "times": 2},
        {"status_after_accept": 502, "times": 2},
        {"drop_after_accept": true, "times": 1}
    ],
    "webhooks": {"duplicate": 1},
    "seed": 11
}"#;

/// Everything that the story used and that nobody may read.
async fn private(story: &Story) -> Result<Vec<String>> {
    let mut private: Vec<String> =
        [WEBHOOK_SECRET, ULTRAVOX_API_KEY, TELNYX_API_KEY, FROM_NUMBER].map(str::to_owned).into();
    let dials: Vec<String> =
        sqlx::query_scalar("select id from dials").fetch_all(&story.database).await?;
    for dial in &dials {
        for token in [agent_token(WEBHOOK_SECRET, dial), carrier_token(WEBHOOK_SECRET, dial)] {
            private.push(token.split_once('.').context("a token has a dot")?.1.to_owned());
        }
    }
    let people: Vec<String> = sqlx::query_scalar(
        "select name from prospects union select substr(phone, 2) from prospects
        union select name from users union select email from users",
    )
    .fetch_all(&story.database)
    .await?;
    assert!(dials.len() > 15 && people.len() > 40, "{} {}", dials.len(), people.len());
    private.extend(people);
    Ok(private)
}

/// What strangers and senders are told when they are refused.
async fn refusals(story: &Story) -> Result<Vec<(String, String)>> {
    let outcome = story.webhook("/webhooks/outcome");
    let name = r#"{"eventType":"call.completed","conversationId":"p00-id-1","notes":"Name of p00-id",
        "duration":"+12125550100"}"#;
    let token = format!("Bearer {}", agent_token(WEBHOOK_SECRET, "p00-id-1.1"));
    let report = r#"{"outcome":"SOLD","notes":"Name of p00-id +12125550100"}"#;
    let answers = [
        post(&outcome, name, &[]).await?,
        signed_post(&outcome, name).await?,
        signed_post(&outcome, &name[..name.len() - 3]).await?,
        post(&story.webhook("/tools/report_outcome"), report, &[("Authorization", &token)]).await?,
        post(&story.webhook("/tools/report_outcome"), "{", &[("Authorization", &token)]).await?,
        carrier_post(story, "p00-id", "CallSid=a&CallStatus=busy&To=%2B12125550100").await?,
        post(&story.webhook("/nothing/12125550100"), "", &[]).await?,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [401, 400, 400, 200, 400, 400, 404]);
    let told = answers.iter().map(|answer| ("an answer".to_owned(), answer.body.to_string()));
    Ok(told.collect())
}

/// What Temporal shows of every workflow outside of payloads.
async fn shown_by_temporal(story: &Story) -> Result<Vec<(String, String)>> {
    let raw = ["--no-json-shorthand-payloads"];
    let mut shown = Vec::new();
    for id in story.workflows("").await? {
        let named = ["--workflow-id", id.as_str()];
        for command in ["show", "describe"] {
            let args = ["workflow", command].into_iter().chain(named).chain(raw);
            let mut text = String::new();
            in_clear(&story.temporal(args).await?, false, &mut text)?;
            shown.push((format!("workflow {command} {id}"), text));
        }
    }
    Ok(shown)
}

/// Collects every key and every value but payloads. Those of search attributes and of what was said at the start of a
/// workflow no codec encrypts, so that they count.
fn in_clear(value: &Value, uncoded: bool, text: &mut String) -> Result<()> {
    match value {
        Value::Object(fields) if fields.contains_key("metadata") && fields.contains_key("data") => {
            let shown = uncoded.then(|| decoded(&fields["data"])).transpose()?;
            text.push_str(&shown.unwrap_or_default());
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                text.push_str(name);
                text.push('\n');
                let uncoded =
                    uncoded || ["searchAttributes", "userMetadata"].contains(&name.as_str());
                in_clear(field, uncoded, text)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                in_clear(item, uncoded, text)?;
            }
        }
        Value::String(string) => {
            text.push_str(string);
            text.push('\n');
        }
        _ => {}
    }
    Ok(())
}

fn decoded(data: &Value) -> Result<String> {
    let data = data.as_str().context("the data of a payload is text")?;
    Ok(String::from_utf8_lossy(&STANDARD.decode(data)?).into_owned() + "\n")
}

#[tokio::test]
async fn secrets_tokens_numbers_and_names_are_read_nowhere() -> Result<()> {
    let story = every_call_is_settled(FAULTS).await?;
    let private = private(&story).await?;

    let mut places = refusals(&story).await?;
    places.extend(shown_by_temporal(&story).await?);
    let services = [&story.stack.webhook, &story.stack.simulator].into_iter().flatten();
    let processes = services.map(|service| &service.process).chain(&story.stack.worker);
    places.extend(
        processes
            .filter(|process| process.name() != "simulator")
            .map(|process| (format!("the log of {}", process.name()), process.log())),
    );
    // What is looked through holds what it should.
    let all: String = places.iter().map(|(_, text)| text.as_str()).collect();
    for expected in
        ["user1-id", "APPOINTMENT_SET", "Call p00-id for user0-id", "calls.dial", "Recorded call"]
    {
        assert!(all.contains(expected), "{expected} is nowhere");
    }
    assert!(places.len() > 40, "{}", places.len());

    let found: Vec<String> = places
        .iter()
        .flat_map(|(place, text)| {
            let read = private.iter().filter(|private| text.contains(private.as_str()));
            read.map(move |private| format!("{private} can be read in {place}"))
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
    Ok(())
}
