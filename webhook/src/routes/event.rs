//! Forwards the event of a webhook and answers the sender.

use axum::http::StatusCode;
use tracing::field::display;
use tracing::{Span, info};

use crate::forward::{EventForwarder, FORWARD_TIMEOUT, Forwarded};
use crate::payload::RoutedEvent;
use crate::problem::Problem;

/// Answers 204 if the call's workflow has the event, and 202 if no such workflow is running or takes
/// it.
pub(super) async fn forward_event(
    forwarder: &EventForwarder,
    event: &RoutedEvent,
) -> Result<StatusCode, Problem> {
    record_ids(event);
    match forwarder.forward(event, FORWARD_TIMEOUT).await? {
        Forwarded::Accepted => Ok(StatusCode::NO_CONTENT),
        Forwarded::Diverted => Ok(StatusCode::ACCEPTED),
        Forwarded::NoRunningWorkflow => {
            info!("Event accepted, but no workflow of the call is running");
            Ok(StatusCode::ACCEPTED)
        }
    }
}

/// Records the ids in the span of the request.
pub(super) fn record_ids(event: &RoutedEvent) {
    let span = Span::current();
    span.record("conversationId", display(&event.conversation));
    if let Some(dial) = &event.message.dial_id {
        span.record("dialId", dial.as_str());
    }
}
