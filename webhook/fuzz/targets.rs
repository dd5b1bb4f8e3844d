//! What is tried with every input: that it does no harm, and a property where there is one. The
//! fuzzer searches for inputs; the tests of `webhook` run those of the corpus again.

#![allow(dead_code, reason = "each fuzzer uses one of them")]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bootstrap::token::{Purpose, check, issue};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DialId, UserId};
use secrecy::SecretString;
use webhook::form::{self, Addressed, carrier, plain, provider, report};
use webhook::signature::{telnyx, ultravox};

const SECRET: &str = "a secret that no input knows";
/// The public half of the key of 32 bytes from 00 to 1f.
const PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_777_636_800, 0).expect("a moment of 2026")
}

/// Time, a newline, signatures: none of them is genuine, and a genuine one stays so beside them.
pub fn signature_headers(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (time, signature) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let secrets = [SecretString::from(SECRET)];
    let body = b"{}";
    let genuine = |time: &[u8], signature: &[u8]| {
        let headers = headers([(ultravox::TIMESTAMP, time), (ultravox::SIGNATURE, signature)]);
        ultravox::verify(&secrets, &headers, body, now(), TimeDelta::seconds(300)).is_ok()
    };
    assert!(!genuine(time, signature), "an input was taken for genuine");
    let sound = ultravox::sign(SECRET.as_bytes(), body, time);
    let alone = genuine(time, sound.as_bytes());
    // Eight signatures are looked at, of which the sound one is the first.
    let beside = [sound.as_bytes(), b",", signature].concat();
    let spoiled = HeaderValue::from_bytes(&beside).is_err();
    assert!(spoiled || genuine(time, &beside) == alone, "another signature spoils a sound one");
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(check([SECRET.as_bytes()], Purpose::Outcome, text), None);
        let token = issue(SECRET.as_bytes(), Purpose::Outcome, &DialId::new(text));
        let named = check([SECRET.as_bytes()], Purpose::Outcome, &token);
        assert_eq!(named.as_ref().map(DialId::as_str), Some(text));
    }
}

/// Time, a newline, a signature of the carrier: not genuine.
pub fn carrier_headers(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (time, signature) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let keys = [telnyx::public_key(PUBLIC_KEY).expect("a key")];
    let headers = headers([(telnyx::TIMESTAMP, time), (telnyx::SIGNATURE, signature)]);
    let genuine = telnyx::verify(&keys, &headers, b"a=b", now(), TimeDelta::seconds(300));
    assert!(genuine.is_err(), "an input was taken for genuine");
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = telnyx::public_key(text);
    }
}

/// The provider's form.
pub fn provider_body(data: &[u8]) {
    let Ok(body) = form::object(data) else { return };
    if let Ok(Some(addressed)) = provider::read(&body) {
        survives(&addressed);
    }
}

/// The plain form, with what may stand in the address.
pub fn plain_body(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (query, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let query = String::from_utf8_lossy(query);
    let conversation = form::query(&query, "conversationId");
    let user = form::query(&query, "userId").map(UserId::new);
    let Ok(body) = form::object(body) else { return };
    if let Ok(addressed) = plain::read(&body, conversation.as_deref(), user) {
        survives(&addressed);
    }
}

/// The carrier's forms.
pub fn carrier_form(data: &[u8]) {
    for dial in [None, Some(DialId::new("p1-1.1"))] {
        if let Ok(Some(addressed)) = carrier::read(data, dial) {
            survives(&addressed);
        }
    }
}

/// The arguments of the agent's tool.
pub fn report_arguments(data: &[u8]) {
    let Ok(body) = form::object(data) else { return };
    if let Ok(read) = report::read(&body, now()) {
        assert!(read.reported.time.is_none_or(|time| time > now()), "a time in the past was taken");
        assert!(read.reported.notes.is_none_or(|notes| notes.chars().count() <= 2_000));
        assert!(
            HeaderValue::from_str(&read.state).is_ok(),
            "the state is no header: {}",
            read.state
        );
    }
}

/// What is handed over can be read by the workflow as it was written.
fn survives(addressed: &Addressed) {
    let payload = serde_json::to_value(&addressed.message).expect("a message is JSON");
    let user = addressed.message.user_id.clone().unwrap_or_default();
    let read = workflows::events::read(payload, &user);
    assert_eq!(read.as_ref(), Some(&addressed.message), "a message is changed on its way");
    let _ = addressed.message.event.clone().facts();
}

fn headers<const N: usize>(fields: [(&'static str, &[u8]); N]) -> HeaderMap {
    let sound = |(name, value): (&'static str, &[u8])| {
        Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?))
    };
    fields.into_iter().filter_map(sound).collect()
}
