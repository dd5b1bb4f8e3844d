//! `/api/webhooks`: webhooks of the whole account.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::App;
use super::error::ApiError;
use super::paging::{Order, page};
use super::query::{Query, id};
use crate::calls::Event;
use crate::strict;
use crate::webhooks::Webhook;

#[derive(Deserialize)]
struct Wanted {
    url: String,
    #[serde(default)]
    secrets: Vec<String>,
    events: Vec<Event>,
}

/// Adds a webhook.
pub async fn create(
    State(simulator): App,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let body = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("JSON parse error: {error}")))?;
    let body = strict::read(&strict::WEBHOOK, &body)?;
    if body.contains_key("agentId") {
        return Err(ApiError::bad_request("agentId: there is no such agent"));
    }
    let wanted: Wanted = serde_json::from_value(Value::Object(body))
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let now = simulator.clock.now();
    let webhook = Webhook::new(wanted.url, wanted.secrets, wanted.events, now);
    let shown = webhook.to_json();
    simulator.webhooks.add(webhook);
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Every webhook.
pub async fn list(
    State(simulator): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let webhooks = simulator.webhooks.list();
    let shown = webhooks.iter().map(Webhook::to_json);
    let query = Query::parse(query.as_deref());
    page(&query, &headers, "/api/webhooks", Order::Rising, (0..).zip(shown).collect()).map(Json)
}

/// One webhook.
pub async fn show(
    State(simulator): App,
    Path(text): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = id(&text)?;
    let webhooks = simulator.webhooks.list();
    let found = webhooks.iter().find(|webhook| webhook.id == id);
    found.map(|webhook| Json(webhook.to_json())).ok_or_else(ApiError::not_found)
}

/// Removes a webhook; deliveries under way go on.
pub async fn delete(
    State(simulator): App,
    Path(text): Path<String>,
) -> Result<StatusCode, ApiError> {
    if simulator.webhooks.remove(id(&text)?) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}
