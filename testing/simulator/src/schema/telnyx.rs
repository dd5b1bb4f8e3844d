//! The phone to ring, and the parameters that Ultravox passes on to Telnyx.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use super::CallbackUrl;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    pub telnyx: TelnyxMedium,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelnyxMedium {
    pub outgoing: Outgoing,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outgoing {
    pub to: String,
    pub from: String,
    #[serde(default)]
    pub additional_params: AdditionalParams,
}

/// Parameters of Telnyx's call creation that its client may set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AdditionalParams {
    /// Seconds that the phone rings at most.
    #[serde(rename = "Timeout")]
    pub timeout_secs: Option<u64>,
    /// Seconds that an answered leg lasts at most.
    #[serde(rename = "TimeLimit")]
    pub time_limit_secs: Option<u64>,
    pub status_callback: Option<CallbackUrl>,
    /// [`LegEvent`]s, separated by spaces.
    pub status_callback_event: Option<String>,
    pub machine_detection: Option<MachineDetection>,
    /// Whether the callee hears the agent during detection.
    pub async_amd: Option<bool>,
    pub async_amd_status_callback: Option<CallbackUrl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineDetection {
    Enable,
    Disable,
    DetectMessageEnd,
}

/// An event of a status callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum LegEvent {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

impl AdditionalParams {
    /// The events that the status callback gets.
    ///
    /// # Errors
    ///
    /// If Telnyx knows no event of a name.
    pub fn status_events(&self) -> anyhow::Result<Vec<LegEvent>> {
        let events = self.status_callback_event.as_deref().unwrap_or("completed");
        let parse = |name: &str| {
            name.parse().map_err(|_| anyhow::anyhow!("StatusCallbackEvent: unknown event {name:?}"))
        };
        events.split(' ').map(parse).collect()
    }
}
