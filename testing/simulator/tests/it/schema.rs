//! Checks of the request that creates a call.

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{KEY, Receiver, Sim, call_to, set};

/// JSON pointers of the objects in a request.
const OBJECTS: &[&str] = &[
    "",
    "/firstSpeakerSettings",
    "/firstSpeakerSettings/user",
    "/firstSpeakerSettings/user/fallback",
    "/inactivityMessages/0",
    "/vadSettings",
    "/medium",
    "/medium/telnyx",
    "/medium/telnyx/outgoing",
    "/medium/telnyx/outgoing/additionalParams",
    "/callbacks",
    "/callbacks/ended",
    "/selectedTools/0",
    "/selectedTools/2",
    "/selectedTools/2/temporaryTool",
    "/selectedTools/2/temporaryTool/dynamicParameters/0",
    "/selectedTools/2/temporaryTool/staticParameters/0",
    "/selectedTools/2/temporaryTool/automaticParameters/0",
    "/selectedTools/2/temporaryTool/requirements",
    "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions",
    "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions/options/0",
    "/selectedTools/2/temporaryTool/requirements/httpSecurityOptions/options/0/requirements/tool_auth",
    "/selectedTools/2/temporaryTool/http",
];

async fn detail(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn unknown_fields_are_rejected_and_recorded_at_every_level() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let valid = call_to("+12125550150", &receiver);
    for object in OBJECTS {
        for value in [json!("!"), Value::Null] {
            let mut body = valid.clone();
            body.pointer_mut(object).unwrap()["surprise"] = value;
            let response = sim.post("/api/calls", &body).await;
            assert_eq!(response.status(), 400, "{object}");
            let detail = detail(response).await;
            assert!(detail.contains("unknown field `surprise`"), "{object}: {detail}");
        }
    }
    assert_eq!(sim.violations().await.len(), 2 * OBJECTS.len());
    assert_eq!(sim.json("/sim/ledger").await["calls"], json!([]));
}

#[tokio::test]
async fn invalid_values_are_rejected() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let valid = call_to("+12125550150", &receiver);
    let tool = "/selectedTools/2/temporaryTool";
    let params = "/medium/telnyx/outgoing/additionalParams";
    let long_url = format!("https://example.com/{}", "x".repeat(200));
    let own_tool = valid.pointer("/selectedTools/2").unwrap().clone();
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
        ("/inactivityMessages/0/duration".to_owned(), Value::Null),
        ("/inactivityMessages/0/endBehavior".to_owned(), json!("HANG_UP")),
        ("/vadSettings/frameActivationThreshold".to_owned(), json!(0.05)),
        ("/medium".to_owned(), Value::Null),
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
        ("/callbacks/ended/url".to_owned(), json!(long_url.clone())),
        (format!("{params}/StatusCallback"), json!(long_url)),
        ("/callbacks/ended/secrets".to_owned(), json!(["x".repeat(121)])),
        ("/callbacks/ended/url".to_owned(), json!("ftp://example.com")),
        ("/callbacks/ended/url".to_owned(), Value::Null),
        ("/selectedTools/0/toolName".to_owned(), json!("makeCoffee")),
        ("/selectedTools/0".to_owned(), json!({"toolName": "hangUp"})),
        ("/selectedTools/0/toolName".to_owned(), Value::Null),
        ("/selectedTools/0".to_owned(), own_tool),
        (format!("{tool}/modelToolName"), json!("report outcome")),
        (format!("{tool}/timeout"), json!("41s")),
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
        let body = set(valid.clone(), &pointer, value.clone());
        let response = sim.post("/api/calls", &body).await;
        assert_eq!(response.status(), 400, "{pointer} = {value}");
        assert!(!detail(response).await.is_empty(), "{pointer}");
    }
}

#[tokio::test]
async fn error_names_the_path_of_the_field() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let pointer = "/selectedTools/2/temporaryTool/http/httpMethod";
    let body = set(call_to("+12125550150", &receiver), pointer, json!("FETCH"));
    let detail = detail(sim.post("/api/calls", &body).await).await;
    assert!(detail.starts_with("selectedTools[2].temporaryTool.http.httpMethod: "), "{detail}");
}

#[tokio::test]
async fn bodies_that_are_not_json_objects_are_rejected() {
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
async fn null_means_the_default() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let mut body = call_to("+12125550150", &receiver);
    body["joinTimeout"] = Value::Null;
    let id = sim.create(&body).await;
    assert_eq!(sim.json(&format!("/api/calls/{id}")).await["joinTimeout"], "30s");
}

#[tokio::test]
async fn only_the_simulators_own_routes_need_no_key() {
    let sim = Sim::fast().await;
    for path in ["/api/calls", "/api/calls/x", "/api/calls/x/messages"] {
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
