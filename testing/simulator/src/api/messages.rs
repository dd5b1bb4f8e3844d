//! What was said in a call, and the tools its agent has.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::App;
use super::calls::find;
use super::error::ApiError;
use super::paging::{Order, page};
use super::query::Query;
use crate::tools::listed;

/// Messages in order; `in_call` leaves out the ones that the request brought along.
pub async fn list(
    State(simulator): App,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let call = find(&simulator, &id)?;
    let query = Query::parse(query.as_deref());
    let initial = call.request.body.get("initialMessages").and_then(Value::as_array);
    let initial = match query.get("mode") {
        None | Some("last_stage") => initial.cloned().unwrap_or_default(),
        Some("in_call") => Vec::new(),
        Some(_) => return Err(ApiError::bad_request("mode must be last_stage or in_call")),
    };
    let spoken = call.progress().messages.clone();
    let spoken = spoken.iter().map(|message| json!(message));
    let items = (0..).zip(initial.into_iter().chain(spoken)).collect();
    let path = format!("/api/calls/{}/messages", call.id);
    page(&query, &headers, &path, Order::Rising, items).map(Json)
}

/// A bare array of the selected tools, without their secrets.
pub async fn tools(State(simulator): App, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let call = find(&simulator, &id)?;
    let tools = call.request.tools.iter();
    Ok(Json(tools.map(|tool| listed(call.id, tool)).collect()))
}
