//! User webhook v1, sent by a user's own system:
//! `{"eventType": "call.completed", "conversationId": "…", …}`.

use chrono::{DateTime, Utc};
use domain::ids::{ConversationId, UserId};
use domain::report::ReportedOutcome;
use domain::status::Outcome;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflows::events::{CallEvent, EventMessage};

use super::fields::{OutcomeName, TalkSecs, Text, Timestamp};
use super::{JsonObject, Malformed, RoutedEvent, required, validate_id};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    event_type: Text,
    conversation_id: Text,
}

#[derive(Deserialize)]
struct Connected {
    timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Completed {
    duration: TalkSecs,
    transcript: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    failure_reason: Text,
    notes: Text,
}

/// The object `outcome` of a completed call.
#[derive(Deserialize)]
struct OutcomeFields {
    #[serde(rename = "type")]
    name: OutcomeName,
    notes: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Appointment {
    appointment_time: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Callback {
    callback_time: Timestamp,
}

/// Notes outside the object `outcome`; used if it has none.
#[derive(Deserialize)]
struct Notes {
    notes: Text,
}

/// Reads an event.
///
/// `query_id` is the conversation id of the query string; the body may omit its own. If `user` is
/// set, the event is signed with that user's secret: it applies to calls of that user only, and
/// `query_id`, which the signature does not cover, is ignored. A time too far from `now` is moved
/// to the notes.
pub fn read_event(
    body: &Map<String, Value>,
    query_id: Option<&str>,
    user: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<RoutedEvent, Malformed> {
    let body = JsonObject::root(body);
    let Webhook { event_type, conversation_id } = body.read()?;
    let event_type = required(event_type.0, "eventType")?;
    let conversation = resolve_conversation(conversation_id, query_id.filter(|_| user.is_none()))?;
    let event = match event_type.as_str() {
        // `callId` may be an id of another system, so it is not used as the provider's id.
        "call.started" => CallEvent::Started { provider_call_id: None },
        "call.connected" => {
            let Connected { timestamp } = body.read()?;
            CallEvent::Answered { provider_call_id: None, at: timestamp.0 }
        }
        "call.completed" => {
            let Completed { duration, transcript } = body.read()?;
            let report = read_report(&body)?.map(|report| report.checked_at(now));
            CallEvent::Completed { talk_secs: duration.0, transcript: transcript.0, report }
        }
        "call.failed" => {
            let Failed { failure_reason, notes } = body.read()?;
            CallEvent::Failed { reason: failure_reason.0.or(notes.0) }
        }
        _ => {
            let wanted = "must be call.started, call.connected, call.completed or call.failed";
            return Err(Malformed::new("eventType", wanted));
        }
    };
    Ok(RoutedEvent { conversation, message: EventMessage { dial_id: None, user_id: user, event } })
}

fn resolve_conversation(
    body_id: Text,
    query_id: Option<&str>,
) -> Result<ConversationId, Malformed> {
    let id = match (body_id.0, query_id) {
        (Some(in_body), Some(in_query)) if in_body != in_query => {
            let wanted = "differs between the body and the query string";
            return Err(Malformed::new("conversationId", wanted));
        }
        (Some(id), _) => id,
        (None, Some(id)) => id.to_owned(),
        (None, None) => return Err(Malformed::new("conversationId", "is missing")),
    };
    validate_id("conversationId", id).map(ConversationId::new)
}

fn read_report(body: &JsonObject<'_>) -> Result<Option<ReportedOutcome>, Malformed> {
    let Some(outcome) = body.object("outcome")? else { return Ok(None) };
    let OutcomeFields { name, notes } = outcome.read()?;
    let name = required(name.0, "outcome.type")?;
    let time = match name {
        Outcome::AppointmentSet => {
            let Appointment { appointment_time } = outcome.read()?;
            Some(required(appointment_time.0, "outcome.appointmentTime")?)
        }
        Outcome::CallbackRequested => {
            let Callback { callback_time } = outcome.read()?;
            Some(required(callback_time.0, "outcome.callbackTime")?)
        }
        _ => None,
    };
    let Notes { notes: notes_beside } = body.read()?;
    Ok(Some(ReportedOutcome { outcome: name, time, notes: notes.0.or(notes_beside.0) }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2025-02-25T14:00:00Z".parse().unwrap()
    }

    fn read_json(body: Value) -> Result<RoutedEvent, Malformed> {
        read_event(body.as_object().unwrap(), None, None, now())
    }

    #[test]
    fn documented_examples_are_read() {
        let completed = read_json(json!({
            "eventType": "call.completed", "conversationId": "C1", "duration": 240,
            "transcript": "Booked!",
            "outcome": {"type": "APPOINTMENT_SET", "appointmentTime": "2025-02-26T15:00:00Z"}
        }))
        .unwrap();
        assert_eq!(completed.conversation.as_str(), "C1");
        assert_eq!(
            completed.message.event,
            CallEvent::Completed {
                talk_secs: Some(240),
                transcript: Some("Booked!".into()),
                report: Some(ReportedOutcome {
                    outcome: Outcome::AppointmentSet,
                    time: Some("2025-02-26T15:00:00Z".parse().unwrap()),
                    notes: None,
                }),
            }
        );
        let failed = read_json(json!({
            "eventType": "call.failed", "conversationId": "C2", "failureReason": "Unreachable"
        }))
        .unwrap();
        assert_eq!(failed.message.event, CallEvent::Failed { reason: Some("Unreachable".into()) });
    }

    #[test]
    fn conversation_id_is_read_from_the_query_string() {
        let body = json!({"eventType": "call.failed"});
        let read = |query| read_event(body.as_object().unwrap(), query, None, now());
        assert_eq!(read(Some("C1")).unwrap().conversation.as_str(), "C1");
        assert_eq!(read(None).unwrap_err().field, "conversationId");
        assert_eq!(read(Some("")).unwrap_err().field, "conversationId");
        let of_user =
            read_event(body.as_object().unwrap(), Some("C1"), Some(UserId::new("u1")), now());
        assert_eq!(of_user.unwrap_err().field, "conversationId");
        let both = json!({"eventType": "call.failed", "conversationId": "C2"});
        assert!(read_event(both.as_object().unwrap(), Some("C1"), None, now()).is_err());
    }

    #[test]
    fn invalid_fields_are_named() {
        let completed = |outcome: Value| {
            json!({"eventType": "call.completed",
            "conversationId": "C1", "outcome": outcome})
        };
        for (body, field) in [
            (json!({"conversationId": "C1"}), "eventType"),
            (json!({"eventType": "call.unknown", "conversationId": "C1"}), "eventType"),
            (json!({"eventType": "call.failed"}), "conversationId"),
            (json!({"eventType": "call.failed", "conversationId": 7}), "conversationId"),
            (json!({"eventType": "call.failed", "conversationId": "a\nb"}), "conversationId"),
            (
                json!({"eventType": "call.failed", "conversationId": "x".repeat(201)}),
                "conversationId",
            ),
            (
                json!({"eventType": "call.completed", "conversationId": "C1", "duration": -1}),
                "duration",
            ),
            (
                json!({"eventType": "call.completed", "conversationId": "C1", "duration": 1e9}),
                "duration",
            ),
            (completed(json!("BOOKED")), "outcome"),
            (completed(json!({})), "outcome.type"),
            (completed(json!({"type": "MAYBE"})), "outcome.type"),
            (completed(json!({"type": "APPOINTMENT_SET"})), "outcome.appointmentTime"),
            (
                completed(json!({"type": "CALLBACK_REQUESTED", "callbackTime": "tomorrow"})),
                "outcome.callbackTime",
            ),
        ] {
            assert_eq!(read_json(body).unwrap_err().field, field);
        }
    }
}
