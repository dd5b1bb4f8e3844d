//! Requests that create calls.

use serde_json::{Value, json};

use super::{Receiver, SECRET, TOOL_TOKEN};

/// A valid request that reports everything to a receiver.
pub fn call_to(number: &str, receiver: &Receiver) -> Value {
    let url = &receiver.url;
    let callback = json!({"url": format!("{url}/callback"), "secrets": [SECRET]});
    let body = "PARAMETER_LOCATION_BODY";
    json!({
        "systemPrompt": "You set appointments.",
        "model": "ultravox-v0.7",
        "voice": "Mark",
        "languageHint": "en-US",
        "temperature": 0.3,
        "firstSpeakerSettings": {"user": {"fallback": {"delay": "5s", "text": "Hello?"}}},
        "joinTimeout": "60s",
        "maxDuration": "600s",
        "timeExceededMessage": "I have to go now.",
        "inactivityMessages": [
            {"duration": "20s", "message": "Still there?", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"},
        ],
        "vadSettings": {"turnEndpointDelay": "0.5s", "frameActivationThreshold": 0.2},
        "recordingEnabled": false,
        "metadata": {"attempt_id": "a-1"},
        "medium": {"telnyx": {"outgoing": {
            "to": number,
            "from": "+12125550100",
            "additionalParams": {
                "Timeout": 30,
                "StatusCallback": format!("{url}/leg"),
                "StatusCallbackEvent": "initiated ringing answered completed",
            },
        }}},
        "callbacks": {"joined": callback, "ended": callback, "billed": callback},
        "selectedTools": [
            {"toolName": "leaveVoicemail"},
            {"toolName": "hangUp"},
            {
                "temporaryTool": {
                    "modelToolName": "report_outcome",
                    "description": "Report the result.",
                    "timeout": "5s",
                    "dynamicParameters": [
                        {"name": "outcome", "location": body, "required": true,
                         "schema": {"type": "string", "enum": [
                             "APPOINTMENT_SET", "CALLBACK_REQUESTED", "NOT_INTERESTED", "DO_NOT_CALL",
                         ]}},
                        {"name": "time", "location": body, "schema": {"type": "string"}},
                        {"name": "notes", "location": body, "schema": {"type": "string"}},
                    ],
                    "staticParameters": [{"name": "attemptId", "location": body, "value": "a-1"}],
                    "automaticParameters": [
                        {"name": "callId", "location": body, "knownValue": "KNOWN_PARAM_CALL_ID"},
                    ],
                    "requirements": {"httpSecurityOptions": {"options": [
                        {"requirements": {"tool_auth": {"httpAuth": {"scheme": "Bearer"}}}},
                    ]}},
                    "http": {"baseUrlPattern": format!("{url}/tool"), "httpMethod": "POST"},
                },
                "authTokens": {"tool_auth": TOOL_TOKEN},
            },
        ],
    })
}

/// The same request with one value changed, or removed if null; the pointer's parent must exist.
pub fn set(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        Value::Object(fields) if value.is_null() => drop(fields.remove(name)),
        other => other[name] = value,
    }
    body
}
