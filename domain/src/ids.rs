//! Identifiers, each a type of its own so that one can't be passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an identifier as it stands in the database.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
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
    /// A client of the service, who owns prospects, settings and a subscription.
    UserId
);
id!(
    /// A person to be called.
    ProspectId
);
id!(
    /// One planned call to one prospect: `<prospect id>-<n>`, n counting the prospect's calls.
    ConversationId
);
id!(
    /// One real request to ring a phone: `<conversation id>.<n>`, n counting its dials.
    DialId
);

impl ConversationId {
    /// The id of a prospect's n-th conversation, counted from 1.
    pub fn nth(prospect: &ProspectId, n: i32) -> Self {
        Self(format!("{prospect}-{n}"))
    }
}

impl DialId {
    /// The id of a conversation's n-th dial, counted from 1.
    pub fn nth(conversation: &ConversationId, n: i32) -> Self {
        Self(format!("{conversation}.{n}"))
    }

    /// The conversation that this dial belongs to, or nothing if the text is no dial id.
    pub fn conversation(&self) -> Option<ConversationId> {
        let (conversation, n) = self.0.rsplit_once('.')?;
        let counts = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        (counts && !conversation.is_empty()).then(|| ConversationId::new(conversation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dial_id_names_its_conversation() {
        let conversation = ConversationId::nth(&ProspectId::new("p1-id"), 3);
        assert_eq!(conversation.as_str(), "p1-id-3");
        let dial = DialId::nth(&conversation, 1);
        assert_eq!(dial.as_str(), "p1-id-3.1");
        assert_eq!(dial.conversation(), Some(conversation));
    }

    #[test]
    fn other_text_is_no_dial_id() {
        for text in ["", "p1-id-3", "p1.x", ".1", "p1."] {
            assert_eq!(DialId::new(text).conversation(), None, "{text:?}");
        }
    }
}
