//! The built-in scenarios, checked against the ledger.

use serde_json::{Value, json};

use crate::support::{Receiver, Sim, call_to};

/// The ledger's entry of a finished call, and what the receiver got.
async fn play(number: &str) -> (Value, Receiver, Sim) {
    let receiver = Receiver::start().await;
    let webhook = format!("{}/webhook", receiver.url);
    let sim = Sim::start(&["--speed", "5000", "--webhook-url", &webhook]).await;
    let id = sim.create(&call_to(number, &receiver)).await;
    let entry = sim.finished(&id).await;
    assert_eq!(sim.violations().await, Vec::<Value>::new(), "{number}");
    (entry, receiver, sim)
}

fn outcomes(entry: &Value) -> Vec<&str> {
    let reported = entry["reportedOutcomes"].as_array().unwrap();
    reported.iter().map(|outcome| outcome["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn answered_scenarios_have_their_talk_end_and_outcomes() {
    let cases = [
        ("+12125550100", "books_appointment", 240.0, "hangup", vec!["APPOINTMENT_SET"]),
        ("+1234567890", "books_appointment", 240.0, "hangup", vec!["APPOINTMENT_SET"]),
        ("+12125550110", "asks_callback", 60.0, "hangup", vec!["CALLBACK_REQUESTED"]),
        ("+12125550120", "not_interested", 45.0, "hangup", vec!["NOT_INTERESTED"]),
        ("+12125550130", "do_not_call", 30.0, "hangup", vec!["DO_NOT_CALL"]),
        ("+12125550140", "voicemail", 20.0, "agent_hangup", vec![]),
        ("+12125550180", "hangs_up_at_once", 3.0, "hangup", vec![]),
        ("+12125550193", "talks_without_outcome", 180.0, "hangup", vec![]),
        ("+12125550195", "talks_to_the_limit", 600.0, "timeout", vec![]),
        (
            "+12125550197",
            "changes_mind",
            120.0,
            "hangup",
            vec!["CALLBACK_REQUESTED", "DO_NOT_CALL"],
        ),
    ];
    for (number, scenario, talk, reason, reported) in cases {
        let (entry, receiver, _) = play(number).await;
        assert_eq!(entry["scenario"], scenario);
        assert_eq!(entry["talkSeconds"], talk, "{scenario}");
        assert_eq!(entry["endReason"], reason, "{scenario}");
        assert_eq!(entry["rang"], true, "{scenario}");
        assert_eq!(outcomes(&entry), reported, "{scenario}");
        assert_eq!(receiver.on("/tool").len(), reported.len(), "{scenario}");
    }
}

#[tokio::test]
async fn unanswered_scenarios_end_unjoined() {
    let cases = [
        ("+12125550150", "no_answer", "no-answer"),
        ("+12125550160", "busy", "busy"),
        ("+12125550199", "rejected", "failed"),
        ("+12125550196", "answers_after_join_timeout", "completed"),
        ("+1212555010", "no_answer", "no-answer"),
    ];
    for (number, scenario, leg) in cases {
        let (entry, receiver, _) = play(number).await;
        assert_eq!(entry["scenario"], scenario);
        assert_eq!(entry["endReason"], "unjoined", "{scenario}");
        assert_eq!(entry["joined"], Value::Null, "{scenario}");
        assert_eq!(entry["rang"], true, "{scenario}");
        assert_eq!(entry["billedDuration"], "0s", "{scenario}");
        assert_eq!(entry["leg"], leg, "{scenario}");
        assert_eq!(receiver.on("/tool").len(), 0, "{scenario}");
    }
}

#[tokio::test]
async fn invalid_number_creates_no_call() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let response = sim.post("/api/calls", &call_to("+12125550170", &receiver)).await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert!(body["detail"].as_str().unwrap().contains("dialled"));
    let ledger = sim.json("/sim/ledger").await;
    assert_eq!(ledger["calls"], json!([]));
    assert_eq!(ledger["violations"], json!([]));
}

#[tokio::test]
async fn lost_tool_call_is_in_the_messages_but_is_not_sent() {
    let (entry, receiver, sim) = play("+12125550190").await;
    assert_eq!(outcomes(&entry), ["APPOINTMENT_SET"]);
    assert_eq!(entry["reportedOutcomes"][0]["delivered"], false);
    assert_eq!(receiver.on("/tool").len(), 0);
    let messages = sim.messages(entry["callId"].as_str().unwrap()).await;
    let call = messages.iter().find(|one| one["role"] == "MESSAGE_ROLE_TOOL_CALL").unwrap();
    assert!(call["text"].as_str().unwrap().contains("APPOINTMENT_SET"));
    let result = messages.iter().find(|one| one["role"] == "MESSAGE_ROLE_TOOL_RESULT").unwrap();
    assert_eq!(result["invocationId"], call["invocationId"]);
    assert!(result["errorDetails"].is_string());
}

#[tokio::test]
async fn tool_used_twice_is_sent_twice() {
    let (entry, receiver, _) = play("+12125550191").await;
    assert_eq!(outcomes(&entry), ["APPOINTMENT_SET", "APPOINTMENT_SET"]);
    let hits = receiver.on("/tool");
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0].body, hits[1].body);
}

#[tokio::test]
async fn postponed_tool_call_is_sent_after_call_ended() {
    let (_, receiver, _) = play("+12125550192").await;
    receiver.expect("/tool", 1).await;
    let order = receiver.order();
    let at = |name: &str| order.iter().position(|hit| hit == name).unwrap();
    let ends = order.iter().filter(|hit| *hit == "call.ended").count();
    assert_eq!(ends, 2);
    let last_end = order.iter().rposition(|hit| hit == "call.ended").unwrap();
    assert!(last_end < at("/tool"), "{order:?}");
}

#[tokio::test]
async fn lost_webhooks_and_tool_calls_are_not_sent() {
    let (entry, receiver, _) = play("+12125550194").await;
    assert_eq!(outcomes(&entry), ["NOT_INTERESTED"]);
    for path in ["/webhook", "/callback", "/tool"] {
        assert_eq!(receiver.on(path).len(), 0, "{path}");
    }
}

#[tokio::test]
async fn silent_call_sends_no_request() {
    let (entry, receiver, _) = play("+12125550198").await;
    assert_eq!(entry["endReason"], "unjoined");
    assert_eq!(entry["rang"], true);
    assert_eq!(receiver.hits().len(), 0);
}

#[tokio::test]
async fn voicemail_is_in_the_messages() {
    let (entry, _, sim) = play("+12125550140").await;
    let messages = sim.messages(entry["callId"].as_str().unwrap()).await;
    let used: Vec<&Value> =
        messages.iter().filter(|one| one["toolName"] == "leaveVoicemail").collect();
    assert_eq!(used.len(), 2);
    assert_eq!(used[1]["text"], "[Leaving voicemail...]");
}

#[tokio::test]
async fn voicemail_without_a_selected_tool_is_a_violation() {
    let (sim, receiver) = (Sim::fast().await, Receiver::start().await);
    let mut body = call_to("+12125550140", &receiver);
    body["selectedTools"] = json!([]);
    let id = sim.create(&body).await;
    let entry = sim.finished(&id).await;
    assert_eq!(entry["endReason"], "hangup");
    assert!(sim.violations().await[0].as_str().unwrap().contains("leaveVoicemail"));
}

#[tokio::test]
async fn scenario_file_has_priority_over_endings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let scenarios = json!({
        "+12125550100": "busy",
        "+1212555": {
            "answer": {"answered": {"after_secs": 2}},
            "talk_secs": 12,
        },
    });
    std::fs::write(file.path(), scenarios.to_string()).unwrap();
    let sim = Sim::start(&["--speed", "5000", "--scenarios", file.path().to_str().unwrap()]).await;
    let receiver = Receiver::start().await;
    let busy = sim.create(&call_to("+12125550100", &receiver)).await;
    assert_eq!(sim.finished(&busy).await["leg"], "busy");
    let custom = sim.create(&call_to("+12125550101", &receiver)).await;
    let entry = sim.finished(&custom).await;
    assert_eq!(entry["scenario"], "custom");
    assert_eq!(entry["talkSeconds"], 12.0);
    assert_eq!(entry["endReason"], "hangup");
}
