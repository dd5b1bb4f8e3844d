//! What senders show to be known as genuine, in our own words, so that a mistake of the service is not made here too.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The signature of a webhook, as Ultravox makes it: HMAC-SHA256 of body and time, in hexadecimal.
pub fn webhook(secret: &str, body: &[u8], time: &[u8]) -> String {
    hex(&mac(secret.as_bytes(), &[body, time]))
}

/// What the agent of a dial shows with the reports of its tool.
pub fn agent_token(secret: &str, dial: &str) -> String {
    token(secret, "outcome-token/1", dial)
}

/// What the address of the carrier's callbacks holds for a dial.
pub fn carrier_token(secret: &str, dial: &str) -> String {
    token(secret, "carrier-token/1", dial)
}

fn token(secret: &str, purpose: &str, dial: &str) -> String {
    let key = mac(secret.as_bytes(), &[purpose.as_bytes()]);
    format!("{}.{}", hex(dial.as_bytes()), hex(&mac(&key, &[dial.as_bytes()])))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_the_provider_signs_it() {
        let body =
            br#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;
        let signature = webhook("whsec_test_0123456789abcdef", body, b"2026-05-01T12:00:00Z");
        let known = "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040";
        assert_eq!(signature, known);
    }
}
