//! One HTTP request to a tool, built the way the service builds it.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::{Answer, SelectedTool, ToolDefinition, merged};
use crate::spans;

const DEFAULT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// What automatic parameters are filled from.
#[derive(Debug, Clone)]
pub struct Facts {
    pub call_id: String,
    pub stage_id: String,
    pub metadata: Value,
    pub state: Value,
    pub history: Value,
}

impl Facts {
    fn known(&self, name: &str) -> Value {
        match name {
            "KNOWN_PARAM_CALL_ID" => json!(self.call_id),
            "KNOWN_PARAM_CALL_STAGE_ID" => json!(self.stage_id),
            "KNOWN_PARAM_CALL_METADATA" => self.metadata.clone(),
            "KNOWN_PARAM_CALL_STATE" => self.state.clone(),
            "KNOWN_PARAM_CONVERSATION_HISTORY" => self.history.clone(),
            "KNOWN_PARAM_OUTPUT_SAMPLE_RATE" => json!(24_000),
            _ => Value::Null,
        }
    }
}

/// Uses an HTTP tool once, within the tool's own time limit (real time). Never repeated.
pub async fn call(
    client: &Client,
    tool: &SelectedTool,
    definition: &ToolDefinition,
    arguments: &Map<String, Value>,
    facts: &Facts,
) -> Answer {
    let request = match build(client, tool, definition, arguments, facts) {
        Ok(request) => request,
        Err(error) => return Answer::failed(error),
    };
    let timeout = definition.timeout.as_deref().and_then(spans::parse);
    let answer = async {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await?;
        Ok::<_, reqwest::Error>(Answer::of_http(status.as_u16(), &headers, body))
    };
    match tokio::time::timeout(timeout.unwrap_or(DEFAULT_TIMEOUT), answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::failed(format!("the tool could not be reached: {error}")),
        Err(_) => Answer::failed("the tool did not answer in time"),
    }
}

fn build(
    client: &Client,
    tool: &SelectedTool,
    definition: &ToolDefinition,
    arguments: &Map<String, Value>,
    facts: &Facts,
) -> Result<RequestBuilder, String> {
    let Some(http) = &definition.http else {
        return Err("no client is connected that could run the tool".to_owned());
    };
    let mut address = http.base_url_pattern.clone();
    let (mut query, mut headers, mut body) = (Vec::new(), Vec::new(), Map::new());
    for (name, location, value) in values(tool, definition, arguments, facts) {
        match location.as_str() {
            "PARAMETER_LOCATION_PATH" => {
                let encoded = utf8_percent_encode(&plain(&value), NON_ALPHANUMERIC).to_string();
                address = address.replace(&format!("{{{name}}}"), &encoded);
            }
            "PARAMETER_LOCATION_QUERY" => query.push((name, plain(&value))),
            "PARAMETER_LOCATION_HEADER" => headers.push((name, plain(&value))),
            _ => {
                body.insert(name, value);
            }
        }
    }
    for (requirement, token) in definition.security(&tool.auth_tokens).unwrap_or_default() {
        if let Some(auth) = &requirement.http_auth {
            headers.push(("authorization".to_owned(), format!("{} {token}", auth.scheme)));
        } else if let Some(key) = &requirement.header_api_key {
            headers.push((key.name.clone(), token.to_owned()));
        } else if let Some(key) = &requirement.query_api_key {
            query.push((key.name.clone(), token.to_owned()));
        }
    }

    let mut url = Url::parse(&address).map_err(|error| format!("bad tool address: {error}"))?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let method = Method::from_bytes(http.http_method.as_bytes())
        .map_err(|error| format!("bad tool method: {error}"))?;
    let has_body = method != Method::GET || !body.is_empty();
    let mut request = client.request(method, url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Ok(if has_body { request.json(&Value::Object(body)) } else { request })
}

/// Name, location and value of every parameter that has a value.
fn values(
    tool: &SelectedTool,
    definition: &ToolDefinition,
    arguments: &Map<String, Value>,
    facts: &Facts,
) -> Vec<(String, String, Value)> {
    let mut values = Vec::new();
    let mut left = merged(tool, arguments);
    for one in &definition.dynamic_parameters {
        if let Some(value) = left.remove(&one.name) {
            values.push((one.name.clone(), one.location.clone(), value));
        }
    }
    for (name, value) in left {
        values.push((name, "PARAMETER_LOCATION_BODY".to_owned(), value));
    }
    for one in &definition.static_parameters {
        values.push((one.name.clone(), one.location.clone(), one.value.clone()));
    }
    for one in &definition.automatic_parameters {
        let value = facts.known(&one.known_value);
        values.push((one.name.clone(), one.location.clone(), value));
    }
    values
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A selected tool as `GET /api/calls/{id}/tools` shows it: without requirements or tokens.
pub fn listed(call: Uuid, tool: &SelectedTool) -> Value {
    let definition = match (&tool.temporary_tool, tool.built_in()) {
        (Some(own), _) => json!({
            "description": tool.description_override.as_deref().unwrap_or(&own.description),
            "dynamicParameters": own.dynamic_parameters.iter().map(|one| json!({
                "name": one.name, "location": one.location,
                "schema": one.schema, "required": one.required,
            })).collect::<Vec<Value>>(),
            "staticParameters": own.static_parameters.iter().map(|one| json!({
                "name": one.name, "location": one.location, "value": one.value,
            })).collect::<Vec<Value>>(),
            "automaticParameters": own.automatic_parameters.iter().map(|one| json!({
                "name": one.name, "location": one.location, "knownValue": one.known_value,
            })).collect::<Vec<Value>>(),
            "timeout": own.timeout,
            "http": own.http.as_ref().map(|http| json!({
                "baseUrlPattern": http.base_url_pattern, "httpMethod": http.http_method,
            })),
        }),
        (None, Some(built_in)) => json!({
            "description": tool.description_override.as_deref().unwrap_or(built_in.name),
            "dynamicParameters": built_in.parameters.iter().map(|name| json!({
                "name": name, "location": "PARAMETER_LOCATION_BODY",
                "schema": {"type": "string"}, "required": false,
            })).collect::<Vec<Value>>(),
        }),
        (None, None) => json!({}),
    };
    json!({
        "callToolId": Uuid::new_v5(&call, tool.model_name().as_bytes()),
        "toolId": tool.built_in().map(|tool| tool.id),
        "name": tool.model_name(),
        "definition": definition,
    })
}
