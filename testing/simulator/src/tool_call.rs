//! The HTTP request of the agent's tool: its arguments and its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::schema::{KnownValue, TemporaryTool, ToolDefinition};

const DEFAULT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// The values of automatic parameters.
#[derive(Debug, Clone)]
pub struct ToolContext {
    pub call_id: Uuid,
    pub metadata: BTreeMap<String, String>,
    pub state: Map<String, Value>,
}

/// The result of a tool call.
#[derive(Debug, Clone, Default)]
pub struct ToolResult {
    /// The text for the model.
    pub text: String,
    /// Why the call failed.
    pub error: Option<String>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Whether the answer makes the agent hang up.
    pub hangs_up: bool,
    /// Values to add to the call state.
    pub state: Map<String, Value>,
    /// What the provider would not accept in the answer.
    pub violations: Vec<String>,
}

impl ToolResult {
    pub fn failed(error: impl Into<String>) -> Self {
        let text = "The tool could not be used.".to_owned();
        Self { text, error: Some(error.into()), ..Self::default() }
    }

    fn from_http(status: u16, headers: &HeaderMap, body: String) -> Self {
        if !(200..300).contains(&status) {
            let error = format!("the tool answered with status {status}");
            return Self { status: Some(status), ..Self::failed(error) };
        }
        let mut result = Self { text: body, status: Some(status), ..Self::default() };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match header("x-ultravox-response-type") {
            None | Some("tool-response") => {}
            Some("hang-up") => result.hangs_up = true,
            Some(other) => result
                .violations
                .push(format!("tool answer: response type {other} is not simulated")),
        }
        match header("x-ultravox-agent-reaction") {
            None | Some("speaks" | "listens" | "speaks-once") => {}
            Some(other) => {
                result.violations.push(format!("tool answer: unknown agent reaction {other}"));
            }
        }
        match header("x-ultravox-update-call-state").map(serde_json::from_str) {
            None => {}
            Some(Ok(Value::Object(state))) => result.state = state,
            Some(_) => result
                .violations
                .push("tool answer: the call state update is not a JSON object".to_owned()),
        }
        result
    }
}

/// Sends the request of a tool once, with the tool's timeout (real time).
pub async fn call_tool(
    client: &Client,
    tool: &TemporaryTool,
    arguments: &Map<String, Value>,
    context: &ToolContext,
) -> ToolResult {
    let definition = &tool.definition;
    let mut request = client
        .post(&definition.http.base_url_pattern)
        .timeout(definition.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0))
        .json(&request_body(definition, arguments, context));
    for header in tool.authorization().unwrap_or_default() {
        request = request.header("authorization", header);
    }
    let answer = async {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await?;
        Ok::<_, reqwest::Error>(ToolResult::from_http(status.as_u16(), &headers, body))
    };
    match answer.await {
        Ok(result) => result,
        Err(error) if error.is_timeout() => ToolResult::failed("the tool did not answer in time"),
        Err(error) => ToolResult::failed(format!("the tool could not be reached: {error}")),
    }
}

fn request_body(
    definition: &ToolDefinition,
    arguments: &Map<String, Value>,
    context: &ToolContext,
) -> Map<String, Value> {
    let mut body = arguments.clone();
    for parameter in &definition.static_parameters {
        body.insert(parameter.name.clone(), parameter.value.clone());
    }
    for parameter in &definition.automatic_parameters {
        let value = match parameter.known_value {
            KnownValue::Id => json!(context.call_id),
            KnownValue::Metadata => json!(context.metadata),
            KnownValue::State => json!(context.state),
        };
        body.insert(parameter.name.clone(), value);
    }
    body
}

/// Compares the model's arguments with the declaration; one text per mismatch.
pub fn check_arguments(definition: &ToolDefinition, arguments: &Map<String, Value>) -> Vec<String> {
    let name = &definition.model_tool_name;
    let parameters = &definition.dynamic_parameters;
    let given = arguments.iter().filter_map(|(argument, value)| {
        match parameters.iter().find(|parameter| parameter.name == *argument) {
            None => Some(format!("tool {name}: argument {argument} is not declared")),
            Some(parameter) => schema_mismatch(&parameter.schema, value)
                .map(|reason| format!("tool {name}: argument {argument} {reason}")),
        }
    });
    let missing = parameters
        .iter()
        .filter(|parameter| parameter.required && !arguments.contains_key(&parameter.name))
        .map(|parameter| format!("tool {name}: required argument {} is missing", parameter.name));
    given.chain(missing).collect()
}

/// Why a value does not match a JSON schema; only `type` and `enum` are checked.
fn schema_mismatch(schema: &Map<String, Value>, value: &Value) -> Option<String> {
    let expected = schema.get("type").and_then(Value::as_str);
    let has_type = match expected {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        _ => true,
    };
    if !has_type {
        return Some(format!("is not of type {}", expected.unwrap_or_default()));
    }
    let allowed = schema.get("enum").and_then(Value::as_array)?;
    (!allowed.contains(value)).then(|| format!("has a value outside the enum: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatches(arguments: Value) -> usize {
        let body = "PARAMETER_LOCATION_BODY";
        let definition: ToolDefinition = serde_json::from_value(json!({
            "modelToolName": "report",
            "dynamicParameters": [
                {"name": "outcome", "location": body, "required": true,
                 "schema": {"type": "string", "enum": ["YES", "NO"]}},
                {"name": "notes", "location": body, "schema": {"type": "string"}},
            ],
            "http": {"baseUrlPattern": "https://example.com", "httpMethod": "POST"},
        }))
        .unwrap();
        check_arguments(&definition, arguments.as_object().unwrap()).len()
    }

    #[test]
    fn arguments_that_match_the_declaration_pass() {
        assert_eq!(mismatches(json!({"outcome": "YES"})), 0);
        assert_eq!(mismatches(json!({"outcome": "NO", "notes": "later"})), 0);
    }

    #[test]
    fn undeclared_missing_mistyped_and_unlisted_arguments_are_reported() {
        assert_eq!(mismatches(json!({"outcome": "YES", "when": "now"})), 1);
        assert_eq!(mismatches(json!({"notes": "later"})), 1);
        assert_eq!(mismatches(json!({"outcome": "YES", "notes": 3})), 1);
        assert_eq!(mismatches(json!({"outcome": "MAYBE"})), 1);
    }
}
