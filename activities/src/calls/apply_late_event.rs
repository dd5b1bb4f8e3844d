//! `calls.apply_late_event`: events that arrived after the call was recorded.

use domain::facts::{CallSummary, DialEvent, DialFacts};
use domain::ids::{ConversationId, DialId};
use domain::late_events;
use domain::minutes;
use domain::status::{Disposition, Reason};
use store::outcomes::{self, ClosedDial, NewSuppression, ProspectUpdate, RecordedCall};
use store::{Connection, StoreError, dials};
use tracing::field::display;
use tracing::{Span, info, instrument, warn};
use workflows::activities::calls::{CallRecord, DialRef, LateEventInput, LateEventResult};
use workflows::events;

use super::{Calls, collect_transcript, record_outcome};
use crate::failure::Failure;
use crate::ultravox::UltravoxError;

/// Applies a late event to the records.
#[instrument(
    name = "apply_late_event",
    level = "error",
    skip_all,
    fields(userId, conversationId = %input.conversation_id, dialId)
)]
pub async fn run(calls: &Calls, input: &LateEventInput) -> Result<LateEventResult, Failure> {
    let id = &input.conversation_id;
    let mut tx = calls.store.begin().await?;
    let Some(recorded) = outcomes::lock_recorded(&mut tx, id).await? else {
        warn!("An event arrived for an unknown conversation");
        return Ok(LateEventResult::UnknownConversation);
    };
    drop(tx);
    let RecordedCall { user_id, status, summary } = recorded;
    Span::current().record("userId", display(&user_id));
    let Some(message) = events::parse_message(input.message.clone(), &user_id) else {
        return Ok(LateEventResult::Unchanged);
    };
    if status.is_open() {
        // The sweep records the call; the retry then applies the event.
        return Err(Failure::NotRecorded(id.clone()));
    }
    let dial_id = message.dial_id;
    Span::current().record("dialId", dial_id.as_ref().map(display));
    let (mut late, transcript) = message.event.into_dial_events();
    // An answered call may have reports that were not received: they are in its messages.
    let is_reported = summary.outcome.is_some() && summary.reason.is_none();
    if late.iter().any(shows_answer) && !is_reported {
        late.extend(collect_reports(calls, id, dial_id.as_ref(), &late).await?);
    }
    let mut tx = calls.store.begin().await?;
    let Some(RecordedCall { summary, .. }) = outcomes::lock_recorded(&mut tx, id).await? else {
        return Ok(LateEventResult::UnknownConversation);
    };
    let last = dials::lock_last(&mut tx, id).await?.map(|dial| dial.id);
    let is_earlier = |dial_id: &DialId| last.as_ref().is_some_and(|last| last != dial_id);
    let result = match dial_id.filter(is_earlier) {
        Some(earlier) => amend_earlier_dial(calls, &mut tx, &earlier, late).await?,
        None => {
            let call = LastDial { conversation_id: id, dial_id: last, transcript };
            amend_last_dial(calls, &mut tx, call, &summary, late).await?
        }
    };
    tx.commit().await?;
    let amended = result == LateEventResult::Amended;
    info!(amended, "Applied a late event");
    Ok(result)
}

struct LastDial<'a> {
    conversation_id: &'a ConversationId,
    dial_id: Option<DialId>,
    transcript: Option<String>,
}

/// Amends the records by events of the last dial.
async fn amend_last_dial(
    calls: &Calls,
    conn: &mut Connection,
    call: LastDial<'_>,
    recorded: &CallSummary,
    late: Vec<DialEvent>,
) -> Result<LateEventResult, StoreError> {
    let was_cancelled = recorded.outcome.is_none()
        && matches!(recorded.reason, Some(Reason::CancelledByOperator | Reason::Suppressed));
    let provider_call_id = provider_call_id(&late);
    let Some(mut amended) = late_events::amend(recorded, late) else {
        return Ok(LateEventResult::Unchanged);
    };
    let mut disposition = Disposition::Over;
    if was_cancelled && amended.reason.is_some() {
        // Without a report the call stays cancelled; only its talk is counted.
        disposition = Disposition::Cancelled;
        amended = CallSummary { outcome: None, reason: recorded.reason, ..amended };
    }
    let record = CallRecord {
        dial_id: call.dial_id,
        transcript: call.transcript,
        provider_call_id,
        ..CallRecord::new(call.conversation_id.clone(), disposition, amended)
    };
    record_outcome::write(calls, conn, &record).await?;
    Ok(LateEventResult::Amended)
}

/// Amends the records by events of an earlier dial: its talk is charged and an opt-out applies. The outcome of the call is
/// the one of the last dial.
async fn amend_earlier_dial(
    calls: &Calls,
    conn: &mut Connection,
    dial_id: &DialId,
    late: Vec<DialEvent>,
) -> Result<LateEventResult, StoreError> {
    let Some(dial) = dials::lock(conn, dial_id).await? else {
        return Ok(LateEventResult::Unchanged);
    };
    let provider_call_id = provider_call_id(&late);
    let facts = DialFacts::of(late);
    let minutes = minutes::charged(facts.summary().talk_secs).min(dial.reserved_minutes);
    let now = calls.clock.now();
    let charge = minutes > 0 && minutes != outcomes::charged_of_dial(conn, dial_id).await?;
    if charge {
        let closed = ClosedDial {
            placed: true,
            provider_call_id: provider_call_id.as_deref(),
            carrier_call_id: None,
            minutes,
        };
        outcomes::close_dial(conn, &dial, &closed, now).await?;
    }
    let phone = Some(dial.phone.as_str());
    let suppressed = outcomes::is_suppressed(conn, &dial.user_id, &dial.prospect_id, phone).await?;
    let opts_out = facts.opted_out() && !suppressed;
    if opts_out {
        let suppression = NewSuppression {
            user_id: &dial.user_id,
            prospect_id: &dial.prospect_id,
            dialed: phone,
            conversation_id: &dial.conversation_id,
        };
        outcomes::suppress(conn, &suppression).await?;
        let update = ProspectUpdate::opt_out();
        outcomes::update_prospect(conn, &dial.prospect_id, &update, now).await?;
    }
    Ok(if charge || opts_out { LateEventResult::Amended } else { LateEventResult::Unchanged })
}

/// Reads the reports in the messages of a dial; none if the provider no longer has the call.
async fn collect_reports(
    calls: &Calls,
    conversation_id: &ConversationId,
    dial_id: Option<&DialId>,
    late: &[DialEvent],
) -> Result<Vec<DialEvent>, Failure> {
    let dial_id = match dial_id {
        Some(dial_id) => Some(dial_id.clone()),
        None => {
            let mut conn = calls.store.read().await?;
            dials::read_last(&mut conn, conversation_id).await?.map(|dial| dial.id)
        }
    };
    let Some(dial_id) = dial_id else { return Ok(Vec::new()) };
    let dial = DialRef { dial_id, provider_call_id: provider_call_id(late) };
    match collect_transcript::run(calls, &dial).await {
        Ok(reports) => Ok(reports.into_events().collect()),
        Err(Failure::Provider(UltravoxError::NotFound(_))) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn shows_answer(event: &DialEvent) -> bool {
    matches!(event, DialEvent::Answered { .. } | DialEvent::Ended { answered_at: Some(_), .. })
}

fn provider_call_id(events: &[DialEvent]) -> Option<String> {
    events.iter().find_map(|event| match event {
        DialEvent::Placed { provider_call_id } => Some(provider_call_id.clone()),
        _ => None,
    })
}
