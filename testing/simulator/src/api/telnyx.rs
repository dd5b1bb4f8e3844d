//! Telnyx's API: shows and ends phone legs.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde_json::{Value, json};

use super::App;
use crate::call::{Call, Command};
use crate::clock::format_timestamp;
use crate::leg::{AnsweredBy, Leg};
use crate::simulator::Simulator;

/// An error in Telnyx's format.
pub struct TelnyxError(StatusCode, &'static str);

impl IntoResponse for TelnyxError {
    fn into_response(self) -> Response {
        let body = json!({"errors": [{
            "code": format!("{}00", self.0.as_u16()),
            "title": self.0.canonical_reason(),
            "detail": self.1,
        }]});
        (self.0, Json(body)).into_response()
    }
}

pub async fn check_bearer_key(
    State(simulator): App,
    request: Request,
    next: Next,
) -> Result<Response, TelnyxError> {
    let header = request.headers().get(header::AUTHORIZATION);
    let key = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if key.is_none() || key != simulator.settings.telnyx_api_key.as_deref() {
        return Err(TelnyxError(StatusCode::UNAUTHORIZED, "the key is missing or not valid"));
    }
    Ok(next.run(request).await)
}

pub async fn show_leg(
    State(simulator): App,
    Path((account, sid)): Path<(String, String)>,
) -> Result<Json<Value>, TelnyxError> {
    let call = find_call(&simulator, &account, &sid)?;
    Ok(Json(leg_json(&account, &call.leg)))
}

/// Lists the legs of the account.
pub async fn list_legs(
    State(simulator): App,
    Path(account): Path<String>,
) -> Result<Json<Value>, TelnyxError> {
    if account != simulator.telnyx.account_sid {
        return Err(TelnyxError(StatusCode::NOT_FOUND, "no such account"));
    }
    let calls = simulator.calls.all();
    let legs: Vec<Value> = calls.iter().map(|call| leg_json(&account, &call.leg)).collect();
    Ok(Json(json!({ "calls": legs })))
}

/// Ends a leg: `Status=completed`.
pub async fn end_leg(
    State(simulator): App,
    Path((account, sid)): Path<(String, String)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Json<Value>, TelnyxError> {
    let call = find_call(&simulator, &account, &sid)?;
    let unprocessable = |detail| Err(TelnyxError(StatusCode::UNPROCESSABLE_ENTITY, detail));
    if form != [("Status".to_owned(), "completed".to_owned())] {
        return unprocessable("only Status=completed is simulated");
    }
    if call.leg.status().is_over() {
        return unprocessable("the call has ended");
    }
    // An error means that the leg has just ended.
    let _ = call.commands.send(Command::EndLeg);
    Ok(Json(leg_json(&account, &call.leg)))
}

fn find_call(simulator: &Simulator, account: &str, sid: &str) -> Result<Arc<Call>, TelnyxError> {
    let is_own = account == simulator.telnyx.account_sid;
    let call = if is_own { simulator.calls.find_by_leg(sid) } else { None };
    call.ok_or(TelnyxError(StatusCode::NOT_FOUND, "no such call"))
}

fn leg_json(account: &str, leg: &Leg) -> Value {
    let state = leg.state();
    let answered_by = state.answered_by.map(|answered_by| match answered_by {
        AnsweredBy::Human => "human",
        AnsweredBy::MachineStart | AnsweredBy::MachineEndBeep => "machine",
    });
    json!({
        "account_sid": account,
        "sid": leg.sid,
        "to": leg.to,
        "from": leg.from,
        "direction": "outbound",
        "status": <&str>::from(state.status),
        "answered_by": answered_by,
        "start_time": state.answered_at.map(format_timestamp),
        "end_time": state.ended_at.map(format_timestamp),
    })
}
