//! Search attributes, by which calls are found in the Temporal UI and CLI.
//!
//! They stay outside any payload encryption, so they hold ids and states only.

use chrono::{DateTime, Utc};
use temporalio_workflow::common::search_attributes::{SearchAttributeKey, Timestamp};

/// The client on whose behalf the call is made.
pub const USER_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("UserId");
/// The prospect who is called.
pub const PROSPECT_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("ProspectId");
/// Where the call stands: a word of [`CallState`](crate::call::CallState).
pub const CALL_STATE: SearchAttributeKey<String> = SearchAttributeKey::keyword("CallState");
/// What came of the call, once that is known.
pub const CALL_OUTCOME: SearchAttributeKey<String> = SearchAttributeKey::keyword("CallOutcome");
/// The moment for which the call is planned.
pub const CALL_SLOT: SearchAttributeKey<Timestamp> = SearchAttributeKey::datetime("CallSlot");

/// The names of all of them that hold a keyword.
pub const KEYWORDS: [&str; 4] = ["UserId", "ProspectId", "CallState", "CallOutcome"];
/// The names of all of them that hold a moment.
pub const MOMENTS: [&str; 1] = ["CallSlot"];

/// A moment as a search attribute holds it.
pub(crate) fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    Timestamp::new(moment.timestamp(), moment.timestamp_subsec_nanos().cast_signed())
}
