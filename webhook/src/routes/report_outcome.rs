//! `POST /tools/report_outcome`: the agent of a call says what came of it.
//!
//! Every argument is the output of a model. What can't be taken is answered with a sentence on
//! which the agent can act.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use domain::hours::{named_moment, parse_zone};
use domain::ids::{ConversationId, DialId};
use domain::report::{REPORTABLE, Report, Source};
use domain::status::Outcome;
use domain::token::outcome_token;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Map, Value};
use subtle::{Choice, ConstantTimeEq as _};
use tracing::warn;
use workflows::events::{CallEvent, Message, Reported};

use crate::form;
use crate::problem::Problem;
use crate::{App, Delivered};

/// What the agent reads.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Answer {
    /// Whether the report was taken.
    accepted: bool,
    /// What to do next.
    message: String,
}

impl Answer {
    fn accepted(message: &str) -> Self {
        Self { accepted: true, message: message.to_owned() }
    }

    fn refused(message: impl Into<String>) -> Self {
        Self { accepted: false, message: message.into() }
    }
}

/// Checks the token, reads the arguments and hands the report over.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Answer>, Problem> {
    let body = form::object(&body);
    let (dial, conversation) = body
        .as_ref()
        .ok()
        .and_then(|body| body.get("dialId")?.as_str().map(DialId::new))
        .and_then(|dial| dial.conversation().map(|conversation| (dial, conversation)))
        .ok_or(Problem::NotGenuine)?;
    if !app.secrets.is_empty() && !has_token(&app, &headers, &dial) {
        return Err(Problem::NotGenuine);
    }
    let now = app.clock_offset.apply(Utc::now());
    match read(&body?, now) {
        Ok(reported) => Ok(Json(hand_over(&app, &conversation, &dial, reported).await?)),
        Err(answer) => Ok(Json(answer)),
    }
}

/// Whether the request shows the token of that dial, made with any current secret.
fn has_token(app: &App, headers: &HeaderMap, dial: &DialId) -> bool {
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    let mut genuine = Choice::from(0);
    for secret in &app.secrets {
        let expected = outcome_token(secret.expose_secret().as_bytes(), dial);
        genuine |= shown.ct_eq(expected.as_bytes());
    }
    genuine.into()
}

async fn hand_over(
    app: &App,
    conversation: &ConversationId,
    dial: &DialId,
    reported: Reported,
) -> Result<Answer, Problem> {
    let message = Message { dial_id: Some(dial.to_string()), event: CallEvent::Reported(reported) };
    match app.deliver.deliver(conversation, &message).await? {
        Delivered::Taken => Ok(Answer::accepted("Recorded. Say goodbye and use hangUp.")),
        Delivered::NobodyWaits => {
            warn!(conversationId = %conversation, dialId = %dial, "Report came after the end");
            Ok(Answer::accepted("This call is over. Use hangUp."))
        }
    }
}

/// Reads the arguments, or says what to ask for.
fn read(body: &Map<String, Value>, now: DateTime<Utc>) -> Result<Reported, Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim);
    let outcome = text("outcome")
        .and_then(Outcome::parse)
        .filter(|outcome| REPORTABLE.contains(outcome))
        .ok_or_else(|| {
            let words = REPORTABLE.map(Outcome::as_str).join(", ");
            Answer::refused(format!("That outcome is unknown. Use one of {words}."))
        })?;
    // Set by ourselves beside what the model fills in.
    let zone = text("timeZone").and_then(|zone| parse_zone(zone).ok());
    let time = match text("time").filter(|time| !time.is_empty()) {
        None => None,
        Some(time) => Some(named_moment(time, zone).ok_or_else(|| {
            Answer::refused(
                "That time can't be read. Give date, time and offset, as \
                2025-02-26T15:00:00-05:00.",
            )
        })?),
    };
    let notes = text("notes").map(str::to_owned);
    let report = Report::new(outcome, time, notes.clone(), Source::Agent).map_err(|_| {
        Answer::refused("The time that was agreed on is missing. Ask for it and report again.")
    })?;
    if report.time().is_some_and(|time| time <= now) {
        return Err(Answer::refused("That time is in the past. Ask for another one."));
    }
    Ok(Reported { outcome, time: report.time(), notes })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(body: Value) -> Result<Reported, String> {
        let now = "2025-02-25T14:00:00Z".parse().unwrap();
        read(body.as_object().unwrap(), now).map_err(|answer| answer.message)
    }

    #[test]
    fn a_sound_report_is_read() {
        let reported = read_json(json!({"outcome": "CALLBACK_REQUESTED",
            "time": "2025-02-25T11:00:00-05:00", "notes": "after lunch", "extra": 1}))
        .unwrap();
        assert_eq!(reported.time, Some("2025-02-25T16:00:00Z".parse().unwrap()));
        assert_eq!(reported.notes.as_deref(), Some("after lunch"));
        assert!(read_json(json!({"outcome": "DO_NOT_CALL"})).is_ok());
        let local = json!({"outcome": "CALLBACK_REQUESTED", "time": "2025-02-25T11:00:00",
            "timeZone": "America/New_York"});
        assert_eq!(read_json(local).unwrap().time, reported.time);
    }

    #[test]
    fn what_the_agent_got_wrong_is_told_so_that_it_can_ask() {
        for (body, word) in [
            (json!({}), "unknown"),
            (json!({"outcome": 3}), "unknown"),
            (json!({"outcome": "FAILED"}), "unknown"),
            (json!({"outcome": "APPOINTMENT_SET"}), "missing"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "tomorrow at 3"}), "can't be read"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-26T15:00:00"}), "can't be read"),
            (json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-25T13:59:00Z"}), "past"),
            (
                json!({"outcome": "APPOINTMENT_SET", "time": "2025-02-25T08:59:00",
                    "timeZone": "America/New_York"}),
                "past",
            ),
        ] {
            let message = read_json(body.clone()).unwrap_err();
            assert!(message.contains(word), "{body}: {message}");
        }
    }
}
