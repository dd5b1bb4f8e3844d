//! The simulator's own routes, which need no key.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use crate::call::ledger_json;
use crate::faults::ActiveFaults;
use crate::schema::parse_json;

pub async fn show_health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Shows every call, contract violation and delivery counter.
pub async fn show_ledger(State(simulator): App) -> Json<Value> {
    let calls = simulator.calls.all();
    Json(json!({
        "calls": calls.iter().map(|call| ledger_json(call)).collect::<Vec<Value>>(),
        "violations": simulator.violations.all(),
        "deliveries": simulator.webhooks.counters.to_json(),
        "carrierDeliveries": simulator.telnyx.counters.to_json(),
    }))
}

/// Shows the base64 public key of the signatures of Telnyx's callbacks.
pub async fn show_public_key(State(simulator): App) -> String {
    simulator.telnyx.key.public_key()
}

pub async fn show_faults(State(simulator): App) -> Json<ActiveFaults> {
    Json(simulator.faults.active())
}

pub async fn change_faults(
    State(simulator): App,
    body: Bytes,
) -> Result<Json<ActiveFaults>, ApiError> {
    let change = parse_json(&body).map_err(ApiError::bad_request)?;
    simulator.faults.change(change).map_err(ApiError::bad_request)?;
    Ok(Json(simulator.faults.active()))
}

pub async fn clear_faults(State(simulator): App) -> Json<ActiveFaults> {
    simulator.faults.clear();
    Json(simulator.faults.active())
}
