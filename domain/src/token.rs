//! The bearer token that lets the agent of one call report its outcome, and no other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ids::DialId;

/// The token of a dial under a secret of the service: 256 bits as 64 lower-case hex digits.
///
/// It is derived, not stored: whoever holds the secret can check it, and nobody can make the
/// token of one dial from that of another. The key is itself derived, so that the same secret
/// may sign webhooks without a signature ever being a token.
pub fn outcome_token(secret: &[u8], dial: &DialId) -> String {
    let key = mac(secret, b"outcome-token/1");
    mac(&key, dial.as_str().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_dial_and_by_secret() {
        let one = outcome_token(b"secret", &DialId::new("p1-1.1"));
        assert_eq!(one.len(), 64);
        assert_eq!(one, outcome_token(b"secret", &DialId::new("p1-1.1")));
        assert_ne!(one, outcome_token(b"secret", &DialId::new("p1-1.2")));
        assert_ne!(one, outcome_token(b"other", &DialId::new("p1-1.1")));
    }
}
