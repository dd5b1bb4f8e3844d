//! The tools that a request gives to the agent.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Deserialize;
use serde_json::{Map, Value};
use strum::IntoStaticStr;

use crate::duration::JsonDuration;

/// One entry of `selectedTools`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "SelectedToolFields")]
pub enum SelectedTool {
    BuiltIn(BuiltInTool),
    Temporary(Box<TemporaryTool>),
}

/// A tool of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum BuiltInTool {
    HangUp,
    LeaveVoicemail,
}

/// A tool that is declared in the request.
#[derive(Debug, Clone, PartialEq)]
pub struct TemporaryTool {
    pub definition: ToolDefinition,
    pub auth_tokens: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SelectedToolFields {
    tool_name: Option<BuiltInTool>,
    temporary_tool: Option<ToolDefinition>,
    #[serde(default)]
    auth_tokens: BTreeMap<String, String>,
}

impl TryFrom<SelectedToolFields> for SelectedTool {
    type Error = anyhow::Error;

    fn try_from(fields: SelectedToolFields) -> anyhow::Result<Self> {
        let SelectedToolFields { tool_name, temporary_tool, auth_tokens } = fields;
        match (tool_name, temporary_tool) {
            (Some(tool), None) => Ok(Self::BuiltIn(tool)),
            (None, Some(definition)) => {
                Ok(Self::Temporary(Box::new(TemporaryTool { definition, auth_tokens })))
            }
            _ => bail!("a selected tool needs either toolName or temporaryTool"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolDefinition {
    pub model_tool_name: String,
    pub description: Option<String>,
    pub timeout: Option<JsonDuration>,
    #[serde(default)]
    pub dynamic_parameters: Vec<DynamicParameter>,
    #[serde(default)]
    pub static_parameters: Vec<StaticParameter>,
    #[serde(default)]
    pub automatic_parameters: Vec<AutomaticParameter>,
    #[serde(default)]
    pub requirements: ToolRequirements,
    pub http: HttpDetails,
}

/// A parameter that the model fills in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DynamicParameter {
    pub name: String,
    pub location: ParameterLocation,
    /// A JSON schema.
    pub schema: Map<String, Value>,
    #[serde(default)]
    pub required: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticParameter {
    pub name: String,
    pub location: ParameterLocation,
    pub value: Value,
}

/// A parameter that the provider fills in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AutomaticParameter {
    pub name: String,
    pub location: ParameterLocation,
    pub known_value: KnownValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ParameterLocation {
    #[serde(rename = "PARAMETER_LOCATION_BODY")]
    Body,
}

/// A value of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum KnownValue {
    #[serde(rename = "KNOWN_PARAM_CALL_ID")]
    Id,
    #[serde(rename = "KNOWN_PARAM_CALL_METADATA")]
    Metadata,
    #[serde(rename = "KNOWN_PARAM_CALL_STATE")]
    State,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpDetails {
    pub base_url_pattern: String,
    pub http_method: HttpMethod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum HttpMethod {
    #[serde(rename = "POST")]
    Post,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolRequirements {
    pub http_security_options: Option<SecurityOptions>,
}

/// Alternative ways to authenticate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityOptions {
    pub options: Vec<SecurityOption>,
}

/// Requirements that must all be met, by name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityOption {
    pub requirements: BTreeMap<String, SecurityRequirement>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityRequirement {
    pub http_auth: HttpAuth,
}

/// An `Authorization` header of this scheme.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAuth {
    pub scheme: String,
}

impl ToolDefinition {
    /// The names of the parameters of all kinds.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        let dynamic = self.dynamic_parameters.iter().map(|parameter| parameter.name.as_str());
        let fixed = self.static_parameters.iter().map(|parameter| parameter.name.as_str());
        let automatic = self.automatic_parameters.iter().map(|parameter| parameter.name.as_str());
        dynamic.chain(fixed).chain(automatic)
    }

    pub fn security_options(&self) -> &[SecurityOption] {
        self.requirements.http_security_options.as_ref().map_or(&[], |options| &options.options)
    }
}

impl TemporaryTool {
    /// The values of the `Authorization` headers of the first security option that the tokens
    /// satisfy; `None` if they satisfy none.
    pub fn authorization(&self) -> Option<Vec<String>> {
        let header = |(name, requirement): (&String, &SecurityRequirement)| {
            let token = self.auth_tokens.get(name)?;
            Some(format!("{} {token}", requirement.http_auth.scheme))
        };
        let mut options = self.definition.security_options().iter();
        options.find_map(|option| option.requirements.iter().map(header).collect())
    }
}
