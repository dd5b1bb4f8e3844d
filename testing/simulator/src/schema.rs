//! The request bodies of Ultravox's API that the simulator accepts: field by field, with its type.
//!
//! An unknown field is rejected at every level, as the provider rejects it. Fields that the
//! provider knows and the simulator does not simulate are missing here, and so rejected, too.

mod rules;
mod telnyx;
mod tool;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::duration::JsonDuration;

pub use rules::VOICES;
pub use telnyx::{AdditionalParams, LegEvent, MachineDetection, Medium, Outgoing};
pub use tool::{BuiltInTool, KnownValue, SelectedTool, TemporaryTool, ToolDefinition};

/// Body of `POST /api/calls`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartCall {
    pub system_prompt: Option<String>,
    pub temperature: Option<f64>,
    pub model: Option<String>,
    pub voice: Option<String>,
    pub language_hint: Option<String>,
    pub first_speaker_settings: Option<FirstSpeakerSettings>,
    pub join_timeout: Option<JsonDuration>,
    pub max_duration: Option<JsonDuration>,
    pub time_exceeded_message: Option<String>,
    #[serde(default)]
    pub inactivity_messages: Vec<TimedMessage>,
    pub vad_settings: Option<VadSettings>,
    pub recording_enabled: Option<bool>,
    pub medium: Medium,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub callbacks: Callbacks,
    #[serde(default)]
    pub selected_tools: Vec<SelectedTool>,
}

/// Exactly one field is set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstSpeakerSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserGreeting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Greeting>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserGreeting {
    fallback: Option<Greeting>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    delay: Option<JsonDuration>,
    text: Option<String>,
    prompt: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimedMessage {
    duration: JsonDuration,
    message: String,
    end_behavior: Option<EndBehavior>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum EndBehavior {
    #[serde(rename = "END_BEHAVIOR_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "END_BEHAVIOR_HANG_UP_SOFT")]
    HangUpSoft,
    #[serde(rename = "END_BEHAVIOR_HANG_UP_STRICT")]
    HangUpStrict,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VadSettings {
    turn_endpoint_delay: Option<JsonDuration>,
    minimum_turn_duration: Option<JsonDuration>,
    minimum_interruption_duration: Option<JsonDuration>,
    frame_activation_threshold: Option<f64>,
}

/// Webhooks of one call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callbacks {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<Callback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Callback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<Callback>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    pub url: CallbackUrl,
    /// Sign the webhooks; the provider never shows them.
    #[serde(default, skip_serializing)]
    pub secrets: Vec<String>,
}

/// An http or https URL of at most 200 characters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CallbackUrl(pub String);

impl TryFrom<String> for CallbackUrl {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        ensure!(is_http_url(&text), "must be an http or https URL");
        ensure!(text.len() <= 200, "may have at most 200 characters");
        Ok(Self(text))
    }
}

/// Body of `POST /api/calls/{id}/send_data_message`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DataMessage {
    HangUp { message: Option<String> },
}

impl StartCall {
    /// Reads and checks a body.
    ///
    /// # Errors
    ///
    /// If the provider would reject the body; the error names the field.
    pub fn parse(body: &[u8]) -> anyhow::Result<Self> {
        let request = parse_json(body)?;
        rules::check(&request)?;
        Ok(request)
    }

    /// How long the call may stay unjoined (simulated time).
    pub fn join_timeout(&self) -> Duration {
        self.join_timeout.map_or(Duration::from_secs(30), |timeout| timeout.0)
    }

    /// How long the talk may last (simulated time).
    pub fn max_duration(&self) -> Duration {
        self.max_duration.map_or(Duration::from_secs(3_600), |duration| duration.0)
    }

    pub fn temporary_tool(&self, name: &str) -> Option<&TemporaryTool> {
        self.selected_tools.iter().find_map(|tool| match tool {
            SelectedTool::Temporary(tool) => {
                (tool.definition.model_tool_name == name).then_some(&**tool)
            }
            SelectedTool::BuiltIn(_) => None,
        })
    }

    pub fn has_built_in_tool(&self, tool: BuiltInTool) -> bool {
        self.selected_tools.contains(&SelectedTool::BuiltIn(tool))
    }
}

/// Parses JSON; an error names the path of the field.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

fn is_http_url(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
