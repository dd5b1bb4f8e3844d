//! `additionalParams`: what may be handed through to the carrier's call creation.

use serde_json::{Map, Value};

use super::Kind::{Choice, Flag, Is, Link, List, Short, Text, Whole};
use super::{Kind, Refusal, Shape, refuse};

/// Parameters that belong to whoever creates the call, never to its client.
const RESERVED: &[&str] = &[
    "To",
    "From",
    "ApplicationSid",
    "Url",
    "UrlMethod",
    "FallbackUrl",
    "Texml",
    "SuperviseCallSid",
];
const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];
const METHOD: Kind = Choice(&["GET", "POST"]);
const MILLIS: Kind = Whole(1, 60_000);

static PARAMS: Shape = Shape {
    name: "InitiateCallRequest",
    fields: &[
        ("StatusCallback", Link),
        ("StatusCallbackMethod", METHOD),
        ("StatusCallbackEvent", Text),
        ("Timeout", Whole(5, 120)),
        ("TimeLimit", Whole(30, 14_400)),
        ("CallerId", Short(128)),
        ("MachineDetection", Choice(&["Enable", "Disable", "DetectMessageEnd"])),
        ("DetectionMode", Choice(&["Regular", "Premium", "PremiumCallScreening"])),
        ("AsyncAmd", Flag),
        ("AsyncAmdStatusCallback", Link),
        ("AsyncAmdStatusCallbackMethod", METHOD),
        ("MachineDetectionTimeout", Whole(500, 60_000)),
        ("MachineDetectionSilenceTimeout", MILLIS),
        ("MachineDetectionSpeechThreshold", MILLIS),
        ("MachineDetectionSpeechEndThreshold", MILLIS),
        ("MachineDetectionPromptEndTimeout", MILLIS),
        ("MachineDetectionBeepProfile", Choice(&["both", "freq_only"])),
        ("CancelPlaybackOnMachineDetection", Flag),
        ("CancelPlaybackOnDetectMessageEnd", Flag),
        ("Record", Flag),
        ("RecordingChannels", Choice(&["mono", "dual"])),
        ("RecordingTrack", Choice(&["inbound", "outbound", "both"])),
        ("RecordingTimeout", Whole(0, 14_400)),
        ("RecordingStatusCallback", Link),
        ("RecordingStatusCallbackEvent", Text),
        ("RecordingStatusCallbackMethod", METHOD),
        ("SendRecordingUrl", Flag),
        ("Trim", Choice(&["trim-silence", "do-not-trim"])),
        ("CustomHeaders", List(&Is(&CUSTOM_HEADER))),
        ("PreferredCodecs", Text),
        ("MediaEncryption", Choice(&["disabled", "SRTP", "DTLS"])),
        ("SipRegion", Text),
        ("SipAuthUsername", Text),
        ("SipAuthPassword", Text),
        ("DeepfakeDetection", Flag),
        ("DeepfakeDetectionTimeout", MILLIS),
        ("DeepfakeDetectionCallback", Link),
    ],
};

static CUSTOM_HEADER: Shape =
    Shape { name: "CustomHeader", fields: &[("name", Text), ("value", Text)] };

/// Checks the parameters against the carrier's own table.
pub fn check(params: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(name) = params.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return refuse(format!(
            "additionalParams may not set {name}, which is filled in when the call is dialled"
        ));
    }
    let params = super::message(
        &PARAMS,
        &Value::Object(params.clone()),
        "medium.telnyx.outgoing.additionalParams",
    )?;
    let events = params.get("StatusCallbackEvent").and_then(Value::as_str);
    for event in events.unwrap_or("completed").split(' ') {
        if !EVENTS.contains(&event) {
            return refuse(format!("StatusCallbackEvent has no event named \"{event}\""));
        }
    }
    Ok(())
}
