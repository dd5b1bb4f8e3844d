//! Rules for `selectedTools`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Refusal, refuse};
use crate::spans;
use crate::tools::{BUILT_IN, SelectedTool, ToolDefinition};

const LONGEST_TIMEOUT_SECS: u64 = 40;

/// Checks every selected tool, and that their names differ.
pub fn check(body: &Map<String, Value>) -> Result<(), Refusal> {
    let mut names = BTreeSet::new();
    for tool in selected(body)? {
        check_one(&tool)?;
        let name = tool.model_name().to_owned();
        if !is_tool_name(&name) {
            return refuse(format!(
                "tool name \"{name}\" must be 1 to 64 letters, digits, underscores or hyphens"
            ));
        }
        if !names.insert(name.clone()) {
            return refuse(format!("Tool names must be unique: \"{name}\" comes twice"));
        }
    }
    Ok(())
}

fn selected(body: &Map<String, Value>) -> Result<Vec<SelectedTool>, Refusal> {
    let tools = body.get("selectedTools").cloned();
    serde_json::from_value(tools.unwrap_or_else(|| Value::Array(Vec::new())))
        .map_err(|error| Refusal(format!("selectedTools can't be read: {error}")))
}

fn check_one(tool: &SelectedTool) -> Result<(), Refusal> {
    match (&tool.tool_id, &tool.tool_name, &tool.temporary_tool) {
        (None, Some(name), None) => match BUILT_IN.iter().find(|tool| tool.name == name) {
            Some(built_in) => overrides_known(tool, built_in.parameters),
            None => refuse(format!("tool \"{name}\" does not exist")),
        },
        (Some(id), None, None) => match BUILT_IN.iter().find(|tool| tool.id == id) {
            Some(built_in) => overrides_known(tool, built_in.parameters),
            None => refuse(format!("tool {id} does not exist")),
        },
        (None, None, Some(definition)) => {
            let dynamic = definition.dynamic_parameters.iter();
            let names: Vec<&str> = dynamic.map(|parameter| parameter.name.as_str()).collect();
            overrides_known(tool, &names)?;
            definition_sound(definition)?;
            security(tool, definition)
        }
        _ => refuse("a selected tool needs exactly one of toolId, toolName and temporaryTool"),
    }
}

fn overrides_known(tool: &SelectedTool, parameters: &[&str]) -> Result<(), Refusal> {
    let mut names = tool.parameter_overrides.keys();
    match names.find(|name| !parameters.contains(&name.as_str())) {
        Some(name) => refuse(format!(
            "tool \"{}\" has no parameter \"{name}\" to override",
            tool.model_name()
        )),
        None => Ok(()),
    }
}

fn definition_sound(definition: &ToolDefinition) -> Result<(), Refusal> {
    let name = &definition.model_tool_name;
    let kinds = [
        definition.http.is_some(),
        definition.client.is_some(),
        definition.data_connection.is_some(),
    ];
    if kinds.iter().filter(|kind| **kind).count() != 1 {
        return refuse(format!(
            "tool \"{name}\" needs exactly one of http, client and dataConnection"
        ));
    }
    let timeout = definition.timeout.as_deref().and_then(spans::parse);
    if timeout.is_some_and(|timeout| {
        timeout.is_zero() || timeout.as_secs_f64() > LONGEST_TIMEOUT_SECS as f64
    }) {
        return refuse(format!(
            "the timeout of tool \"{name}\" must be positive and at most {LONGEST_TIMEOUT_SECS}s"
        ));
    }
    parameters_sound(definition)?;
    match &definition.http {
        Some(http) => address(name, &http.base_url_pattern, definition),
        None => Ok(()),
    }
}

fn parameters_sound(definition: &ToolDefinition) -> Result<(), Refusal> {
    let tool = &definition.model_tool_name;
    let mut names = BTreeSet::new();
    for (name, location) in definition.parameters() {
        if name.is_empty() {
            return refuse(format!("a parameter of tool \"{tool}\" has no name"));
        }
        if !names.insert(name) {
            return refuse(format!("tool \"{tool}\" declares parameter \"{name}\" twice"));
        }
        let placed = match location {
            "PARAMETER_LOCATION_BODY" => true,
            "PARAMETER_LOCATION_QUERY"
            | "PARAMETER_LOCATION_PATH"
            | "PARAMETER_LOCATION_HEADER" => definition.http.is_some(),
            _ => false,
        };
        if !placed {
            return refuse(format!(
                "parameter \"{name}\" of tool \"{tool}\" has no valid location"
            ));
        }
    }
    for parameter in &definition.dynamic_parameters {
        if parameter.schema.is_none() {
            return refuse(format!(
                "parameter \"{}\" of tool \"{tool}\" has no schema",
                parameter.name
            ));
        }
    }
    match definition.automatic_parameters.iter().find(|parameter| parameter.known_value.is_empty())
    {
        Some(parameter) => {
            refuse(format!("parameter \"{}\" of tool \"{tool}\" has no knownValue", parameter.name))
        }
        None => Ok(()),
    }
}

fn address(tool: &str, pattern: &str, definition: &ToolDefinition) -> Result<(), Refusal> {
    let mut plain = pattern.to_owned();
    for (name, location) in definition.parameters() {
        if location == "PARAMETER_LOCATION_PATH" {
            let placeholder = format!("{{{name}}}");
            if !plain.contains(&placeholder) {
                return refuse(format!(
                    "the address of tool \"{tool}\" has no placeholder for \"{name}\""
                ));
            }
            plain = plain.replace(&placeholder, "x");
        }
    }
    if plain.contains(['{', '}']) {
        return refuse(format!(
            "the address of tool \"{tool}\" has a placeholder without a path parameter"
        ));
    }
    let web = url::Url::parse(&plain)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let method = definition.http.as_ref().map(|http| http.http_method.as_str());
    if !web || method.is_none_or(str::is_empty) {
        return refuse(format!(
            "tool \"{tool}\" needs an http or https baseUrlPattern and an httpMethod"
        ));
    }
    Ok(())
}

fn security(tool: &SelectedTool, definition: &ToolDefinition) -> Result<(), Refusal> {
    let name = tool.model_name();
    let requirements = &definition.requirements;
    let options = &requirements.http_security_options.options;
    let one_each = options
        .iter()
        .flat_map(|option| option.requirements.values())
        .all(|requirement| requirement.kinds() == 1);
    if !one_each {
        return refuse(format!(
            "every security requirement of tool \"{name}\" must be of exactly one kind"
        ));
    }
    let declared: BTreeSet<&String> =
        options.iter().flat_map(|option| option.requirements.keys()).collect();
    if let Some(token) = tool.auth_tokens.keys().find(|token| !declared.contains(token)) {
        return refuse(format!("tool \"{name}\" has no requirement named \"{token}\""));
    }
    if !options.is_empty() && definition.security(&tool.auth_tokens).is_none() {
        return refuse(format!("authTokens satisfy no security option of tool \"{name}\""));
    }
    match requirements
        .required_parameter_overrides
        .iter()
        .find(|parameter| !tool.parameter_overrides.contains_key(*parameter))
    {
        Some(parameter) => {
            refuse(format!("parameter \"{parameter}\" of tool \"{name}\" must be overridden"))
        }
        None => Ok(()),
    }
}

fn is_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
