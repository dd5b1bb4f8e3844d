//! `GET /api/calls/{id}/messages`.

use axum::Json;
use serde_json::{Value, json};

use super::calls::CallInPath;
use super::error::ApiError;
use super::paging::PageQuery;

/// Lists the messages in order. The modes are equal here: a request has no initial messages.
pub async fn list(CallInPath(call): CallInPath, query: PageQuery) -> Result<Json<Value>, ApiError> {
    for (name, value) in &query.filters {
        if name != "mode" || !matches!(value.as_str(), "last_stage" | "in_call") {
            return Err(ApiError::bad_request("mode must be last_stage or in_call"));
        }
    }
    let progress = call.progress();
    let items = (0..).zip(progress.messages.iter().map(|message| json!(message))).collect();
    Ok(Json(query.page(items, u64::gt)))
}
