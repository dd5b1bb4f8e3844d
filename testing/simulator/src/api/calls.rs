//! `/api/calls`, except creation: lists, shows and deletes calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::paging::PageQuery;
use crate::call::{Call, call_json};
use crate::simulator::Simulator;

/// The call whose id is in the path; 404 if there is none or it is deleted.
pub struct CallInPath(pub Arc<Call>);

impl FromRequestParts<Arc<Simulator>> for CallInPath {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        simulator: &Arc<Simulator>,
    ) -> Result<Self, ApiError> {
        let id = Path::<Uuid>::from_request_parts(parts, simulator).await;
        let call = id.ok().and_then(|Path(id)| simulator.calls.find(id));
        call.map(Self).ok_or_else(ApiError::not_found)
    }
}

/// Lists the calls that match the filters, newest first.
pub async fn list(State(simulator): App, query: PageQuery) -> Result<Json<Value>, ApiError> {
    let (mut metadata, mut created_after) = (Vec::new(), None);
    for (name, value) in &query.filters {
        if name == "fromDate" {
            let time = value.parse::<DateTime<Utc>>();
            created_after =
                Some(time.map_err(|_| ApiError::bad_request("fromDate must be a time"))?);
            continue;
        }
        let Some(key) = name.strip_prefix("metadata.") else {
            let detail = format!("query parameter {name} is not simulated");
            return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, detail));
        };
        metadata.push((key, value));
    }
    let lag = simulator.faults.list_lag();
    let calls = simulator.calls.all();
    let matching = calls.iter().rev().filter(|call| {
        !call.progress().is_deleted
            && call.age() >= lag
            && created_after.is_none_or(|time| call.created_at >= time)
            && metadata.iter().all(|(key, value)| call.request.metadata.get(*key) == Some(*value))
    });
    let items = matching.map(|call| (call.sequence, call_json(call))).collect();
    Ok(Json(query.page(items, u64::lt)))
}

pub async fn show(CallInPath(call): CallInPath) -> Json<Value> {
    Json(call_json(&call))
}

/// Deletes a call that has ended.
pub async fn delete(CallInPath(call): CallInPath) -> Result<StatusCode, ApiError> {
    let mut progress = call.progress();
    if progress.is_active() {
        return Err(ApiError::new(StatusCode::TOO_EARLY, "the call has not ended"));
    }
    progress.is_deleted = true;
    Ok(StatusCode::NO_CONTENT)
}
