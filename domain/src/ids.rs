//! Identifiers: one type each, so that they can't be confused.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier as stored in the database.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A customer of the service: owner of prospects, settings and a subscription.
    UserId
);
/// The longest id of a prospect in bytes, if an address can contain it as it is.
pub const MAX_PROSPECT_BYTES: usize = 64;
/// The longest other id of a prospect in bytes.
const MAX_ENCODED_PROSPECT_BYTES: usize = 40;
/// Conversations of one prospect that ids are laid out for: more than a plan run every five minutes for a year.
pub const MAX_CONVERSATIONS: i32 = 99_999;
/// Dials of one conversation that ids are laid out for: each is a reset by an operator.
pub const MAX_DIALS: i32 = 999;
/// The longest id of a dial in bytes: the prospect's id, `-`, five digits, `.`, three digits.
pub const MAX_DIAL_BYTES: usize = MAX_PROSPECT_BYTES + 10;

id!(
    /// A person to be called.
    ProspectId
);
id!(
    /// One planned call to one prospect: `<prospect id>-<n>`, n counting the prospect's conversations from 1.
    ConversationId
);
id!(
    /// One request to ring a phone: `<conversation id>.<n>`, n counting its dials from 1.
    DialId
);

/// The text is no id of a prospect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an id has at most {MAX_PROSPECT_BYTES} letters, digits and -._~, or at most {MAX_ENCODED_PROSPECT_BYTES} bytes with \
    other characters, and no control characters"
)]
pub struct InvalidProspectId;

impl ProspectId {
    /// Checks a new id, as the table does: ids become part of addresses, headers and file names.
    pub fn parse(text: &str) -> Result<Self, InvalidProspectId> {
        let max = if is_url_safe(text) { MAX_PROSPECT_BYTES } else { MAX_ENCODED_PROSPECT_BYTES };
        let is_readable = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
        let valid = (1..=max).contains(&text.len()) && text.chars().all(is_readable);
        valid.then(|| Self::new(text)).ok_or(InvalidProspectId)
    }
}

/// Whether an address can contain a text as it is (RFC 3986, unreserved characters).
pub fn is_url_safe(text: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_safe)
}

impl ConversationId {
    /// The id of a prospect's n-th conversation, counted from 1.
    pub fn nth(prospect: &ProspectId, n: i32) -> Self {
        Self(format!("{prospect}-{n}"))
    }

    /// The prospect of this conversation; `None` if the text is not a conversation id.
    pub fn prospect(&self) -> Option<ProspectId> {
        counted(&self.0, '-').map(ProspectId::new)
    }
}

impl DialId {
    /// The id of a conversation's n-th dial, counted from 1.
    pub fn nth(conversation: &ConversationId, n: i32) -> Self {
        Self(format!("{conversation}.{n}"))
    }

    /// The conversation of this dial; `None` if the text is not a dial id.
    pub fn conversation(&self) -> Option<ConversationId> {
        counted(&self.0, '.').map(ConversationId::new)
    }
}

/// What comes before a separator and a count.
fn counted(id: &str, separator: char) -> Option<&str> {
    let (before, n) = id.rsplit_once(separator)?;
    let counts = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    (counts && !before.is_empty()).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dial_id_contains_its_conversation_id() {
        let conversation = ConversationId::nth(&ProspectId::new("p1-id"), 3);
        assert_eq!(conversation.as_str(), "p1-id-3");
        let dial = DialId::nth(&conversation, 1);
        assert_eq!(dial.as_str(), "p1-id-3.1");
        assert_eq!(dial.conversation(), Some(conversation.clone()));
        assert_eq!(conversation.prospect(), Some(ProspectId::new("p1-id")));
    }

    #[test]
    fn prospect_id_is_short_and_printable() {
        for valid in ["p1-id", "Kö 1/2", &"a".repeat(64), &"é".repeat(20)] {
            assert!(ProspectId::parse(valid).is_ok(), "{valid}");
        }
        for invalid in
            ["", "a\tb", "\u{fffd}", "\u{85}", &"a".repeat(65), &"é".repeat(21), &"a b".repeat(14)]
        {
            let sentence = ProspectId::parse(invalid).unwrap_err().to_string();
            assert!(sentence.contains("at most 64") && sentence.contains("40 bytes"), "{sentence}");
        }
    }

    #[test]
    fn other_text_has_no_conversation() {
        for text in ["", "p1-id-3", "p1.x", ".1", "p1."] {
            assert_eq!(DialId::new(text).conversation(), None, "{text:?}");
            let conversation = ConversationId::new(text.replace('.', "-").replace("id-3", "id"));
            assert_eq!(conversation.prospect(), None, "{conversation}");
        }
    }
}
