//! Telnyx's forms: TeXML callbacks, form-encoded, and call-control events in JSON.

use std::collections::BTreeMap;

use domain::ids::DialId;
use serde_json::{Map, Value};
use workflows::events::{CallEvent, CarrierWord, Message};

use super::{Addressed, Malformed, object, text};

/// Reads an event; nothing if it says nothing that the call's workflow needs.
///
/// The dial is named by the address that we gave to the carrier: the body has no field of ours.
pub fn read(body: &[u8], dial: Option<DialId>) -> Result<Option<Addressed>, Malformed> {
    let is_json = body.trim_ascii_start().starts_with(b"{");
    let event = if is_json { call_control(&object(body)?)? } else { texml(body) };
    let Some(event) = event else { return Ok(None) };
    let Some(dial) = dial else {
        return Err(Malformed::new("dial", "is missing from the address"));
    };
    let conversation = dial
        .conversation()
        .ok_or_else(|| Malformed::new("dial", "must be the id of a dial, as p1-id-1.1"))?;
    let message = Message { dial_id: Some(dial.to_string()), user_id: None, event };
    Ok(Some(Addressed { conversation, message }))
}

fn texml(body: &[u8]) -> Option<CallEvent> {
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let leg = field("CallSid").map(str::to_owned);
    if let Some(who) = field("AnsweredBy") {
        return who.starts_with("machine").then(|| machine(leg));
    }
    let word = match field("CallStatus")? {
        "initiated" => return Some(carried(leg?)),
        "busy" => CarrierWord::Busy,
        "no-answer" | "canceled" => CarrierWord::NoAnswer,
        "failed" => cause(field("HangupCause").unwrap_or_default()),
        _ => return None,
    };
    Some(unreached(leg, word))
}

fn call_control(body: &Map<String, Value>) -> Result<Option<CallEvent>, Malformed> {
    let Some(Value::Object(data)) = body.get("data") else {
        return Err(Malformed::new("data", "must be an object"));
    };
    let Some(Value::Object(payload)) = data.get("payload") else {
        return Err(Malformed::new("data.payload", "must be an object"));
    };
    let path = "data.payload.";
    let leg = text(payload, path, "call_control_id")?.map(str::to_owned);
    let event = match text(data, "data.", "event_type")? {
        Some("call.initiated") => leg.map(carried),
        Some("call.hangup") => match text(payload, path, "hangup_cause")? {
            // After an answer this is how every call ends; the provider tells more of it.
            Some("normal_clearing" | "time_limit") | None => None,
            Some(word) => Some(unreached(leg, cause(word))),
        },
        Some("call.machine.detection.ended" | "call.machine.premium.detection.ended") => {
            let is_machine = text(payload, path, "result")? == Some("machine");
            is_machine.then(|| machine(leg))
        }
        _ => None,
    };
    Ok(event)
}

/// The carrier's word for why a leg failed.
fn cause(word: &str) -> CarrierWord {
    match word {
        "user_busy" => CarrierWord::Busy,
        "call_rejected" => CarrierWord::Rejected,
        "no_answer" | "timeout" | "originator_cancel" => CarrierWord::NoAnswer,
        "not_found" | "unallocated_number" | "invalid_number_format" => CarrierWord::InvalidNumber,
        _ => CarrierWord::Failed,
    }
}

fn carried(leg: String) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: Some(leg), unreached: None, machine: false }
}

fn unreached(leg: Option<String>, word: CarrierWord) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: leg, unreached: Some(word), machine: false }
}

fn machine(leg: Option<String>) -> CallEvent {
    CallEvent::Carrier { carrier_call_id: leg, unreached: None, machine: true }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str) -> Option<CallEvent> {
        read(body.as_bytes(), Some(DialId::new("p1-1.1")))
            .unwrap()
            .map(|addressed| addressed.message.event)
    }

    #[test]
    fn texml_callbacks_tell_why_nobody_was_reached() {
        let leg = || Some("v3:abc".to_owned());
        for (body, expected) in [
            ("CallStatus=initiated", Some(carried("v3:abc".into()))),
            ("CallStatus=ringing", None),
            ("CallStatus=in-progress", None),
            ("CallStatus=completed&HangupCause=normal_clearing", None),
            ("CallStatus=busy", Some(unreached(leg(), CarrierWord::Busy))),
            ("CallStatus=no-answer", Some(unreached(leg(), CarrierWord::NoAnswer))),
            ("CallStatus=canceled", Some(unreached(leg(), CarrierWord::NoAnswer))),
            (
                "CallStatus=failed&HangupCause=call_rejected",
                Some(unreached(leg(), CarrierWord::Rejected)),
            ),
            (
                "CallStatus=failed&HangupCause=not_found",
                Some(unreached(leg(), CarrierWord::InvalidNumber)),
            ),
            ("CallStatus=failed&HangupCause=new", Some(unreached(leg(), CarrierWord::Failed))),
            ("AnsweredBy=machine_start", Some(machine(leg()))),
            ("AnsweredBy=machine", Some(machine(leg()))),
            ("AnsweredBy=human", None),
            ("CallStatus=strange", None),
            ("", None),
        ] {
            let body = format!("CallSid=v3%3Aabc&{body}");
            assert_eq!(event(&body), expected, "{body}");
        }
    }

    #[test]
    fn call_control_events_tell_the_same() {
        let hangup = |cause: &str| {
            json!({"data": {"event_type": "call.hangup",
                "payload": {"call_control_id": "v3:abc", "hangup_cause": cause}}})
            .to_string()
        };
        let leg = || Some("v3:abc".to_owned());
        assert_eq!(event(&hangup("user_busy")), Some(unreached(leg(), CarrierWord::Busy)));
        assert_eq!(event(&hangup("normal_clearing")), None);
        let detected = json!({"data": {"event_type": "call.machine.detection.ended",
            "payload": {"call_control_id": "v3:abc", "result": "machine"}}});
        assert_eq!(event(&detected.to_string()), Some(machine(leg())));
    }

    #[test]
    fn the_dial_is_named_by_the_address() {
        let missing = super::read(b"CallSid=a&CallStatus=busy", None).unwrap_err();
        assert_eq!(missing.field, "dial");
        let odd = Some(DialId::new("p1"));
        assert!(super::read(b"CallSid=a&CallStatus=busy", odd).is_err());
    }
}
