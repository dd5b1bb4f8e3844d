//! Tools that a request gives the agent: their declarations, and how they are used.

mod answer;
mod arguments;
mod call;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use answer::{Answer, Reaction};
pub use arguments::{check as check_arguments, merged};
pub use call::{Facts, call, listed};

/// A tool the service brings along.
#[derive(Debug)]
pub struct BuiltIn {
    /// The name it is selected by.
    pub name: &'static str,
    /// The id it is selected by.
    pub id: &'static str,
    /// Parameters that may be overridden.
    pub parameters: &'static [&'static str],
}

/// Every tool the service brings along that a carrier call can use.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "hangUp",
        id: "56294126-5a7d-4948-b67d-3b7e13d55ea7",
        parameters: &["reason", "strict"],
    },
    BuiltIn {
        name: "leaveVoicemail",
        id: "56294126-0000-4000-8000-000000000002",
        parameters: &["message", "strict", "result"],
    },
    BuiltIn {
        name: "playDtmfSounds",
        id: "56294126-0000-4000-8000-000000000003",
        parameters: &["digits", "toneDuration", "spaceDuration"],
    },
    BuiltIn {
        name: "queryCorpus",
        id: "56294126-0000-4000-8000-000000000004",
        parameters: &["corpus_id", "query", "max_results", "minimum_score"],
    },
];

/// One entry of `selectedTools`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectedTool {
    pub tool_id: Option<String>,
    pub tool_name: Option<String>,
    pub temporary_tool: Option<ToolDefinition>,
    pub name_override: Option<String>,
    pub description_override: Option<String>,
    pub auth_tokens: BTreeMap<String, String>,
    pub parameter_overrides: Map<String, Value>,
}

impl SelectedTool {
    /// The name the model knows the tool by.
    pub fn model_name(&self) -> &str {
        let own = self.temporary_tool.as_ref();
        self.name_override
            .as_deref()
            .or(own.map(|definition| definition.model_tool_name.as_str()))
            .or(self.built_in().map(|tool| tool.name))
            .unwrap_or_default()
    }

    /// The service's own tool behind this entry, if it is one.
    pub fn built_in(&self) -> Option<&'static BuiltIn> {
        BUILT_IN.iter().find(|tool| {
            self.tool_name.as_deref() == Some(tool.name) || self.tool_id.as_deref() == Some(tool.id)
        })
    }
}

/// A tool declared within the request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolDefinition {
    pub model_tool_name: String,
    pub description: String,
    pub dynamic_parameters: Vec<DynamicParameter>,
    pub static_parameters: Vec<StaticParameter>,
    pub automatic_parameters: Vec<AutomaticParameter>,
    pub requirements: Requirements,
    pub timeout: Option<String>,
    pub http: Option<HttpDetails>,
    pub client: Option<Value>,
    pub data_connection: Option<Value>,
    pub static_response: Option<Value>,
}

impl ToolDefinition {
    /// Name and location of every parameter of any kind.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let dynamic = self.dynamic_parameters.iter();
        let fixed = self.static_parameters.iter();
        let automatic = self.automatic_parameters.iter();
        dynamic
            .map(|one| (one.name.as_str(), one.location.as_str()))
            .chain(fixed.map(|one| (one.name.as_str(), one.location.as_str())))
            .chain(automatic.map(|one| (one.name.as_str(), one.location.as_str())))
    }

    /// The first security option that the tokens satisfy, one that asks for something before one
    /// that asks for nothing; each requirement with its token.
    pub fn security<'a>(
        &'a self,
        tokens: &'a BTreeMap<String, String>,
    ) -> Option<Vec<(&'a Requirement, &'a str)>> {
        let satisfied = self.requirements.http_security_options.options.iter();
        let satisfied: Vec<Vec<(&Requirement, &str)>> = satisfied
            .filter_map(|option| {
                let pairs = option.requirements.iter();
                pairs
                    .map(|(name, requirement)| Some((requirement, tokens.get(name)?.as_str())))
                    .collect()
            })
            .collect();
        let asking = satisfied.iter().find(|option| !option.is_empty());
        asking.or(satisfied.first()).cloned()
    }
}

/// A parameter the model fills in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DynamicParameter {
    pub name: String,
    pub location: String,
    pub schema: Option<Map<String, Value>>,
    pub required: bool,
}

/// A parameter with a fixed value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StaticParameter {
    pub name: String,
    pub location: String,
    pub value: Value,
}

/// A parameter the service fills in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutomaticParameter {
    pub name: String,
    pub location: String,
    pub known_value: String,
}

/// Where an HTTP tool lives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpDetails {
    pub base_url_pattern: String,
    pub http_method: String,
}

/// What a tool needs to be selected.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirements {
    pub http_security_options: SecurityOptions,
    pub required_parameter_overrides: Vec<String>,
}

/// Alternatives of authentication.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SecurityOptions {
    pub options: Vec<SecurityOption>,
}

/// One alternative: all of these requirements together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SecurityOption {
    pub requirements: BTreeMap<String, Requirement>,
}

/// One requirement and where its token goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirement {
    pub header_api_key: Option<KeyName>,
    pub query_api_key: Option<KeyName>,
    pub http_auth: Option<HttpAuth>,
}

impl Requirement {
    /// How many kinds are set; one is right.
    pub fn kinds(&self) -> usize {
        usize::from(self.header_api_key.is_some())
            + usize::from(self.query_api_key.is_some())
            + usize::from(self.http_auth.is_some())
    }
}

/// The header or query parameter that carries a key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct KeyName {
    pub name: String,
}

/// The scheme of an `Authorization` header.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HttpAuth {
    pub scheme: String,
}
