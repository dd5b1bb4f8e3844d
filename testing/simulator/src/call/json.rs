//! Calls as JSON: the provider's call object and the ledger entry.

use serde_json::{Value, json};

use super::{Call, Progress};
use crate::clock::format_timestamp;
use crate::duration::JsonDuration;

/// The call object of the provider's answers and webhooks.
pub fn call_json(call: &Call) -> Value {
    let progress = call.progress();
    let request = &call.request;
    let first_speaker = match &request.first_speaker_settings {
        Some(settings) if settings.user.is_some() => "FIRST_SPEAKER_USER",
        _ => "FIRST_SPEAKER_AGENT",
    };
    let mut metadata = request.metadata.clone();
    metadata.insert("ultravox.telnyx.to".to_owned(), call.leg.to.clone());
    metadata.insert("ultravox.telnyx.from".to_owned(), call.leg.from.clone());
    json!({
        "callId": call.id,
        "clientVersion": null,
        "created": format_timestamp(call.created_at),
        "joined": progress.joined_at.map(format_timestamp),
        "ended": progress.ended_at.map(format_timestamp),
        "endReason": progress.end_reason,
        "billedDuration": progress.billed.map(JsonDuration),
        "billedSideInputTokens": progress.billed.map(|_| 0),
        "billedSideOutputTokens": progress.billed.map(|_| 0),
        "billingStatus": billing_status(&progress),
        "firstSpeaker": first_speaker,
        "firstSpeakerSettings": match &request.first_speaker_settings {
            Some(settings) => json!(settings),
            None => json!({"agent": {}}),
        },
        "inactivityMessages": request.inactivity_messages,
        "initialOutputMedium": "MESSAGE_MEDIUM_VOICE",
        "joinTimeout": JsonDuration(request.join_timeout()),
        "joinUrl": null,
        "languageHint": request.language_hint,
        "maxDuration": JsonDuration(request.max_duration()),
        "medium": request.medium,
        "model": request.model.as_deref().unwrap_or("ultravox-v0.7"),
        "recordingEnabled": request.recording_enabled.unwrap_or(false),
        "systemPrompt": request.system_prompt,
        "temperature": request.temperature.unwrap_or(0.0),
        "timeExceededMessage": request.time_exceeded_message,
        "voice": request.voice,
        "transcriptOptional": true,
        "vadSettings": request.vad_settings,
        "shortSummary": progress.summary,
        "summary": progress.summary,
        "agent": null,
        "agentId": null,
        "experimentalSettings": null,
        "metadata": metadata,
        "initialState": {},
        "requestContext": null,
        "callbacks": request.callbacks,
        "sipDetails": null,
    })
}

/// The ledger entry: what happened, for comparison with what a client recorded.
pub fn ledger_json(call: &Call) -> Value {
    let progress = call.progress();
    json!({
        "callId": call.id,
        "number": call.leg.to,
        "scenario": call.scenario,
        "metadata": call.request.metadata,
        "created": format_timestamp(call.created_at),
        "rang": progress.rang,
        "joined": progress.joined_at.map(format_timestamp),
        "ended": progress.ended_at.map(format_timestamp),
        "endReason": progress.end_reason,
        "endedBy": progress.ended_by,
        "talkSeconds": progress.talk().map(|talk| talk.as_secs_f64()),
        "billedDuration": progress.billed.map(JsonDuration),
        "reportedOutcomes": progress.reported_outcomes,
        "leg": <&str>::from(call.leg.status()),
        "legEnded": call.leg.state().ended_at.map(format_timestamp),
        "deleted": progress.is_deleted,
    })
}

fn billing_status(progress: &Progress) -> &'static str {
    match progress.billed {
        None => "BILLING_STATUS_PENDING",
        Some(billed) if billed.is_zero() => "BILLING_STATUS_FREE_ZERO_EFFECTIVE_DURATION",
        Some(_) => "BILLING_STATUS_BILLED",
    }
}
