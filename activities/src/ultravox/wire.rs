//! The parts of the provider's answers that we read; every other field is passed over.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::request::DIAL_KEY;

/// A call as the provider describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its id.
    pub call_id: String,
    /// When somebody answered.
    #[serde(default)]
    pub joined: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<DateTime<Utc>>,
    /// Why it ended.
    #[serde(default)]
    pub end_reason: Option<String>,
    /// What we gave along when we asked for it, and what the provider added.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Call {
    /// The dial that asked for this call.
    pub fn dial_id(&self) -> Option<&str> {
        self.metadata.get(DIAL_KEY).map(String::as_str)
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// The address of the next page.
    #[serde(default)]
    pub next: Option<String>,
    pub results: Vec<T>,
}

/// One message of a call.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    #[serde(default)]
    pub role: String,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub invocation_id: Option<String>,
    #[serde(default)]
    pub tool_name: Option<String>,
}
