//! Private data must not appear in logs, in errors, or in Temporal outside of payloads (a codec can encrypt payloads).

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devstack::development::{FROM_NUMBER, TELNYX_API_KEY, ULTRAVOX_API_KEY, WEBHOOK_SECRET};
use devstack::sign::{agent_token, carrier_token};
use serde_json::Value;

use crate::all_scenarios::run_all_scenarios;
use crate::support::{TestSystem, post, post_as_carrier, post_signed};

/// Errors of the provider, whose messages the system passes on.
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

/// Secrets, tokens, phone numbers, names and e-mail addresses of the test.
async fn read_private_data(system: &TestSystem) -> Result<Vec<String>> {
    let mut private: Vec<String> =
        [WEBHOOK_SECRET, ULTRAVOX_API_KEY, TELNYX_API_KEY, FROM_NUMBER].map(str::to_owned).into();
    let dials: Vec<String> =
        sqlx::query_scalar("select id from dials").fetch_all(&system.database).await?;
    for dial in &dials {
        for token in [agent_token(WEBHOOK_SECRET, dial), carrier_token(WEBHOOK_SECRET, dial)] {
            private.push(token.split_once('.').context("the token has no dot")?.0.to_owned());
        }
    }
    let people: Vec<String> = sqlx::query_scalar(
        "select name from prospects union select substr(phone, 2) from prospects
        union select name from users union select email from users",
    )
    .fetch_all(&system.database)
    .await?;
    assert!(dials.len() > 15 && people.len() > 40, "{} {}", dials.len(), people.len());
    private.extend(people);
    Ok(private)
}

/// The responses to rejected requests.
async fn read_rejections(system: &TestSystem) -> Result<Vec<(String, String)>> {
    let outcome = system.webhook("/webhooks/outcome");
    let name = r#"{"eventType":"call.completed","conversationId":"p00-id-1","notes":"Name of p00-id",
        "duration":"+12125550100"}"#;
    let token = format!("Bearer {}", agent_token(WEBHOOK_SECRET, "p00-id-1.1"));
    let report = r#"{"outcome":"SOLD","notes":"Name of p00-id +12125550100"}"#;
    let responses = [
        post(&outcome, name, &[]).await?,
        post_signed(&outcome, name).await?,
        post_signed(&outcome, &name[..name.len() - 3]).await?,
        post(&system.webhook("/tools/report_outcome"), report, &[("Authorization", &token)])
            .await?,
        post(&system.webhook("/tools/report_outcome"), "{", &[("Authorization", &token)]).await?,
        post_as_carrier(system, "p00-id", "CallSid=a&CallStatus=busy&To=%2B12125550100").await?,
        post(&system.webhook("/unknown/12125550100"), "", &[]).await?,
    ];
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [401, 400, 400, 200, 400, 400, 404]);
    let texts =
        responses.iter().map(|response| ("a response".to_owned(), response.body.to_string()));
    Ok(texts.collect())
}

/// What Temporal shows of each workflow outside of payloads.
async fn read_from_temporal(system: &TestSystem) -> Result<Vec<(String, String)>> {
    let raw = ["--no-json-shorthand-payloads"];
    let mut shown = Vec::new();
    for id in system.workflows("").await? {
        let named = ["--workflow-id", id.as_str()];
        for command in ["show", "describe"] {
            let args = ["workflow", command].into_iter().chain(named).chain(raw);
            let mut text = String::new();
            collect_cleartext(&system.temporal(args).await?, false, &mut text)?;
            shown.push((format!("workflow {command} {id}"), text));
        }
    }
    Ok(shown)
}

/// Collects all keys and values except payloads. A codec does not encrypt search attributes and the metadata from the
/// start of a workflow, so their payloads are included.
fn collect_cleartext(value: &Value, is_cleartext: bool, text: &mut String) -> Result<()> {
    match value {
        Value::Object(fields) if fields.contains_key("metadata") && fields.contains_key("data") => {
            let shown = is_cleartext.then(|| decode(&fields["data"])).transpose()?;
            text.push_str(&shown.unwrap_or_default());
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                text.push_str(name);
                text.push('\n');
                let is_cleartext =
                    is_cleartext || ["searchAttributes", "userMetadata"].contains(&name.as_str());
                collect_cleartext(field, is_cleartext, text)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_cleartext(item, is_cleartext, text)?;
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

fn decode(data: &Value) -> Result<String> {
    let data = data.as_str().context("the data of a payload is not a string")?;
    Ok(String::from_utf8_lossy(&STANDARD.decode(data)?).into_owned() + "\n")
}

#[tokio::test]
async fn private_data_appears_nowhere_in_clear() -> Result<()> {
    let system = run_all_scenarios(FAULTS).await?;
    let private = read_private_data(&system).await?;

    let mut places = read_rejections(&system).await?;
    places.extend(read_from_temporal(&system).await?);
    let servers = [&system.stack.webhook, &system.stack.simulator].into_iter().flatten();
    let processes = servers.map(|server| &server.process).chain(&system.stack.worker);
    places.extend(
        processes
            .filter(|process| process.name() != "simulator")
            .map(|process| (format!("the log of {}", process.name()), process.log())),
    );
    // The searched texts contain what they should.
    let all: String = places.iter().map(|(_, text)| text.as_str()).collect();
    for expected in
        ["user1-id", "APPOINTMENT_SET", "Call p00-id for user0-id", "calls.dial", "Recorded call"]
    {
        assert!(all.contains(expected), "{expected} is missing");
    }
    assert!(places.len() > 40, "{}", places.len());

    let found: Vec<String> = places
        .iter()
        .flat_map(|(place, text)| {
            let found = private.iter().filter(|private| text.contains(private.as_str()));
            found.map(move |private| format!("{private} appears in {place}"))
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
    Ok(())
}
