//! Search attributes, by which calls are found in the Temporal UI and CLI.
//!
//! They are not encrypted, so they contain ids and states only.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use temporalio_workflow::common::search_attributes::{SearchAttributeKey, Timestamp};

pub const USER_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("UserId");
pub const PROSPECT_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("ProspectId");
/// A [`CallState`](crate::call::CallState).
pub const CALL_STATE: SearchAttributeKey<String> = SearchAttributeKey::keyword("CallState");
/// The outcome or, without one, the reason; set when the call is recorded.
pub const CALL_OUTCOME: SearchAttributeKey<String> = SearchAttributeKey::keyword("CallOutcome");
/// The time for which the call is planned.
pub const CALL_SLOT: SearchAttributeKey<Timestamp> = SearchAttributeKey::datetime("CallSlot");

/// The names of the keyword attributes.
pub const KEYWORDS: [&str; 4] = ["UserId", "ProspectId", "CallState", "CallOutcome"];
/// The names of the datetime attributes.
pub const DATETIMES: [&str; 1] = ["CallSlot"];

/// A time as a search attribute.
pub(crate) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    SystemTime::from(time).into()
}
