//! Calls as JSON: the API's object, the tombstone and the ledger entry.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Call, Progress};
use crate::clock::in_body;
use crate::spans;

/// The call object of every answer and webhook.
pub fn call_json(call: &Call) -> Value {
    let progress = call.progress();
    let request = &call.request;
    let given = |name: &str, default: Value| request.body.get(name).cloned().unwrap_or(default);
    let nullable = |name: &str| given(name, Value::Null);
    let (first_speaker, settings) = first_speaker(call);

    let mut object = json!({
        "callId": call.id,
        "clientVersion": null,
        "created": in_body(call.created),
        "joined": moment(progress.joined),
        "ended": moment(progress.ended),
        "endReason": progress.end_reason,
        "billedDuration": progress.billed.map(spans::write),
        "billedSideInputTokens": progress.billed.map(|_| 0),
        "billedSideOutputTokens": progress.billed.map(|_| 0),
        "billingStatus": billing_status(&progress),
        "firstSpeaker": first_speaker,
        "firstSpeakerSettings": settings,
        "inactivityMessages": given("inactivityMessages", json!([])),
        "initialOutputMedium": match request.text("initialOutputMedium") {
            Some("MESSAGE_MEDIUM_TEXT") => "MESSAGE_MEDIUM_TEXT",
            _ => "MESSAGE_MEDIUM_VOICE",
        },
        "joinTimeout": spans::write(request.join_timeout),
        "joinUrl": join_url(call),
        "languageHint": nullable("languageHint"),
        "maxDuration": spans::write(request.max_duration),
        "medium": given("medium", json!({"webRtc": {}})),
        "model": given("model", json!("ultravox-v0.7")),
        "recordingEnabled": given("recordingEnabled", json!(false)),
        "retentionPolicy": match request.text("retentionPolicy") {
            Some("CALL_RETENTION_POLICY_RETAIN") => Some("retain"),
            _ => None,
        },
        "systemPrompt": nullable("systemPrompt"),
        "temperature": given("temperature", json!(0.0)),
        "timeExceededMessage": nullable("timeExceededMessage"),
        "voice": nullable("voice"),
        "transcriptOptional": given("transcriptOptional", json!(true)),
        "vadSettings": nullable("vadSettings"),
        "shortSummary": progress.summary,
        "summary": progress.summary,
        "agent": null,
        "agentId": null,
        "experimentalSettings": nullable("experimentalSettings"),
        "metadata": metadata(call),
        "initialState": given("initialState", json!({})),
        "requestContext": null,
        "callbacks": callbacks(call),
        "sipDetails": null,
    });
    let optional = [
        ("externalVoice", "externalVoice"),
        ("voiceOverrides", "voiceOverrides"),
        ("dataConnection", "dataConnectionConfig"),
    ];
    for (asked, shown) in optional {
        if let Some(value) = request.body.get(asked) {
            object[shown] = value.clone();
        }
    }
    object
}

/// What is left of a deleted call; `None` while it isn't deleted.
pub fn tombstone_json(call: &Call, account: Uuid) -> Option<Value> {
    let progress = call.progress();
    let deleted = progress.deleted?;
    Some(json!({
        "callId": call.id,
        "accountId": account,
        "created": in_body(call.created),
        "deletionTime": in_body(deleted),
        "joined": moment(progress.joined),
        "ended": moment(progress.ended),
        "maxDuration": spans::write(call.request.max_duration),
        "endReason": progress.end_reason,
        "recordingEnabled": call.request.body.get("recordingEnabled") == Some(&json!(true)),
        "hadSummary": progress.summary.is_some(),
    }))
}

/// What really happened, for comparison with what a client believes.
pub fn ledger_json(call: &Call) -> Value {
    let progress = call.progress();
    json!({
        "callId": call.id,
        "number": call.request.dial.as_ref().map(|dial| &dial.to),
        "scenario": call.scenario,
        "metadata": call.request.metadata,
        "created": in_body(call.created),
        "rang": progress.rang,
        "joined": moment(progress.joined),
        "ended": moment(progress.ended),
        "endReason": progress.end_reason,
        "endedBy": progress.ended_by,
        "talkSeconds": progress.talk().map(|talk| talk.as_secs_f64()),
        "billedDuration": progress.billed.map(spans::write),
        "reportedOutcomes": progress.reported,
        "leg": call.leg.as_ref().map(|leg| leg.status().name()),
        "deleted": progress.deleted.is_some(),
    })
}

fn moment(time: Option<DateTime<Utc>>) -> Option<String> {
    time.map(in_body)
}

fn billing_status(progress: &Progress) -> &'static str {
    match progress.billed {
        None => "BILLING_STATUS_PENDING",
        Some(span) if span.is_zero() => "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION",
        Some(_) => "BILLING_STATUS_BILLED",
    }
}

fn first_speaker(call: &Call) -> (&'static str, Value) {
    let user_first = call.request.text("firstSpeaker") == Some("FIRST_SPEAKER_USER");
    let settings = match call.request.body.get("firstSpeakerSettings") {
        Some(settings) => settings.clone(),
        None if user_first => json!({"user": {}}),
        None => json!({"agent": {}}),
    };
    if settings.get("user").is_some() {
        ("FIRST_SPEAKER_USER", settings)
    } else {
        ("FIRST_SPEAKER_AGENT", settings)
    }
}

fn join_url(call: &Call) -> Option<String> {
    match call.leg {
        Some(_) => None,
        None => Some(format!("wss://voice.simulator.invalid/calls/{}", call.id)),
    }
}

fn metadata(call: &Call) -> Map<String, Value> {
    let mut metadata = call.request.metadata.clone();
    if let Some(dial) = &call.request.dial {
        metadata.insert("ultravox.telnyx.to".to_owned(), json!(dial.to));
        metadata.insert("ultravox.telnyx.from".to_owned(), json!(dial.from));
    }
    metadata
}

fn callbacks(call: &Call) -> Value {
    let callbacks = call.request.callbacks.iter();
    let shown: Map<String, Value> = callbacks
        .map(|(event, callback)| {
            let name = event.name().trim_start_matches("call.");
            (name.to_owned(), json!({"url": callback.url}))
        })
        .collect();
    Value::Object(shown)
}
