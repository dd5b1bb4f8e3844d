//! `calls.apply_late_event`: events for which no workflow runs.

use domain::ids::{ConversationId, DialId, UserId};
use store::{Connection, StoreError, conversations, dials, prospects};
use temporalio_client::Client;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::tonic::{Code, Status};
use tracing::field::display;
use tracing::{Span, info, instrument, warn};
use workflows::Call;
use workflows::activities::calls::{
    DialRef, LateEventInput, LateEventResult, ReceivedEvent, RecordInput,
};
use workflows::events::{self, Received};
use workflows::ids::call_workflow;

use super::{Calls, collect_transcript, record_outcome};
use crate::failure::Failure;

/// Records a late event, whether the call was recorded before or not.
#[instrument(
    name = "apply_late_event",
    level = "error",
    skip_all,
    fields(userId, conversationId = %input.conversation_id, dialId)
)]
pub async fn run(calls: &Calls, input: &LateEventInput) -> Result<LateEventResult, Failure> {
    let id = &input.conversation_id;
    let mut tx = calls.store.begin().await?;
    let Some(conversation) = conversations::lock(&mut tx, id).await? else {
        warn!("An event arrived for an unknown conversation");
        let user = match id.prospect() {
            Some(prospect) => prospects::owner(&mut tx, &prospect).await?,
            None => None,
        };
        if let Some(received) = user.and_then(|user| record_input(id, &input.message, &user)) {
            record_outcome::record(calls, &mut tx, &received).await?;
            tx.commit().await?;
        }
        return Ok(LateEventResult::UnknownConversation);
    };
    Span::current().record("userId", display(&conversation.user_id));
    let Some(received) = record_input(id, &input.message, &conversation.user_id) else {
        return Ok(LateEventResult::Unchanged);
    };
    let recorded = record_outcome::record(calls, &mut tx, &received).await?;
    tx.commit().await?;
    info!(amended = recorded.changed, "Applied a late event");
    let dial_id = received.events.iter().find_map(|event| event.dial_id.clone());
    let collected = match dial_id {
        // An answered call may have reports that were not received: they are in its messages.
        Some(dial_id) if recorded.closed => collect_reports(calls, &dial_id).await?,
        _ => false,
    };
    Ok(match recorded.changed || collected {
        true => LateEventResult::Amended,
        false => LateEventResult::Unchanged,
    })
}

/// The message as an input of `calls.record_outcome`; `None` if it says nothing of a call of this user.
pub(super) fn record_input(
    id: &ConversationId,
    message: &serde_json::Value,
    user: &UserId,
) -> Option<RecordInput> {
    let mut input = RecordInput::new(id.clone());
    match events::parse_message(message, user) {
        Received::Ignored => return None,
        Received::Unread => input.unread.push(message.clone()),
        Received::Event(message) => {
            let (events, transcript) = message.event.into_dial_events();
            let received = |event| ReceivedEvent { dial_id: message.dial_id.clone(), event };
            input.events = events.into_iter().map(received).collect();
            input.transcript = transcript;
        }
    }
    Some(input)
}

/// Records a message that was not readable before; returns whether it is now.
pub(super) async fn record_if_readable(
    calls: &Calls,
    conn: &mut Connection,
    id: &ConversationId,
    message: &serde_json::Value,
) -> Result<bool, StoreError> {
    let Some(conversation) = conversations::lock(conn, id).await? else { return Ok(true) };
    let Some(input) = record_input(id, message, &conversation.user_id) else { return Ok(true) };
    if !input.unread.is_empty() {
        return Ok(false);
    }
    record_outcome::record(calls, conn, &input).await?;
    Ok(true)
}

/// Reads the messages of a dial, unless they were read; returns whether that changed the records. If they can't be read
/// now, a sweep reads them later.
async fn collect_reports(calls: &Calls, dial_id: &DialId) -> Result<bool, StoreError> {
    let dial = dials::read(&mut *calls.store.read().await?, dial_id).await?;
    if !dial.is_some_and(|dial| dial.transcript_is_due()) {
        return Ok(false);
    }
    let dial_ref = DialRef { dial_id: dial_id.clone(), provider_call_id: None };
    match collect_transcript::run(calls, &dial_ref).await {
        Ok(recorded) => Ok(recorded.changed),
        Err(error) => {
            warn!(%error, "The transcript could not be read yet");
            Ok(false)
        }
    }
}

/// Passes the event on to the workflow of the call, if one runs by now: it may have started meanwhile.
pub async fn pass_on(client: &Client, input: &LateEventInput) -> Result<(), Failure> {
    let handle = client.get_workflow_handle::<Call>(call_workflow(&input.conversation_id));
    match handle.signal(Call::call_event, input.message.clone().into(), Default::default()).await {
        Ok(()) | Err(WorkflowInteractionError::NotFound(_)) => Ok(()),
        // For example the workflow has as many signals as Temporal allows. The records have the event.
        Err(WorkflowInteractionError::Rpc(status)) if takes_no_signal(&status) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn takes_no_signal(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange)
}
