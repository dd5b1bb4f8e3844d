//! A call without a workflow.

use domain::call_log::RunEnd;
use domain::facts::{DialEvent, DialFacts};
use domain::ids::ConversationId;
use domain::status::Reason;
use serde_json::Value;
use store::conversations;
use store::dials::{self, Dial};
use tracing::warn;
use workflows::activities::calls::{DialRef, EndedRun, HangUpInput, ReceivedEvent, RecordInput};

use crate::calls::{
    Calls, apply_late_event, collect_transcript, fetch_status, hang_up, record_outcome,
};
use crate::failure::Failure;

/// What a sweep did with a call without a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    Recorded,
    /// The call is not over yet; a hang-up was requested.
    Ending,
}

/// Records a call without a workflow, or hangs it up if it is not over. `messages`: what its last run received.
pub async fn record_abandoned(
    calls: &Calls,
    id: &ConversationId,
    messages: &[Value],
) -> Result<Swept, Failure> {
    let mut tx = calls.store.begin().await?;
    let Some(conversation) = conversations::lock(&mut tx, id).await? else {
        return Ok(Swept::Recorded);
    };
    let mut closed = conversation.recorded_at.is_some();
    let user = &conversation.user_id;
    for input in
        messages.iter().filter_map(|message| apply_late_event::record_input(id, message, user))
    {
        closed = record_outcome::record(calls, &mut tx, &input).await?.closed;
    }
    let dials = dials::lock_all(&mut tx, id).await?;
    tx.commit().await?;
    if let Some(dial) = dials.iter().find(|dial| dial.is_live()) {
        return end_live_dial(calls, dial).await;
    }
    if !closed {
        let present = dials.iter().rfind(|dial| dial.generation == conversation.generation);
        let ended_run = EndedRun {
            run_id: None,
            dial_id: present.map(|dial| dial.id.clone()),
            end: RunEnd::Requeued {
                reason: Reason::Abandoned,
                detail: "The workflow of the call was terminated.".to_owned(),
            },
        };
        let input = RecordInput { ended_run: Some(ended_run), ..RecordInput::new(id.clone()) };
        record_outcome::run(calls, &input).await?;
    }
    Ok(Swept::Recorded)
}

/// Looks a live dial up, records what follows, and hangs it up if it is not over.
async fn end_live_dial(calls: &Calls, dial: &Dial) -> Result<Swept, Failure> {
    let now = calls.clock.now();
    let terms = record_outcome::terms(calls, dial);
    let sent_at = dial.sent_at.unwrap_or(now);
    let expired = now >= terms.latest_end(sent_at);
    let dial_ref = DialRef { dial_id: dial.id.clone(), provider_call_id: None };
    let mut events = match fetch_status::run(calls, &dial_ref).await {
        Ok(status) => status.into_events(),
        Err(error) if expired => {
            warn!(%error, "The call can't be looked up; its longest possible end has passed");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let facts = DialFacts::of(events.clone());
    let not_found = dial.not_found_at.filter(|_| events.is_empty());
    if not_found.is_some_and(|first| terms.is_never_placed(sent_at, first, now)) {
        events.push(DialEvent::NeverPlaced);
    }
    if !facts.is_over() {
        let leg = HangUpInput {
            dial_id: dial.id.clone(),
            provider_call_id: facts.provider_call_id().map(str::to_owned),
            carrier_call_id: dial.carrier_call_id.clone(),
            answered: facts.is_answered(),
        };
        match hang_up::run(calls, &leg).await {
            Ok(()) => {}
            Err(error) if expired => warn!(%error, "The call can't be hung up"),
            Err(error) => return Err(error),
        }
        if expired {
            events.push(DialEvent::Vanished);
        }
    }
    let answered = facts.is_answered();
    let received = |event| ReceivedEvent { dial_id: Some(dial.id.clone()), event };
    let input = RecordInput {
        events: events.into_iter().map(received).collect(),
        ..RecordInput::new(dial.conversation_id.clone())
    };
    let recorded = record_outcome::run(calls, &input).await?;
    let is_live = dials::read(&mut *calls.store.read().await?, &dial.id).await?;
    if !recorded.closed || is_live.is_some_and(|dial| dial.is_live()) {
        return Ok(Swept::Ending);
    }
    if answered && let Err(error) = collect_transcript::run(calls, &dial_ref).await {
        warn!(%error, "The transcript could not be read yet");
    }
    Ok(Swept::Recorded)
}
