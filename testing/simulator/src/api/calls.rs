//! `GET /api/calls` and single calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::Instant;

use super::App;
use super::error::ApiError;
use super::paging::{Order, page};
use super::query::{Query, id};
use crate::calls::{Call, call_json};
use crate::simulator::Simulator;

const NOT_SIMULATED: &[&str] = &[
    "agentIds",
    "durationMin",
    "durationMax",
    "search",
    "timeOfDayStart",
    "timeOfDayEnd",
    "voiceId",
];

/// Calls that match every filter, newest first unless sorted otherwise.
pub async fn list(
    State(simulator): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let query = Query::parse(query.as_deref());
    if let Some(name) = NOT_SIMULATED.iter().find(|name| query.get(name).is_some()) {
        return Err(ApiError::new(501, format!("filter {name} is not simulated")));
    }
    let from = query.get("fromDate").map(|text| date(text, false)).transpose()?;
    let to = query.get("toDate").map(|text| date(text, true)).transpose()?;
    let lag = simulator.faults.list_lag();
    let mut calls = simulator.calls.all();
    calls.retain(|call| {
        call.progress().deleted.is_none()
            && Instant::now() - call.begun >= lag
            && from.is_none_or(|from| call.created >= from)
            && to.is_none_or(|to| call.created <= to)
            && has_metadata(call, &query)
    });
    let order = match query.get("sort") {
        None | Some("-created") => Order::Falling,
        Some("created") => Order::Rising,
        Some(_) => return Err(ApiError::bad_request("sort must be created or -created")),
    };
    if order == Order::Falling {
        calls.reverse();
    }
    let items = calls.iter().map(|call| (call.number, call_json(call))).collect();
    page(&query, &headers, "/api/calls", order, items).map(Json)
}

/// One call.
pub async fn show(State(simulator): App, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(call_json(&*find(&simulator, &id)?)))
}

/// Deletes a call that is over.
pub async fn delete(State(simulator): App, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let call = find(&simulator, &id)?;
    let mut progress = call.progress();
    if progress.is_active() {
        return Err(ApiError::new(425, "the call is still going on"));
    }
    progress.deleted = Some(simulator.clock.now());
    Ok(StatusCode::NO_CONTENT)
}

/// A call that exists and isn't deleted.
pub fn find(simulator: &Simulator, text: &str) -> Result<Arc<Call>, ApiError> {
    let call = simulator.calls.find(id(text)?);
    call.filter(|call| call.progress().deleted.is_none()).ok_or_else(ApiError::not_found)
}

fn has_metadata(call: &Call, query: &Query) -> bool {
    query
        .pairs()
        .filter_map(|(name, value)| Some((name.strip_prefix("metadata.")?, value)))
        .all(|(key, value)| call.request.metadata.get(key).and_then(Value::as_str) == Some(value))
}

/// A moment, or the first or last microsecond of a day.
fn date(text: &str, last: bool) -> Result<DateTime<Utc>, ApiError> {
    if let Ok(moment) = text.parse::<DateTime<Utc>>() {
        return Ok(moment);
    }
    let day: NaiveDate = text
        .parse()
        .map_err(|_| ApiError::bad_request(format!("\"{text}\" is no date or date-time")))?;
    let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    match day.checked_add_days(Days::new(1)) {
        Some(next) if last => Ok(start(next) - TimeDelta::microseconds(1)),
        _ => Ok(start(day)),
    }
}
