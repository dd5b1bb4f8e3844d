//! The medium of a call: its tables, and the rules for a number to dial.

use serde_json::{Map, Value};

use super::Kind::{Choice, Flag, Is, Object, Span, Text, Whole};
use super::{Kind, Refusal, Shape, carrier, refuse};

const SAMPLE_RATE: Kind = Whole(8_000, 48_000);

/// How the parties are connected.
pub static CALL_MEDIUM: Shape = Shape {
    name: "ultravox.v1.CallMedium",
    fields: &[
        ("webRtc", Is(&WEB_RTC)),
        ("twilio", Is(&TWILIO)),
        ("serverWebSocket", Is(&WEB_SOCKET)),
        ("telnyx", Is(&TELNYX)),
        ("plivo", Is(&PLIVO)),
        ("exotel", Is(&EXOTEL)),
        ("sip", Is(&SIP)),
    ],
};

static TELNYX: Shape = Shape {
    name: "ultravox.v1.CallMedium_TelnyxMedium",
    fields: &[("outgoing", Is(&TELNYX_OUTGOING)), ("dtmfHandling", Is(&DTMF))],
};

static TELNYX_OUTGOING: Shape = Shape {
    name: "ultravox.v1.TelnyxMedium_OutgoingRequestParams",
    fields: &[("to", Text), ("from", Text), ("additionalParams", Object)],
};

static DTMF: Shape = Shape {
    name: "ultravox.v1.CallMedium_DtmfHandling",
    fields: &[("ignore", Flag), ("userTextMessage", Is(&DTMF_TEXT))],
};

static DTMF_TEXT: Shape = Shape {
    name: "ultravox.v1.CallMedium_DtmfUserTextMessage",
    fields: &[
        ("text", Text),
        (
            "urgency",
            Choice(&["URGENCY_UNSPECIFIED", "URGENCY_IMMEDIATE", "URGENCY_SOON", "URGENCY_LATER"]),
        ),
    ],
};

static TWILIO: Shape = Shape {
    name: "ultravox.v1.CallMedium_TwilioMedium",
    fields: &[("outgoing", Object), ("dtmfHandling", Is(&DTMF))],
};

static PLIVO: Shape = Shape {
    name: "ultravox.v1.CallMedium_PlivoMedium",
    fields: &[("outgoing", Object), ("dtmfHandling", Is(&DTMF))],
};

static EXOTEL: Shape =
    Shape { name: "ultravox.v1.CallMedium_ExotelMedium", fields: &[("dtmfHandling", Is(&DTMF))] };

static SIP: Shape = Shape {
    name: "ultravox.v1.CallMedium_SipMedium",
    fields: &[("incoming", Object), ("outgoing", Object)],
};

static WEB_RTC: Shape = Shape {
    name: "ultravox.v1.CallMedium_WebRtcMedium",
    fields: &[("dataMessages", Is(&DATA_MESSAGES))],
};

static WEB_SOCKET: Shape = Shape {
    name: "ultravox.v1.CallMedium_WebSocketMedium",
    fields: &[
        ("inputSampleRate", SAMPLE_RATE),
        ("outputSampleRate", SAMPLE_RATE),
        ("clientBufferSizeMs", Whole(0, 60_000)),
        ("dataMessages", Is(&DATA_MESSAGES)),
        ("mediaIdleTimeout", Span),
    ],
};

/// Which data messages a participant gets.
pub static DATA_MESSAGES: Shape = Shape {
    name: "ultravox.v1.EnabledDataMessages",
    fields: &[
        ("pong", Flag),
        ("state", Flag),
        ("transcript", Flag),
        ("clientToolInvocation", Flag),
        ("dataConnectionToolInvocation", Flag),
        ("playbackClearBuffer", Flag),
        ("callStarted", Flag),
        ("debug", Flag),
        ("callEvent", Flag),
        ("toolUsed", Flag),
        ("userStartedSpeaking", Flag),
        ("userStoppedSpeaking", Flag),
        ("invokingTool", Flag),
    ],
};

/// At most one medium, dialled only through the carrier this account has.
pub fn check(body: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(medium) = body.get("medium").and_then(Value::as_object) else {
        return Ok(());
    };
    if medium.len() > 1 {
        return refuse("medium may hold only one kind of medium");
    }
    for (kind, details) in medium {
        let Some(outgoing) = details.get("outgoing") else {
            continue;
        };
        if kind != "telnyx" {
            return refuse(format!("this account has no {kind} configuration"));
        }
        for end in ["to", "from"] {
            let number = outgoing.get(end).and_then(Value::as_str);
            if !number.is_some_and(is_e164) {
                return refuse(format!(
                    "medium.telnyx.outgoing.{end} must be a phone number in E.164 format"
                ));
            }
        }
        if let Some(params) = outgoing.get("additionalParams").and_then(Value::as_object) {
            carrier::check(params)?;
        }
    }
    Ok(())
}

/// Whether a text is a phone number as the carrier wants it.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
