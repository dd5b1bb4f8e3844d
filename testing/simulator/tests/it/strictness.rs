//! What a call creation may not contain.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{KEY, Receiver, Sim, call_to, set};

const OBJECTS: &[(&str, &str)] = &[
    ("", "ultravox.v1.StartCallRequest"),
    ("/firstSpeakerSettings", "ultravox.v1.FirstSpeakerSettings"),
    ("/firstSpeakerSettings/user", "ultravox.v1.FirstSpeakerSettings_UserGreeting"),
    ("/firstSpeakerSettings/user/fallback", "ultravox.v1.FallbackAgentGreeting"),
    ("/inactivityMessages/0", "ultravox.v1.TimedMessage"),
    ("/vadSettings", "ultravox.v1.VadSettings"),
    ("/medium", "ultravox.v1.CallMedium"),
    ("/medium/telnyx", "ultravox.v1.CallMedium_TelnyxMedium"),
    ("/medium/telnyx/outgoing", "ultravox.v1.TelnyxMedium_OutgoingRequestParams"),
    ("/medium/telnyx/outgoing/additionalParams", "InitiateCallRequest"),
    ("/callbacks", "ultravox.v1.Callbacks"),
    ("/callbacks/ended", "ultravox.v1.Callback"),
    ("/selectedTools/2", "ultravox.v1.SelectedTool"),
    ("/selectedTools/2/temporaryTool", "ultravox.v1.BaseToolDefinition"),
    ("/selectedTools/2/temporaryTool/dynamicParameters/0", "ultravox.v1.DynamicParameter"),
    ("/selectedTools/2/temporaryTool/staticParameters/0", "ultravox.v1.StaticParameter"),
    ("/selectedTools/2/temporaryTool/automaticParameters/0", "ultravox.v1.AutomaticParameter"),
    ("/selectedTools/2/temporaryTool/requirements", "ultravox.v1.ToolRequirements"),
    (
        "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions",
        "ultravox.v1.SecurityOptions",
    ),
    (
        "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions/options/0",
        "ultravox.v1.SecurityRequirements",
    ),
    (
        "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions/options/0/requirements/tool_auth",
        "ultravox.v1.SecurityRequirement",
    ),
    ("/selectedTools/2/temporaryTool/http", "ultravox.v1.BaseHttpToolDetails"),
];

async fn detail(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_unknown_field_at_any_level_is_refused_and_recorded() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let sound = call_to("+12125550150", &receiver);
    for (object, name) in OBJECTS {
        let body = set(sound.clone(), &format!("{object}/surprise"), json!("!"));
        let response = sim.post("/api/calls", &body).await;
        assert_eq!(response.status(), 400, "{object}");
        let detail = detail(response).await;
        let expected = format!("Message type \"{name}\" has no field named \"surprise\"");
        assert!(detail.starts_with(&expected), "{object}: {detail}");
        if object.is_empty() {
            assert_eq!(detail, expected);
        }
    }
    assert_eq!(sim.violations().await.len(), OBJECTS.len());
    assert_eq!(sim.json("/sim/ledger").await["calls"], json!([]));
}

#[tokio::test]
async fn values_that_break_a_rule_are_refused() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let sound = call_to("+12125550150", &receiver);
    let tool = "/selectedTools/2/temporaryTool";
    let params = "/medium/telnyx/outgoing/additionalParams";
    let long_url = format!("https://example.com/{}", "x".repeat(200));
    let own_tool = sound.pointer("/selectedTools/2").unwrap().clone();
    let cases = [
        ("/temperature".to_owned(), json!(1.1)),
        ("/temperature".to_owned(), json!("0.3")),
        ("/voice".to_owned(), json!("Nobody")),
        ("/model".to_owned(), json!("ultravox-v9")),
        ("/languageHint".to_owned(), json!("en-US-and-much-more")),
        ("/joinTimeout".to_owned(), json!("60")),
        ("/joinTimeout".to_owned(), json!(60)),
        ("/joinTimeout".to_owned(), json!("0s")),
        ("/maxDuration".to_owned(), json!("-5s")),
        ("/metadata/attempt".to_owned(), json!(7)),
        ("/metadata/ultravox.own".to_owned(), json!("x")),
        ("/firstSpeakerSettings/agent".to_owned(), json!({})),
        ("/firstSpeakerSettings/user/fallback/prompt".to_owned(), json!("Greet.")),
        ("/firstSpeaker".to_owned(), json!("FIRST_SPEAKER_AGENT")),
        ("/initialOutputMedium".to_owned(), json!("voice")),
        ("/retentionPolicy".to_owned(), json!("retain")),
        ("/inactivityMessages/0/duration".to_owned(), Value::Null),
        ("/inactivityMessages/0/endBehavior".to_owned(), json!("HANG_UP")),
        ("/vadSettings/frameActivationThreshold".to_owned(), json!(0.05)),
        ("/sharedSecrets".to_owned(), json!(["short"])),
        ("/externalVoice".to_owned(), json!({"google": {"voiceId": "x"}})),
        ("/medium/webRtc".to_owned(), json!({})),
        ("/medium".to_owned(), json!({"twilio": {"outgoing": {}}})),
        ("/medium/telnyx/outgoing/to".to_owned(), json!("2125550150")),
        ("/medium/telnyx/outgoing/from".to_owned(), Value::Null),
        (format!("{params}/Timeout"), json!(4)),
        (format!("{params}/Timeout"), json!("30")),
        (format!("{params}/TimeLimit"), json!(29)),
        (format!("{params}/StatusCallbackEvent"), json!("answered,completed")),
        (format!("{params}/statusCallback"), json!("https://example.com")),
        (format!("{params}/To"), json!("+12125550151")),
        (format!("{params}/Url"), json!("https://example.com")),
        (format!("{params}/AsyncAmd"), json!("true")),
        ("/callbacks/started".to_owned(), json!({"url": "https://example.com"})),
        ("/callbacks/ended/url".to_owned(), json!(long_url)),
        ("/callbacks/ended/url".to_owned(), json!("ftp://example.com")),
        ("/callbacks/ended/url".to_owned(), Value::Null),
        ("/selectedTools/0/toolName".to_owned(), json!("makeCoffee")),
        ("/selectedTools/0/toolId".to_owned(), json!("56294126-5a7d-4948-b67d-3b7e13d55ea7")),
        ("/selectedTools/0/toolName".to_owned(), Value::Null),
        ("/selectedTools/1/nameOverride".to_owned(), json!("report_outcome")),
        ("/selectedTools/1/parameterOverrides".to_owned(), json!({"volume": 3})),
        ("/selectedTools/0".to_owned(), own_tool),
        (format!("{tool}/modelToolName"), json!("report outcome")),
        (format!("{tool}/timeout"), json!("41s")),
        (format!("{tool}/client"), json!({})),
        (format!("{tool}/http"), Value::Null),
        (format!("{tool}/http/httpMethod"), json!("FETCH")),
        (format!("{tool}/http/baseUrlPattern"), json!("https://example.com/{id}")),
        (format!("{tool}/dynamicParameters/0/location"), json!("BODY")),
        (format!("{tool}/dynamicParameters/0/location"), Value::Null),
        (format!("{tool}/dynamicParameters/0/schema"), Value::Null),
        (format!("{tool}/dynamicParameters/1/name"), json!("outcome")),
        (format!("{tool}/automaticParameters/0/knownValue"), json!("CALL_ID")),
        ("/selectedTools/2/authTokens".to_owned(), Value::Null),
        ("/selectedTools/2/authTokens/other".to_owned(), json!("x")),
    ];
    for (pointer, value) in cases {
        let body = set(sound.clone(), &pointer, value.clone());
        let response = sim.post("/api/calls", &body).await;
        assert_eq!(response.status(), 400, "{pointer} = {value}");
        assert!(!detail(response).await.is_empty(), "{pointer}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let sim = Sim::fast().await;
    let url = format!("{}/api/calls", sim.url);
    let raw = |media_type: &'static str, body: &'static str| {
        let request = sim.client.post(&url).header("X-API-Key", KEY);
        request.header("content-type", media_type).body(body).send()
    };
    assert_eq!(raw("application/json", "{").await.unwrap().status(), 400);
    assert_eq!(raw("application/json", "[]").await.unwrap().status(), 400);
    assert_eq!(raw("text/plain", "{}").await.unwrap().status(), 415);
}

#[tokio::test]
async fn null_counts_as_unset() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let mut body = call_to("+12125550150", &receiver);
    body["joinTimeout"] = Value::Null;
    let id = sim.create(&body).await;
    assert_eq!(sim.json(&format!("/api/calls/{id}")).await["joinTimeout"], "30s");
}

#[tokio::test]
async fn every_request_needs_the_key() {
    let sim = Sim::fast().await;
    for path in ["/api/calls", "/api/accounts/me", "/api/webhooks"] {
        let url = format!("{}{path}", sim.url);
        let without = sim.client.get(&url).send().await.unwrap();
        assert_eq!(without.status(), 401);
        let wrong = sim.client.get(&url).header("X-API-Key", "wrong");
        let wrong = wrong.send().await.unwrap();
        assert_eq!(wrong.status(), 401);
        assert!(!detail(wrong).await.is_empty());
    }
    for path in ["/sim/health", "/sim/ledger", "/sim/faults", "/sim/telnyx_public_key"] {
        let open = sim.client.get(format!("{}{path}", sim.url)).send().await.unwrap();
        assert_eq!(open.status(), 200, "{path}");
    }
}
