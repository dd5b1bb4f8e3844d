//! The simulator's own routes: no key needed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use crate::calls::ledger_json;
use crate::faults::{Change, Present};

/// Up and answering.
pub async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The truth about every call, every breach of the contract and every delivery.
pub async fn ledger(State(simulator): App) -> Json<Value> {
    let calls = simulator.calls.all();
    Json(json!({
        "calls": calls.iter().map(|call| ledger_json(call)).collect::<Vec<Value>>(),
        "violations": simulator.violations.all(),
        "deliveries": simulator.webhooks.counters.to_json(),
        "carrierDeliveries": simulator.carrier.counters.to_json(),
    }))
}

/// The base64 key that carrier callbacks are signed for.
pub async fn public_key(State(simulator): App) -> String {
    simulator.carrier.public_key()
}

/// The faults in force.
pub async fn faults(State(simulator): App) -> Json<Present> {
    Json(simulator.faults.present())
}

/// Adds to the faults in force.
pub async fn add_faults(State(simulator): App, body: Bytes) -> Result<Json<Present>, ApiError> {
    let change: Change =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    simulator.faults.change(change).map_err(ApiError::bad_request)?;
    Ok(Json(simulator.faults.present()))
}

/// Removes every fault.
pub async fn clear_faults(State(simulator): App) -> Json<Present> {
    simulator.faults.clear();
    Json(simulator.faults.present())
}
