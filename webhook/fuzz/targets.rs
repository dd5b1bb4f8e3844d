//! One function per fuzz target: it must not panic, and its assertions must hold for any input.
//! The tests of `webhook` run it on the corpus.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bootstrap::token::{Purpose, check, issue};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DialId, UserId};
use domain::script::{Values, fill};
use secrecy::SecretString;
use store::database_url::DatabaseUrl;
use webhook::payload::{
    RoutedEvent, agent_report, carrier, parse_object, provider, query_parameter, user_webhook,
};
use webhook::signature::{telnyx, ultravox};
use worker::csv_file::CsvFile;

const SECRET: &str = "a secret that no input contains";
/// The public half of the key of 32 bytes from 00 to 1f.
const PUBLIC_KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_777_636_800, 0).expect("a time in 2026")
}

/// Input: a script. What is filled in has no braces, and one line where the script has one.
pub fn script(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let values = Values {
        prospect_name: format!("Ann\n{{{{userName}}}} {text}"),
        user_name: "Bob\u{2028}\u{202e}".to_owned(),
        company_name: Some(text.clone().into_owned()),
        custom: [("size".to_owned(), text.clone().into_owned())].into(),
    };
    if let Ok(filled) = fill(&text, &values) {
        assert!(!filled.contains(['{', '}']), "a brace is left");
        assert_eq!(filled.lines().count(), text.lines().count(), "a value has lines of its own");
    }
}

/// Input: a CSV file. Nothing of a file that is accepted is lost.
pub fn csv_file(input: &[u8]) {
    let Ok(file) = CsvFile::parse(input) else { return };
    let Ok(records) = file.records().collect::<Result<Vec<_>, _>>() else { return };
    let is_kept = |c: &char| !c.is_whitespace() && *c != '"' && *c != file.delimiter();
    let kept = |text: &str| text.chars().filter(is_kept).collect::<String>();
    let read: String =
        records.iter().flat_map(|record| &record.cells).map(|cell| kept(cell)).collect();
    assert_eq!(read, kept(file.text()), "a part of the file is lost");
    assert!(records.windows(2).all(|pair| pair[0].line < pair[1].line), "lines are out of order");
}

/// Input: the address of a database. An error does not repeat it.
pub fn database_url(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let secret = "a-secret-that-no-sentence-contains";
    for text in [text.clone().into_owned(), format!("postgres://u:{secret}@h/d?{text}={secret}")] {
        match text.parse::<DatabaseUrl>() {
            Ok(url) => assert!(!format!("{url:?}").contains(secret), "a secret is shown"),
            Err(error) => assert!(!error.to_string().contains(secret), "{error}"),
        }
    }
}

/// Input: a time, a newline, signatures. They are invalid, and they don't change whether a valid
/// signature before them is accepted. The input as a token is invalid; as a dial id it survives.
pub fn webhook_signature(input: &[u8]) {
    let (time, signatures) = split_line(input);
    let secrets = [SecretString::from(SECRET)];
    let body = b"{}";
    let is_valid = |signatures: &[u8]| {
        let headers = headers([(ultravox::TIMESTAMP, time), (ultravox::SIGNATURE, signatures)]);
        ultravox::verify(&secrets, &headers, body, now(), TimeDelta::seconds(300)).is_ok()
    };
    assert!(!is_valid(signatures), "a forged signature was accepted");
    let valid = ultravox::sign(SECRET.as_bytes(), body, time);
    // The valid signature comes first, because only eight are read.
    let list = [valid.as_bytes(), b",", signatures].concat();
    if HeaderValue::from_bytes(&list).is_ok() {
        assert_eq!(is_valid(&list), is_valid(valid.as_bytes()), "a second signature matters");
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert_eq!(check([SECRET.as_bytes()], Purpose::Outcome, text), None);
        let token = issue(SECRET.as_bytes(), Purpose::Outcome, &DialId::new(text));
        let dial = check([SECRET.as_bytes()], Purpose::Outcome, &token);
        assert_eq!(dial.as_ref().map(DialId::as_str), Some(text));
    }
}

/// Input: a time, a newline, a signature of the carrier. It is invalid.
pub fn carrier_signature(input: &[u8]) {
    let (time, signature) = split_line(input);
    let keys = [telnyx::parse_public_key(PUBLIC_KEY).expect("a valid key")];
    let headers = headers([(telnyx::TIMESTAMP, time), (telnyx::SIGNATURE, signature)]);
    let verified = telnyx::verify(&keys, &headers, b"a=b", now(), TimeDelta::seconds(300));
    assert!(verified.is_err(), "a forged signature was accepted");
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = telnyx::parse_public_key(text);
    }
}

/// Input: the body of a provider's webhook.
pub fn provider_webhook(input: &[u8]) {
    let Ok(body) = parse_object(input) else { return };
    if let Ok(Some(event)) = provider::read_event(&body) {
        assert_round_trip(&event);
    }
}

/// Input: a query string, a newline, the body of a user webhook.
pub fn user_webhook(input: &[u8]) {
    let (query, body) = split_line(input);
    let query = String::from_utf8_lossy(query);
    let conversation = query_parameter(&query, "conversationId");
    let user = query_parameter(&query, "userId").map(UserId::new);
    let Ok(body) = parse_object(body) else { return };
    if let Ok(event) = user_webhook::read_event(&body, conversation.as_deref(), user, now()) {
        assert_round_trip(&event);
    }
}

/// Input: the body of a carrier's webhook.
pub fn carrier_webhook(input: &[u8]) {
    for dial in [None, Some(DialId::new("p1-1.1"))] {
        if let Ok(Some(event)) = carrier::read_event(input, dial) {
            assert_round_trip(&event);
        }
    }
}

/// Input: the arguments of the agent's tool.
pub fn report_arguments(input: &[u8]) {
    let Ok(body) = parse_object(input) else { return };
    if let Ok(report) = agent_report::read_report(&body, now()) {
        let agent_report::AgentReport { reported, call_state, .. } = report;
        assert!(reported.time.is_none_or(|time| time > now()), "a past time was accepted");
        assert!(reported.notes.is_none_or(|notes| notes.chars().count() <= 2_000));
        assert!(HeaderValue::from_str(&call_state).is_ok(), "not a header value: {call_state}");
    }
}

/// The workflow reads the message exactly as the webhook server wrote it.
fn assert_round_trip(event: &RoutedEvent) {
    let message = &event.message;
    let payload = serde_json::to_value(message).expect("a message is JSON");
    let user = message.user_id.clone().unwrap_or_else(|| UserId::new(""));
    let received = workflows::events::parse_message(&payload, &user);
    assert_eq!(received, workflows::events::Received::Event(message.clone()));
    let _ = message.event.clone().into_dial_events();
}

fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn headers<const N: usize>(fields: [(&'static str, &[u8]); N]) -> HeaderMap {
    let valid = |(name, value): (&'static str, &[u8])| {
        Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?))
    };
    fields.into_iter().filter_map(valid).collect()
}
