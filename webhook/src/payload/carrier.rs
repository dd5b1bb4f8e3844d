//! Telnyx's webhooks: TeXML callbacks, form-encoded, and call-control events in JSON.

use std::collections::BTreeMap;

use domain::facts::HangupCause;
use domain::ids::DialId;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflows::events::{CallEvent, EventMessage};

use super::fields::Text;
use super::{
    JsonObject, Malformed, RoutedEvent, parse_object, required, validate_id, without_mark,
};

/// The object `data` of a call-control event.
#[derive(Deserialize)]
struct Data {
    event_type: Text,
}

#[derive(Deserialize)]
struct Leg {
    call_control_id: Text,
}

#[derive(Deserialize)]
struct Hangup {
    hangup_cause: Text,
}

#[derive(Deserialize)]
struct Detection {
    result: Text,
}

/// Reads an event; `None` if the workflow has no use for it.
///
/// `dial` comes from the callback URL that we gave to Telnyx: the body has no field of ours.
pub fn read_event(body: &[u8], dial: Option<DialId>) -> Result<Option<RoutedEvent>, Malformed> {
    let is_json = without_mark(body).trim_ascii_start().starts_with(b"{");
    let event = if is_json { read_call_control(&parse_object(body)?) } else { read_texml(body) }?;
    let Some(event) = event else { return Ok(None) };
    let dial = required(dial, "dial")?;
    let conversation = dial
        .conversation()
        .ok_or_else(|| Malformed::new("dial", "must be the id of a dial, such as p1-id-1.1"))?;
    let message = EventMessage { dial_id: Some(dial), user_id: None, event };
    Ok(Some(RoutedEvent { conversation, message }))
}

fn read_texml(body: &[u8]) -> Result<Option<CallEvent>, Malformed> {
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let leg = read_leg("CallSid", field("CallSid").map(str::to_owned))?;
    if let Some(answered_by) = field("AnsweredBy") {
        let is_machine = ["machine", "fax"].iter().any(|word| answered_by.starts_with(word));
        return Ok(is_machine.then(|| machine(leg)));
    }
    let cause = match field("CallStatus").unwrap_or_default() {
        "initiated" => return Ok(leg.map(leg_started)),
        "busy" => HangupCause::Busy,
        "no-answer" | "canceled" => HangupCause::NoAnswer,
        "failed" => parse_cause(field("HangupCause").unwrap_or_default()),
        _ => return Ok(None),
    };
    Ok(Some(unreached(leg, cause)))
}

fn read_leg(field: &str, id: Option<String>) -> Result<Option<String>, Malformed> {
    id.map(|id| validate_id(field, id)).transpose()
}

fn read_call_control(body: &Map<String, Value>) -> Result<Option<CallEvent>, Malformed> {
    let data = required(JsonObject::root(body).object("data")?, "data")?;
    let payload = required(data.object("payload")?, "data.payload")?;
    let Data { event_type } = data.read()?;
    let leg = payload.read::<Leg>()?.call_control_id.0;
    let leg = read_leg("data.payload.call_control_id", leg)?;
    let event = match event_type.0.as_deref() {
        Some("call.initiated") => leg.map(leg_started),
        Some("call.hangup") => match payload.read::<Hangup>()?.hangup_cause.0.as_deref() {
            // Every answered call ends like this; the provider's event says more.
            Some("normal_clearing" | "time_limit") | None => None,
            Some(cause) => Some(unreached(leg, parse_cause(cause))),
        },
        Some("call.machine.detection.ended" | "call.machine.premium.detection.ended") => {
            let result = payload.read::<Detection>()?.result.0;
            matches!(result.as_deref(), Some("machine" | "fax_detected")).then(|| machine(leg))
        }
        _ => None,
    };
    Ok(event)
}

/// Telnyx's hangup cause.
fn parse_cause(cause: &str) -> HangupCause {
    match cause {
        "user_busy" => HangupCause::Busy,
        "call_rejected" => HangupCause::Rejected,
        "no_answer" | "timeout" | "originator_cancel" => HangupCause::NoAnswer,
        "not_found" | "unallocated_number" | "invalid_number_format" => HangupCause::InvalidNumber,
        _ => HangupCause::Failed,
    }
}

fn leg_started(leg: String) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: Some(leg), unreached: None, machine: false }
}

fn unreached(leg: Option<String>, cause: HangupCause) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: leg, unreached: Some(cause), machine: false }
}

fn machine(leg: Option<String>) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: leg, unreached: None, machine: true }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str) -> Option<CallEvent> {
        read_event(body.as_bytes(), Some(DialId::new("p1-1.1")))
            .unwrap()
            .map(|event| event.message.event)
    }

    #[test]
    fn texml_callbacks_are_read() {
        let leg = || Some("v3:abc".to_owned());
        for (body, expected) in [
            ("CallStatus=initiated", Some(leg_started("v3:abc".into()))),
            ("CallStatus=ringing", None),
            ("CallStatus=in-progress", None),
            ("CallStatus=completed&HangupCause=normal_clearing", None),
            ("CallStatus=busy", Some(unreached(leg(), HangupCause::Busy))),
            ("CallStatus=no-answer", Some(unreached(leg(), HangupCause::NoAnswer))),
            ("CallStatus=canceled", Some(unreached(leg(), HangupCause::NoAnswer))),
            (
                "CallStatus=failed&HangupCause=call_rejected",
                Some(unreached(leg(), HangupCause::Rejected)),
            ),
            (
                "CallStatus=failed&HangupCause=not_found",
                Some(unreached(leg(), HangupCause::InvalidNumber)),
            ),
            ("CallStatus=failed&HangupCause=new", Some(unreached(leg(), HangupCause::Failed))),
            ("AnsweredBy=machine_start", Some(machine(leg()))),
            ("AnsweredBy=machine", Some(machine(leg()))),
            ("AnsweredBy=fax", Some(machine(leg()))),
            ("AnsweredBy=human", None),
            ("AnsweredBy=unknown", None),
            ("CallStatus=unknown", None),
            ("", None),
        ] {
            let body = format!("CallSid=v3%3Aabc&{body}");
            assert_eq!(event(&body), expected, "{body}");
        }
    }

    #[test]
    fn call_control_events_are_read() {
        let hangup = |cause: &str| {
            json!({"data": {"event_type": "call.hangup",
                "payload": {"call_control_id": "v3:abc", "hangup_cause": cause}}})
            .to_string()
        };
        let leg = || Some("v3:abc".to_owned());
        assert_eq!(event(&hangup("user_busy")), Some(unreached(leg(), HangupCause::Busy)));
        assert_eq!(event(&hangup("normal_clearing")), None);
        let detected = json!({"data": {"event_type": "call.machine.detection.ended",
            "payload": {"call_control_id": "v3:abc", "result": "machine"}}});
        assert_eq!(event(&detected.to_string()), Some(machine(leg())));
    }

    #[test]
    fn missing_or_invalid_dial_is_malformed() {
        let missing = read_event(b"CallSid=a&CallStatus=busy", None).unwrap_err();
        assert_eq!(missing.field, "dial");
        let odd = Some(DialId::new("p1"));
        assert!(read_event(b"CallSid=a&CallStatus=busy", odd).is_err());
    }
}
