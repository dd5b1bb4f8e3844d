//! The carrier's own API: looking at a leg and ending it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::App;
use crate::calls::{Call, Control};
use crate::simulator::Simulator;
use crate::telnyx::Leg;

/// A refusal in the carrier's notation.
pub struct CarrierError(StatusCode, &'static str);

impl IntoResponse for CarrierError {
    fn into_response(self) -> Response {
        let body = json!({"errors": [{
            "code": format!("{}00", self.0.as_u16()),
            "title": self.0.canonical_reason(),
            "detail": self.1,
        }]});
        (self.0, Json(body)).into_response()
    }
}

/// Where a leg stands.
pub async fn show(
    State(simulator): App,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, CarrierError> {
    let call = find(&simulator, &account, &sid, &headers)?;
    call.leg
        .as_ref()
        .map(|leg| Json(leg_json(&account, leg)))
        .ok_or(CarrierError(StatusCode::NOT_FOUND, "no such call"))
}

/// Ends a leg: `Status=completed`.
pub async fn update(
    State(simulator): App,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, CarrierError> {
    let call = find(&simulator, &account, &sid, &headers)?;
    let unprocessable = |detail| CarrierError(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    if form != [("Status".to_owned(), "completed".to_owned())] {
        return Err(unprocessable("only Status=completed is understood"));
    }
    match &call.leg {
        Some(leg) if !leg.status().is_over() => {
            // The leg may end at this very moment; then there is nothing left to do.
            let _ = call.control.send(Control::CarrierHangUp);
            Ok(Json(leg_json(&account, leg)))
        }
        _ => Err(unprocessable("the call is over already")),
    }
}

fn find(
    simulator: &Simulator,
    account: &str,
    sid: &str,
    headers: &HeaderMap,
) -> Result<Arc<Call>, CarrierError> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let expected = simulator.settings.telnyx_api_key.as_deref();
    if expected.is_none() || given != expected {
        return Err(CarrierError(StatusCode::UNAUTHORIZED, "the key is missing or not valid"));
    }
    let calls = simulator.calls.all();
    let own = calls.into_iter().filter(|_| account == simulator.carrier.account);
    own.into_iter()
        .find(|call| call.leg.as_ref().is_some_and(|leg| leg.sid == sid))
        .ok_or(CarrierError(StatusCode::NOT_FOUND, "no such call"))
}

fn leg_json(account: &str, leg: &Leg) -> Value {
    let state = leg.state();
    json!({
        "account_sid": account,
        "sid": leg.sid,
        "to": leg.dial.to,
        "from": leg.dial.from,
        "direction": "outbound",
        "status": state.status.name(),
        "answered_by": state.answered_by.map(|who| if who == "human" { "human" } else { "machine" }),
        "start_time": state.answered.map(|moment| moment.to_rfc3339()),
        "end_time": state.ended.map(|moment| moment.to_rfc3339()),
    })
}
