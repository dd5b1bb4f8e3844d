//! Signatures: HMAC-SHA256 for webhooks, Ed25519 for Telnyx's callbacks.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The HMAC-SHA256 of the body followed by the timestamp, in lower-case hex.
pub fn sign_webhook(secret: &str, body: &[u8], timestamp: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("an HMAC key may have any length");
    mac.update(body);
    mac.update(timestamp.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// One signature per secret, separated by commas.
pub fn sign_webhook_with_all(secrets: &[String], body: &[u8], timestamp: &str) -> String {
    let signatures: Vec<String> =
        secrets.iter().map(|secret| sign_webhook(secret, body, timestamp)).collect();
    signatures.join(",")
}

/// The key that signs Telnyx's callbacks, the same in every run.
#[derive(Debug, Clone)]
pub struct TelnyxKey(SigningKey);

impl TelnyxKey {
    /// The key of the seed `00 01 … 1f`.
    pub fn fixed() -> Self {
        Self(SigningKey::from_bytes(&std::array::from_fn(|index| index as u8)))
    }

    /// The public key in base64.
    pub fn public_key(&self) -> String {
        BASE64.encode(self.0.verifying_key().as_bytes())
    }

    /// The signature of `{timestamp}|{body}` in base64.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        let message = [timestamp.as_bytes(), b"|", body].concat();
        BASE64.encode(self.0.sign(&message).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test_0123456789abcdef";
    const BODY: &[u8] =
        br#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;

    #[test]
    fn webhook_signatures_match_known_vectors() {
        assert_eq!(
            sign_webhook(SECRET, BODY, "2026-05-01T12:00:00.123456+00:00"),
            "3def85c3f0aadae36f2601817f60cb721d91a03df4ac1781ec4888085aa29256"
        );
        assert_eq!(
            sign_webhook(SECRET, BODY, "2026-05-01T12:00:00Z"),
            "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040"
        );
    }

    #[test]
    fn every_secret_adds_one_signature() {
        let secrets = [SECRET.to_owned(), "another".to_owned()];
        let list = sign_webhook_with_all(&secrets, BODY, "2026-05-01T12:00:00Z");
        let parts: Vec<&str> = list.split(',').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], sign_webhook(SECRET, BODY, "2026-05-01T12:00:00Z"));
    }

    #[test]
    fn telnyx_signatures_match_a_known_vector() {
        let key = TelnyxKey::fixed();
        assert_eq!(key.public_key(), "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
        assert_eq!(
            key.sign("1767225600", b"CallSid=v3%3Aabc&CallStatus=no-answer"),
            "B64I8Tja5ELPcwf9cU9EcdqAXqEdNLZfU5kKxll9b5PKStRw67ROAZy9jo4Ozage1rRnDj148/hpdQNIBfy0Cw=="
        );
    }
}
