//! `POST /tools/report_outcome`: the agent of a call says what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bootstrap::token::Purpose;
use chrono::Utc;
use domain::ids::{ConversationId, DialId};
use serde_json::json;
use tracing::warn;
use workflows::events::{CallEvent, Message};

use crate::App;
use crate::body::Raw;
use crate::deliver::Delivered;
use crate::form::{self, report};
use crate::problem::Problem;

/// Longest time for Temporal to take a report: the callee hears silence meanwhile.
const DELIVERY_TIMEOUT: Duration = Duration::from_millis(400);

/// What the agent does next, beside what it reads (documentation of Ultravox, "Tools").
const REACTION: HeaderName = HeaderName::from_static("x-ultravox-agent-reaction");
/// What becomes of the call.
const RESPONSE_TYPE: HeaderName = HeaderName::from_static("x-ultravox-response-type");
/// What the provider keeps for the next use of a tool in this call.
const CALL_STATE: HeaderName = HeaderName::from_static("x-ultravox-update-call-state");

/// What the agent reads.
enum Answer {
    /// The report is kept.
    Taken(report::Read),
    /// It can't be taken as it is; the text says what to do.
    Refused(String),
    /// It could not be handed over. Nothing says that it was refused, so that it is found in the
    /// call's messages if the agent does not repeat it.
    Later,
    /// The records of the call are closed. The report amends them.
    TooLate,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (accepted, message) = match &self {
            Self::Taken(read) => (Some(true), read.answer.as_str()),
            Self::Refused(why) => (Some(false), why.as_str()),
            Self::Later => (
                None,
                "That could not be recorded yet. Go on, and use report_outcome with the same \
                arguments once more before you say goodbye.",
            ),
            Self::TooLate => (Some(true), "This call is over. Use hangUp."),
        };
        let mut answer = json!({ "message": message });
        if let Some(accepted) = accepted {
            answer["accepted"] = json!(accepted);
        }
        let mut response = Json(answer).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Taken(read) => {
                headers.insert(REACTION, HeaderValue::from_static("speaks-once"));
                headers.extend(HeaderValue::from_str(&read.state).ok().map(|it| (CALL_STATE, it)));
            }
            Self::TooLate => {
                headers.insert(RESPONSE_TYPE, HeaderValue::from_static("hang-up"));
            }
            Self::Refused(_) | Self::Later => {
                headers.insert(REACTION, HeaderValue::from_static("speaks"));
            }
        }
        response
    }
}

/// Checks the token, reads the arguments and hands the report over.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Raw,
) -> Result<Response, Problem> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let dial = shown
        .and_then(|shown| shown.strip_prefix("Bearer "))
        .and_then(|token| app.keys.dial(Purpose::Outcome, token))
        .ok_or(Problem::NotGenuine)?;
    let conversation = dial.conversation().ok_or(Problem::NotGenuine)?;
    let arguments = form::object(&body)?;
    drop(body);
    let answer = match report::read(&arguments, app.clock_offset.apply(Utc::now())) {
        Ok(read) => hand_over(&app, &conversation, &dial, read).await,
        Err(why) => Answer::Refused(why),
    };
    Ok(answer.into_response())
}

async fn hand_over(
    app: &App,
    conversation: &ConversationId,
    dial: &DialId,
    read: report::Read,
) -> Answer {
    let event = CallEvent::Reported(read.reported.clone());
    let message = Message { dial_id: Some(dial.to_string()), user_id: None, event };
    match app.deliver.deliver(conversation, &message, DELIVERY_TIMEOUT).await {
        Ok(Delivered::Taken) => Answer::Taken(read),
        Ok(Delivered::NobodyWaits) => {
            warn!(conversationId = %conversation, dialId = %dial, "Report came after the end");
            Answer::TooLate
        }
        Err(_) => Answer::Later,
    }
}
