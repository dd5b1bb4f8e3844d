//! Texts that PostgreSQL or JSON can't hold, in every field of every payload.

use chrono::{DateTime, Utc};
use domain::ids::DialId;
use serde_json::{Map, Value, json};
use webhook::payload::agent_report::read_report;
use webhook::payload::{carrier, parse_object, provider, user_webhook};
use workflows::events::{CallEvent, EventMessage};

/// As JSON writes them: NUL, half an emoji, the other half.
const BAD_TEXTS: [&str; 3] = [r"\u0000", r"\ud83d", r"\ude00"];
const MARK: &str = "MARK";

/// The documents that have `bad` at the end of one of their texts.
fn documents_with(bad: &str, document: &Value) -> Vec<String> {
    marked(document).iter().map(|marked| marked.to_string().replace(MARK, bad)).collect()
}

/// The values that have a mark at the end of one of their texts.
fn marked(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => vec![json!(format!("{text}{MARK}"))],
        Value::Object(fields) => {
            let change = |(name, field): (&String, &Value)| {
                let (name, fields) = (name.clone(), fields.clone());
                let with = move |field| {
                    let mut fields: Map<String, Value> = fields.clone();
                    fields.insert(name.clone(), field);
                    Value::Object(fields)
                };
                marked(field).into_iter().map(with).collect::<Vec<_>>()
            };
            fields.iter().flat_map(change).collect()
        }
        _ => Vec::new(),
    }
}

/// The texts of a message, which activities pass to SQL.
fn assert_storable(message: &EventMessage, document: &str) {
    let text = serde_json::to_string(message).unwrap();
    assert!(!text.contains(r"\u0000"), "{document}: {text}");
}

fn provider_webhook() -> Value {
    json!({
        "event": "call.ended",
        "call": {
            "callId": "u1",
            "joined": "2026-05-01T12:00:14Z",
            "ended": "2026-05-01T12:02:03Z",
            "endReason": "agent_hangup",
            "shortSummary": "Booked",
            "metadata": {"dial_id": "p1-id-3.1"},
        },
    })
}

fn carrier_event() -> Value {
    json!({"data": {
        "event_type": "call.hangup",
        "payload": {"call_control_id": "v3:abc", "hangup_cause": "user_busy", "to": "+12125550100"},
    }})
}

fn user_webhooks() -> [Value; 3] {
    let outcome = json!({"type": "APPOINTMENT_SET", "appointmentTime": "2026-05-03T12:00:00Z",
        "notes": "at ten"});
    [
        json!({"eventType": "call.connected", "conversationId": "p1-1", "timestamp": "2026-05-01T12:00:14Z"}),
        json!({"eventType": "call.completed", "conversationId": "p1-1", "transcript": "Hello",
            "outcome": outcome, "notes": "beside"}),
        json!({"eventType": "call.failed", "conversationId": "p1-1", "failureReason": "no line",
            "notes": "beside"}),
    ]
}

fn now() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

#[test]
fn byte_order_mark_before_a_body_is_skipped() {
    for document in user_webhooks().into_iter().chain([provider_webhook(), carrier_event()]) {
        let body = format!("\u{feff}{document}");
        assert_eq!(Value::Object(parse_object(body.as_bytes()).unwrap()), document);
    }
    let body = format!("\u{feff}{}", carrier_event());
    let dial = Some(DialId::new("p1-1.1"));
    assert!(carrier::read_event(body.as_bytes(), dial).unwrap().is_some());
}

#[test]
fn bad_text_in_any_field_is_replaced_or_rejected() {
    for bad in BAD_TEXTS {
        for document in documents_with(bad, &provider_webhook()) {
            let body = parse_object(document.as_bytes()).unwrap();
            if let Ok(Some(event)) = provider::read_event(&body) {
                assert_storable(&event.message, &document);
            }
        }
        for document in documents_with(bad, &carrier_event()) {
            let dial = Some(DialId::new("p1-1.1"));
            if let Ok(Some(event)) = carrier::read_event(document.as_bytes(), dial) {
                assert_storable(&event.message, &document);
            }
        }
        for webhook in user_webhooks() {
            for document in documents_with(bad, &webhook) {
                let body = parse_object(document.as_bytes()).unwrap();
                if let Ok(event) = user_webhook::read_event(&body, None, None, now()) {
                    assert_storable(&event.message, &document);
                }
            }
        }
    }
}

#[test]
fn bad_text_in_free_text_loses_no_outcome() {
    for bad in BAD_TEXTS {
        let document = format!(r#"{{"outcome":"DO_NOT_CALL","notes":"never again{bad}"}}"#);
        let report = read_report(&parse_object(document.as_bytes()).unwrap(), now()).unwrap();
        assert_eq!(report.reported.notes.as_deref(), Some("never again\u{fffd}"));

        let document = format!(
            r#"{{"eventType":"call.completed","conversationId":"p1-1","transcript":"see you{bad}",
                "outcome":{{"type":"DO_NOT_CALL","notes":"{bad}"}}}}"#
        );
        let body = parse_object(document.as_bytes()).unwrap();
        let event = user_webhook::read_event(&body, None, None, now()).unwrap();
        let CallEvent::Completed { transcript, report, .. } = event.message.event else {
            panic!("{event:?}")
        };
        assert_eq!(transcript.as_deref(), Some("see you\u{fffd}"));
        assert_eq!(report.unwrap().notes.as_deref(), Some("\u{fffd}"));
    }
}

#[test]
fn bad_text_in_an_id_is_rejected() {
    for bad in BAD_TEXTS {
        for (id, field) in [("\"u1\"", "call.callId"), ("\"p1-id-3.1\"", "call.metadata.dial_id")] {
            let changed = format!("{}{bad}\"", &id[..id.len() - 1]);
            let document = provider_webhook().to_string().replace(id, &changed);
            let body = parse_object(document.as_bytes()).unwrap();
            assert_eq!(provider::read_event(&body).unwrap_err().field, field);
        }
    }
    for form in ["CallSid=a%00b&CallStatus=initiated", "CallSid=a%00&CallStatus=busy"] {
        let dial = Some(DialId::new("p1-1.1"));
        assert_eq!(carrier::read_event(form.as_bytes(), dial).unwrap_err().field, "CallSid");
    }
}
