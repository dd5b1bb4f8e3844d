//! Signatures and tokens of webhook senders. Written independently of the product, so that both can't share a mistake.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Ultravox's signature of a webhook: HMAC-SHA256 of body and timestamp, in hexadecimal.
pub fn webhook_signature(secret: &str, body: &[u8], time: &[u8]) -> String {
    hex::encode(mac(secret.as_bytes(), &[body, time]))
}

/// The bearer token with which the agent of a dial reports an outcome.
pub fn agent_token(secret: &str, dial: &str) -> String {
    token(secret, "outcome-token/1", dial)
}

/// The token in the URL of a dial's carrier callbacks.
pub fn carrier_token(secret: &str, dial: &str) -> String {
    token(secret, "carrier-token/1", dial)
}

fn token(secret: &str, purpose: &str, dial: &str) -> String {
    let key = mac(secret.as_bytes(), &[purpose.as_bytes()]);
    let tag = URL_SAFE_NO_PAD.encode(&mac(&key, &[dial.as_bytes()])[..16]);
    let is_plain = dial.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    if is_plain {
        format!("{tag}.{dial}")
    } else {
        format!("{tag}~{}", URL_SAFE_NO_PAD.encode(dial))
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhook_signature_matches_known_value() {
        let body =
            br#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;
        let signature =
            webhook_signature("whsec_test_0123456789abcdef", body, b"2026-05-01T12:00:00Z");
        let known = "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040";
        assert_eq!(signature, known);
    }
}
