use std::collections::BTreeSet;

use super::*;

/// The fields of the provider's contract for each object of the request (OpenAPI 0.1.0 of
/// the Ultravox API, schemas `StartCallRequest` and those below it; Telnyx's TeXML parameters).
const FIELDS: [(&str, &[&str]); 23] = [
    (
        "",
        &[
            "systemPrompt",
            "temperature",
            "model",
            "voice",
            "externalVoice",
            "voiceOverrides",
            "languageHint",
            "initialMessages",
            "joinTimeout",
            "maxDuration",
            "timeExceededMessage",
            "inactivityMessages",
            "selectedTools",
            "medium",
            "recordingEnabled",
            "firstSpeaker",
            "firstSpeakerSettings",
            "transcriptOptional",
            "initialOutputMedium",
            "vadSettings",
            "experimentalSettings",
            "metadata",
            "initialState",
            "dataConnection",
            "callbacks",
            "retentionPolicy",
            "sharedSecrets",
        ],
    ),
    ("/firstSpeakerSettings", &["user", "agent"]),
    ("/firstSpeakerSettings/user", &["fallback"]),
    ("/firstSpeakerSettings/user/fallback", &["delay", "text", "prompt"]),
    ("/medium", &["webRtc", "twilio", "serverWebSocket", "telnyx", "plivo", "exotel", "sip"]),
    ("/medium/telnyx", &["outgoing", "dtmfHandling"]),
    ("/medium/telnyx/outgoing", &["to", "from", "additionalParams"]),
    (
        "/medium/telnyx/outgoing/additionalParams",
        &[
            "StatusCallback",
            "StatusCallbackMethod",
            "StatusCallbackEvent",
            "Timeout",
            "TimeLimit",
            "MachineDetection",
            "DetectionMode",
            "AsyncAmd",
            "AsyncAmdStatusCallback",
        ],
    ),
    ("/callbacks", &["joined", "ended", "billed"]),
    ("/callbacks/joined", &["url", "secrets"]),
    ("/callbacks/ended", &["url", "secrets"]),
    ("/metadata", &["dial_id", "conversation_id"]),
    (
        "/selectedTools/0",
        &[
            "toolId",
            "toolName",
            "temporaryTool",
            "nameOverride",
            "descriptionOverride",
            "authTokens",
            "parameterOverrides",
            "transitionId",
        ],
    ),
    ("/selectedTools/1", &["toolId", "toolName", "temporaryTool"]),
    ("/selectedTools/2", &["toolId", "toolName", "temporaryTool"]),
    ("/selectedTools/0/authTokens", &["call"]),
    (
        "/selectedTools/0/temporaryTool",
        &[
            "modelToolName",
            "description",
            "dynamicParameters",
            "staticParameters",
            "automaticParameters",
            "requirements",
            "timeout",
            "precomputable",
            "http",
            "client",
            "dataConnection",
            "defaultReaction",
            "staticResponse",
        ],
    ),
    (
        "/selectedTools/0/temporaryTool/dynamicParameters/0",
        &["name", "location", "schema", "required"],
    ),
    ("/selectedTools/0/temporaryTool/staticParameters/0", &["name", "location", "value"]),
    ("/selectedTools/0/temporaryTool/automaticParameters/0", &["name", "location", "knownValue"]),
    (
        "/selectedTools/0/temporaryTool/requirements",
        &["httpSecurityOptions", "requiredParameterOverrides"],
    ),
    (
        "/selectedTools/0/temporaryTool/requirements/httpSecurityOptions/options/0",
        &["requirements", "ultravoxCallTokenRequirement"],
    ),
    ("/selectedTools/0/temporaryTool/http", &["baseUrlPattern", "httpMethod"]),
];

fn body() -> Value {
    let script = AgentScript {
        instructions: "Sell {nothing}".into(),
        first_message: "Hi Ann".into(),
        language: "en".into(),
        voice: "Jessica".into(),
    };
    CallRequest {
        dial_id: &DialId::new("p/1-1.1"),
        conversation_id: &ConversationId::new("p/1-1"),
        to: "+12125550100",
        from: &PhoneNumber::parse("+12125550199").unwrap(),
        script: &script,
        zone: chrono_tz::America::New_York,
        now: "2025-02-25T14:00:00Z".parse().unwrap(),
        ring_timeout_secs: 25,
        join_timeout_secs: 45,
        max_duration_secs: 600,
        service_url: "https://calls.example.com",
        callback_secret: Some("secret"),
        outcome_token: "agent-token",
        carrier_token: "carrier-token",
    }
    .body()
}

#[test]
fn request_has_only_fields_of_the_contract() {
    let body = body();
    for (path, allowed) in FIELDS {
        let object = body.pointer(path).and_then(Value::as_object);
        let object = object.unwrap_or_else(|| panic!("{path} is missing"));
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        for field in object.keys() {
            assert!(allowed.contains(field.as_str()), "{path}/{field}");
        }
    }
}

#[test]
fn request_has_one_kind_of_tool_and_of_first_speaker() {
    let body = body();
    for tool in body["selectedTools"].as_array().unwrap() {
        let kinds = ["toolId", "toolName", "temporaryTool"];
        assert_eq!(kinds.iter().filter(|kind| tool.get(**kind).is_some()).count(), 1, "{tool}");
    }
    assert_eq!(body["firstSpeakerSettings"].as_object().unwrap().len(), 1);
    assert_eq!(body["medium"].as_object().unwrap().len(), 1);
}

#[test]
fn durations_are_in_seconds_and_join_timeout_exceeds_ring_timeout() {
    let body = body();
    assert_eq!(body["joinTimeout"], "45s");
    assert_eq!(body["maxDuration"], "600s");
    let carrier = &body["medium"]["telnyx"]["outgoing"]["additionalParams"];
    assert_eq!(carrier["Timeout"], 25);
    assert!(carrier["TimeLimit"].as_i64().unwrap() > 600);
}

#[test]
fn metadata_is_text_with_own_keys() {
    for (key, value) in body()["metadata"].as_object().unwrap() {
        assert!(value.is_string() && !key.starts_with("ultravox."), "{key}");
    }
}

#[test]
fn each_sender_gets_only_its_own_secret_or_token() {
    let body = body();
    let callback = &body["callbacks"]["ended"];
    assert_eq!(callback["url"], "https://calls.example.com/webhooks/outcome");
    assert_eq!(callback["secrets"], serde_json::json!(["secret"]));
    let carrier = &body["medium"]["telnyx"]["outgoing"]["additionalParams"];
    for address in ["StatusCallback", "AsyncAmdStatusCallback"] {
        let expected = "https://calls.example.com/webhooks/telnyx?dial=carrier-token";
        assert_eq!(carrier[address], expected);
    }
    assert_eq!(body["selectedTools"][0]["authTokens"]["call"], "agent-token");
    let shown = |token: &str| body.to_string().matches(token).count();
    assert_eq!((shown("agent-token"), shown("carrier-token")), (1, 2));
}

#[test]
fn prompt_contains_the_callees_local_time() {
    let body = body();
    let prompt = body["systemPrompt"].as_str().unwrap();
    assert!(prompt.starts_with("Sell {nothing}\n"));
    assert!(prompt.contains("Tuesday, 25 February 2025, 09:00"), "{prompt}");
}
