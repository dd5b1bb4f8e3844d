//! Tokens that authenticate reports on one dial.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use domain::ids::{self, DialId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a token authenticates. A token is valid for one purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The agent of the dial reports its outcome.
    Outcome,
    /// The carrier reports on the dial's leg; the token is part of the callback URL.
    Carrier,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Outcome => b"outcome-token/1",
            Self::Carrier => b"carrier-token/1",
        }
    }
}

/// The length of a tag in bytes: 128 bits can't be guessed, and the token fits into the addresses that senders accept.
const TAG_BYTES: usize = 16;
/// The length of a tag in base64.
const TAG_CHARS: usize = 22;
/// Begins an id that is written as it is.
const PLAIN: char = '.';
/// Begins an id in base64.
const ENCODED: char = '~';
/// The longest token of a dial whose prospect has a valid id, in characters, which are ASCII.
pub const MAX_LENGTH: usize = TAG_CHARS + 1 + ids::MAX_DIAL_BYTES;

/// Issues the token of a dial under a secret of the service: an HMAC-SHA256, cut to 128 bits and in base64url, and the
/// dial's id, in base64url if an address could not contain it as it is.
///
/// The token is derived, not stored; the secret is enough to check it. Its key is derived from the secret by purpose, so
/// that the same secret can sign webhooks and a signature is never a token. The token contains its dial, so that it can be
/// checked before the request is read.
pub fn issue(secret: &[u8], purpose: Purpose, dial: &DialId) -> String {
    let id = dial.as_str();
    let tag = mac(secret, purpose, id.as_bytes()).finalize().into_bytes();
    let tag = BASE64.encode(&tag[..TAG_BYTES]);
    match ids::is_url_safe(id) {
        true => format!("{tag}{PLAIN}{id}"),
        false => format!("{tag}{ENCODED}{}", BASE64.encode(id)),
    }
}

/// Returns the dial of a token that was issued for `purpose` with one of the secrets; `None` if the token is invalid.
/// Compares in constant time.
pub fn check<'s>(
    secrets: impl IntoIterator<Item = &'s [u8]>,
    purpose: Purpose,
    token: &str,
) -> Option<DialId> {
    let (tag, id) = token.split_at_checked(TAG_CHARS)?;
    let tag = BASE64.decode(tag).ok().filter(|tag| tag.len() == TAG_BYTES)?;
    let id = parse_id(id)?;
    let mut valid = false;
    for secret in secrets {
        valid |= mac(secret, purpose, id.as_bytes()).verify_truncated_left(&tag).is_ok();
    }
    valid.then(|| DialId::new(id))
}

/// Parses the id of a token, in its only spelling.
fn parse_id(text: &str) -> Option<String> {
    if let Some(id) = text.strip_prefix(PLAIN) {
        return ids::is_url_safe(id).then(|| id.to_owned());
    }
    let id = String::from_utf8(BASE64.decode(text.strip_prefix(ENCODED)?).ok()?).ok()?;
    (!ids::is_url_safe(&id)).then_some(id)
}

fn mac(secret: &[u8], purpose: Purpose, id: &[u8]) -> Hmac<Sha256> {
    let keyed = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(message);
        mac
    };
    keyed(&keyed(secret, purpose.label()).finalize().into_bytes(), id)
}

#[cfg(test)]
mod tests {
    use domain::ids::{ConversationId, ProspectId};

    use super::*;

    const SECRETS: [&[u8]; 2] = [b"the new secret", b"the old secret"];

    #[test]
    fn token_contains_its_dial_and_is_valid_for_its_purpose_only() {
        for dial in ["p1-1.1", "p é/1-1.1", "", "?", "~"].map(DialId::new) {
            for secret in SECRETS {
                let token = issue(secret, Purpose::Outcome, &dial);
                assert!(ids::is_url_safe(&token), "{token}");
                assert_eq!(check(SECRETS, Purpose::Outcome, &token), Some(dial.clone()));
                assert_eq!(check(SECRETS, Purpose::Carrier, &token), None);
            }
        }
        let with_another_secret =
            issue(b"another secret", Purpose::Outcome, &DialId::new("p1-1.1"));
        assert_eq!(check(SECRETS, Purpose::Outcome, &with_another_secret), None);
        let without_secrets = issue(b"", Purpose::Outcome, &DialId::new("p1-1.1"));
        assert_eq!(check([], Purpose::Outcome, &without_secrets), None);
    }

    #[test]
    fn token_with_a_changed_character_is_invalid() {
        for dial in ["p1-1.1", "p é/1-1.1"] {
            let token = issue(SECRETS[0], Purpose::Outcome, &DialId::new(dial));
            for index in 0..token.len() {
                for other in (0x20..0x7f_u8).filter(|other| *other != token.as_bytes()[index]) {
                    let mut changed = token.clone().into_bytes();
                    changed[index] = other;
                    let changed = String::from_utf8(changed).unwrap();
                    assert_eq!(check(SECRETS, Purpose::Outcome, &changed), None, "{changed}");
                }
            }
            let tag = &token[..TAG_CHARS];
            let other_spelling = format!("{tag}{ENCODED}{}", BASE64.encode("p1-1.1"));
            for malformed in [
                "",
                ".",
                "7031",
                tag,
                &token[..token.len() - 1],
                &format!("{token}00"),
                &other_spelling,
                "ééééééééééé.",
            ] {
                assert_eq!(check(SECRETS, Purpose::Outcome, malformed), None, "{malformed:?}");
            }
        }
    }

    #[test]
    fn token_of_every_valid_prospect_fits() {
        let ids = (1..=64).flat_map(|length| {
            let of = |part: &str| part.repeat(length).chars().take(length).collect::<String>();
            ["a", "9-._~", "é", "a b", "𝄞", "/?&=#%+@:\"\\"].map(of)
        });
        let valid: Vec<String> = ids.filter(|id| ProspectId::parse(id).is_ok()).collect();
        assert!(valid.len() > 64);
        for id in valid {
            for (call, dial) in [(1, 1), (ids::MAX_CONVERSATIONS, ids::MAX_DIALS)] {
                let dial = DialId::nth(&ConversationId::nth(&ProspectId::new(&id), call), dial);
                let token = issue(SECRETS[0], Purpose::Carrier, &dial);
                assert!(token.len() <= MAX_LENGTH, "{} characters: {token}", token.len());
                assert_eq!(check(SECRETS, Purpose::Carrier, &token), Some(dial));
            }
        }
    }
}
