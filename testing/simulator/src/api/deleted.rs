//! What is left of deleted calls.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::Value;

use super::App;
use super::error::ApiError;
use super::paging::{Order, page};
use super::query::{Query, id};
use crate::calls::tombstone_json;

/// Tombstones, latest creation first.
pub async fn list(
    State(simulator): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let calls = simulator.calls.all();
    let items = calls
        .iter()
        .rev()
        .filter_map(|call| Some((call.number, tombstone_json(call, simulator.account)?)))
        .collect();
    let query = Query::parse(query.as_deref());
    page(&query, &headers, "/api/deleted_calls", Order::Falling, items).map(Json)
}

/// One tombstone.
pub async fn show(
    State(simulator): App,
    Path(text): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let call = simulator.calls.find(id(&text)?);
    call.and_then(|call| tombstone_json(&call, simulator.account))
        .map(Json)
        .ok_or_else(ApiError::not_found)
}
