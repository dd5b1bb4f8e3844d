//! The plain form: `{"eventType": "call.completed", "conversationId": "…", …}`.

use domain::ids::{ConversationId, UserId};
use domain::report::{Report, Source};
use domain::status::Outcome;
use serde_json::{Map, Value};
use workflows::events::{CallEvent, Message, Reported};

use super::{Addressed, Malformed, moment, sound_id, text};

/// Longest talk that is believed, in seconds: a day.
const LONGEST_TALK_SECS: f64 = 86_400.0;

/// Reads an event; the conversation may stand in the query instead of the body. If it is that
/// user's word, it counts for calls of that user alone, and names the conversation in the body.
pub fn read(
    body: &Map<String, Value>,
    query: Option<&str>,
    user: Option<UserId>,
) -> Result<Addressed, Malformed> {
    let kind =
        text(body, "", "eventType")?.ok_or_else(|| Malformed::new("eventType", "is missing"))?;
    let conversation = conversation(body, query.filter(|_| user.is_none()))?;
    let event = match kind {
        // Whose id `callId` is can't be told in this form, so it is not taken for the provider's.
        "call.started" => CallEvent::Started { provider_call_id: None },
        "call.connected" => {
            CallEvent::Joined { provider_call_id: None, at: moment(body, "", "timestamp")? }
        }
        "call.completed" => CallEvent::Completed {
            talk_secs: duration(body)?,
            transcript: text(body, "", "transcript")?.map(str::to_owned),
            report: report(body)?,
        },
        "call.failed" => CallEvent::Failed {
            reason: text(body, "", "failureReason")?
                .or(text(body, "", "notes")?)
                .map(str::to_owned),
        },
        _ => {
            let wanted = "must be call.started, call.connected, call.completed or call.failed";
            return Err(Malformed::new("eventType", wanted));
        }
    };
    let user_id = user.map(|user| user.to_string());
    Ok(Addressed { conversation, message: Message { dial_id: None, user_id, event } })
}

fn conversation(
    body: &Map<String, Value>,
    query: Option<&str>,
) -> Result<ConversationId, Malformed> {
    let signed = text(body, "", "conversationId")?;
    match (signed, query) {
        (Some(signed), Some(query)) if signed != query => {
            let wanted = "differs between the body and the address";
            Err(Malformed::new("conversationId", wanted))
        }
        (Some(id), _) | (None, Some(id)) => {
            Ok(ConversationId::new(sound_id("conversationId", id)?))
        }
        (None, None) => Err(Malformed::new("conversationId", "is missing")),
    }
}

/// Seconds of talk, a started one counted whole.
fn duration(body: &Map<String, Value>) -> Result<Option<i64>, Malformed> {
    match body.get("duration") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(secs) if (0.0..=LONGEST_TALK_SECS).contains(&secs) => Ok(Some(secs.ceil() as i64)),
            _ => Err(Malformed::new("duration", "must be seconds, from 0 to 86400")),
        },
    }
}

fn report(body: &Map<String, Value>) -> Result<Option<Reported>, Malformed> {
    let outcome = match body.get("outcome") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(outcome)) => outcome,
        Some(_) => return Err(Malformed::new("outcome", "must be an object")),
    };
    let kind = text(outcome, "outcome.", "type")?
        .ok_or_else(|| Malformed::new("outcome.type", "is missing"))?;
    let kind = Outcome::parse(kind).ok_or_else(|| {
        let words: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        Malformed::new("outcome.type", format!("must be one of {}", words.join(", ")))
    })?;
    let field = match kind {
        Outcome::AppointmentSet => Some("appointmentTime"),
        Outcome::CallbackRequested => Some("callbackTime"),
        _ => None,
    };
    let time = match field {
        Some(field) => moment(outcome, "outcome.", field)?,
        None => None,
    };
    let notes = text(outcome, "outcome.", "notes")?.or(text(body, "", "notes")?);
    let notes = notes.map(str::to_owned);
    // Made to see that nothing is missing; the workflow makes it again from its parts.
    Report::new(kind, time, notes.clone(), Source::Client).map_err(|_| {
        Malformed::new(format!("outcome.{}", field.unwrap_or("time")), "is missing")
    })?;
    Ok(Some(Reported { outcome: kind, time, notes }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(body: Value) -> Result<Addressed, Malformed> {
        read(body.as_object().unwrap(), None, None)
    }

    #[test]
    fn the_examples_of_the_plain_form_are_read() {
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
                report: Some(Reported {
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
    fn the_conversation_may_stand_in_the_address() {
        let body = json!({"eventType": "call.failed"});
        let read = |query| read(body.as_object().unwrap(), query, None);
        assert_eq!(read(Some("C1")).unwrap().conversation.as_str(), "C1");
        assert_eq!(read(None).unwrap_err().field, "conversationId");
        assert_eq!(read(Some("")).unwrap_err().field, "conversationId");
        let of_user = super::read(body.as_object().unwrap(), Some("C1"), Some(UserId::new("u1")));
        assert_eq!(of_user.unwrap_err().field, "conversationId");
        let both = json!({"eventType": "call.failed", "conversationId": "C2"});
        assert!(super::read(both.as_object().unwrap(), Some("C1"), None).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let completed = |outcome: Value| {
            json!({"eventType": "call.completed",
            "conversationId": "C1", "outcome": outcome})
        };
        for (body, field) in [
            (json!({"conversationId": "C1"}), "eventType"),
            (json!({"eventType": "call.sang", "conversationId": "C1"}), "eventType"),
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
