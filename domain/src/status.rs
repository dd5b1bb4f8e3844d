//! The states of prospects, conversations and subscriptions, spelled as in the database.

macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value as it is spelled in the database and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value that is spelled so, if there is one.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use spelled;

spelled! {
    /// Where a prospect stands.
    ProspectStatus {
        /// Never called.
        Initial = "INITIAL",
        /// Asked to be called back at a time.
        Rescheduled = "RESCHEDULED",
        /// Was called and did not answer, or said nothing that counts.
        NotResponded = "NOT_RESPONDED",
        /// The last call could not be made.
        Failed = "FAILED",
        /// Has an appointment.
        Booked = "BOOKED",
        /// Declined.
        NotInterested = "NOT_INTERESTED",
        /// Asked never to be called again.
        DoNotCall = "DO_NOT_CALL",
    }
}

impl ProspectStatus {
    /// Whether a prospect in this state may be called at all.
    pub fn is_callable(self) -> bool {
        matches!(self, Self::Initial | Self::Rescheduled | Self::NotResponded | Self::Failed)
    }
}

spelled! {
    /// Where a conversation stands. The first three are *open*: a prospect has at most one such.
    ConversationStatus {
        /// Planned for its slot.
        Scheduled = "SCHEDULED",
        /// Admitted by the guard; a phone may ring.
        Dialing = "DIALING",
        /// Answered.
        InProgress = "IN_PROGRESS",
        /// Over, with or without an outcome.
        Completed = "COMPLETED",
        /// Could not be made.
        Failed = "FAILED",
        /// Given up before anybody was reached, by an operator or because its slot had passed.
        Cancelled = "CANCELLED",
    }
}

impl ConversationStatus {
    /// Whether the call is still to come or under way.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Dialing | Self::InProgress)
    }
}

spelled! {
    /// Where a subscription stands; only an active one may call.
    SubscriptionStatus {
        /// In force.
        Active = "ACTIVE",
        /// Held by the client.
        Paused = "PAUSED",
        /// Past its end.
        Expired = "EXPIRED",
        /// Given up.
        Cancelled = "CANCELLED",
    }
}

spelled! {
    /// What came of a conversation.
    Outcome {
        /// The prospect agreed to an appointment.
        AppointmentSet = "APPOINTMENT_SET",
        /// The prospect asked to be called back.
        CallbackRequested = "CALLBACK_REQUESTED",
        /// The prospect declined.
        NotInterested = "NOT_INTERESTED",
        /// The prospect asked never to be called again.
        DoNotCall = "DO_NOT_CALL",
        /// Nobody was reached.
        NoResponse = "NO_RESPONSE",
        /// The call could not be made.
        Failed = "FAILED",
    }
}

spelled! {
    /// Why a conversation ended as it did, where the outcome alone does not say it.
    Reason {
        /// The phone rang out.
        NoAnswer = "no_answer",
        /// The line was engaged.
        Busy = "busy",
        /// The callee's side turned the call away.
        Rejected = "rejected",
        /// A machine answered.
        Voicemail = "voicemail",
        /// There is no such number.
        InvalidNumber = "invalid_number",
        /// The telephone network failed.
        CarrierFailed = "carrier_failed",
        /// The agent reported nothing.
        NoReport = "no_report",
        /// The provider refused the call for good.
        RefusedByProvider = "refused_by_provider",
        /// The provider or the client reported a failure.
        ReportedFailure = "reported_failure",
        /// The provider no longer knows a call that it had accepted.
        Vanished = "vanished",
        /// The guard refused the call.
        NotAdmitted = "not_admitted",
        /// The slot passed before the call could be made.
        TooLate = "too_late",
        /// A request may or may not have reached the provider, and no trace of a call was found.
        NeverPlaced = "never_placed",
        /// The call's workflow was terminated before the call was over.
        Abandoned = "abandoned",
        /// The number was put on a do-not-call list while the call waited or was under way.
        Suppressed = "suppressed",
        /// An operator cancelled the call.
        CancelledByOperator = "cancelled_by_operator",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for status in ProspectStatus::ALL {
            assert_eq!(ProspectStatus::parse(status.as_str()), Some(*status));
        }
        assert_eq!(Outcome::parse("appointment_set"), None);
    }

    #[test]
    fn the_json_spelling_is_the_database_spelling() {
        let open: Vec<_> =
            ConversationStatus::ALL.iter().filter(|s| s.is_open()).map(|s| s.as_str()).collect();
        assert_eq!(open, ["SCHEDULED", "DIALING", "IN_PROGRESS"]);
    }
}
