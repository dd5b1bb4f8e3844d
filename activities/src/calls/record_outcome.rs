//! `calls.record_outcome`: recording how a call ended, in one transaction.

use chrono::{DateTime, Utc};
use domain::cool_down::cool_down;
use domain::ids::ConversationId;
use domain::minutes;
use domain::status::{ConversationStatus, Disposition, Outcome, ProspectStatus, Reason};
use store::conversations::{self, LockedConversation};
use store::dials::{self, Dial, DialState};
use store::outcomes::{self, ClosedConversation, ClosedDial, NewSuppression, ProspectUpdate};
use store::{Connection, StoreError, rules};
use tracing::field::display;
use tracing::{Span, info, instrument};
use workflows::activities::calls::{CallRecord, Recorded};

use super::{Calls, record_ids};

/// Records a call in one transaction.
pub async fn run(calls: &Calls, record: &CallRecord) -> Result<Recorded, StoreError> {
    let mut tx = calls.store.begin().await?;
    let recorded = write(calls, &mut tx, record).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Writes a record within a transaction.
#[instrument(
    name = "record_outcome",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId = %record.conversation_id, dialId)
)]
pub(super) async fn write(
    calls: &Calls,
    conn: &mut Connection,
    record: &CallRecord,
) -> Result<Recorded, StoreError> {
    let record = &without_nul(record);
    let id = &record.conversation_id;
    let Some(conversation) = conversations::lock(conn, id).await? else {
        return Ok(Recorded::default());
    };
    record_ids(&conversation.user_id, &conversation.prospect_id, id);
    let was_recorded = !conversation.status.is_open();
    if was_recorded && !record.disposition.may_replace(conversation.status) {
        return Ok(Recorded { minutes: outcomes::charged(conn, id).await? });
    }
    let now = calls.clock.now();
    let dial = dials::lock_last(conn, id).await?;
    if is_about_another_dial(record, dial.as_ref(), was_recorded) {
        if record.summary.outcome == Some(Outcome::DoNotCall) {
            opt_out(conn, &conversation, id, dial.as_ref(), now).await?;
        }
        return Ok(Recorded { minutes: outcomes::charged(conn, id).await? });
    }
    if let Some(dial) = &dial {
        Span::current().record("dialId", display(&dial.id));
        let closed = ClosedDial {
            placed: was_placed(dial, record),
            provider_call_id: record.provider_call_id.as_deref(),
            carrier_call_id: record.carrier_call_id.as_deref(),
            minutes: minutes::charged(record.summary.talk_secs).min(dial.reserved_minutes),
        };
        outcomes::close_dial(conn, dial, &closed, now).await?;
    }
    let suppressed = record.disposition == Disposition::Cancelled && {
        let (user_id, prospect_id) = (&conversation.user_id, &conversation.prospect_id);
        let dialed = dial.as_ref().map(|dial| dial.phone.as_str());
        outcomes::is_suppressed(conn, user_id, prospect_id, dialed).await?
    };
    let reason = if suppressed { Some(Reason::Suppressed) } else { record.summary.reason };
    let notes = record.summary.full_notes();
    let closed = ClosedConversation {
        id,
        status: ConversationStatus::after(record.disposition, record.summary.outcome),
        summary: &record.summary,
        notes: notes.as_deref(),
        reason,
        transcript: record.transcript.as_deref(),
    };
    outcomes::close_conversation(conn, &closed, now).await?;
    match record.disposition {
        Disposition::Over => {
            let ended = EndedCall {
                record,
                notes: notes.as_deref(),
                conversation: &conversation,
                was_recorded,
                now,
            };
            ended.update_prospect(conn).await?;
            ended.update_appointment(conn).await?;
            if record.summary.outcome == Some(Outcome::DoNotCall) {
                suppress(conn, &conversation, id, dial.as_ref()).await?;
            }
        }
        Disposition::Cancelled if record.summary.talk_secs > 0 => {
            outcomes::touch_prospect(conn, &conversation.prospect_id, now).await?;
        }
        Disposition::Cancelled | Disposition::Requeued => {}
    }
    let minutes = outcomes::charged(conn, id).await?;
    info!(
        outcome = record.summary.outcome.map(|outcome| outcome.into_str()),
        reason = reason.map(|reason| reason.into_str()),
        minutes,
        "Recorded call"
    );
    Ok(Recorded { minutes })
}

/// Whether the record belongs to an earlier dial: after a reset, another run records the present one.
fn is_about_another_dial(record: &CallRecord, last: Option<&Dial>, was_recorded: bool) -> bool {
    match (&record.dial_id, last) {
        (Some(dial_id), Some(last)) => *dial_id != last.id,
        // A run without a dial does not know the dial of a recorded call.
        (None, Some(_)) => was_recorded,
        (_, None) => false,
    }
}

/// Applies an opt-out, whatever dial it belongs to.
async fn opt_out(
    conn: &mut Connection,
    conversation: &LockedConversation,
    id: &ConversationId,
    dial: Option<&Dial>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = ProspectUpdate::opt_out();
    outcomes::update_prospect(conn, &conversation.prospect_id, &update, now).await?;
    suppress(conn, conversation, id, dial).await
}

async fn suppress(
    conn: &mut Connection,
    conversation: &LockedConversation,
    conversation_id: &ConversationId,
    dial: Option<&Dial>,
) -> Result<(), StoreError> {
    let suppression = NewSuppression {
        user_id: &conversation.user_id,
        prospect_id: &conversation.prospect_id,
        dialed: dial.map(|dial| dial.phone.as_str()),
        conversation_id,
    };
    outcomes::suppress(conn, &suppression).await
}

/// The record without NUL, which PostgreSQL does not store in text.
fn without_nul(record: &CallRecord) -> CallRecord {
    let text = |text: &Option<String>| text.as_ref().map(|text| text.replace('\0', ""));
    let mut record = record.clone();
    record.summary.notes = text(&record.summary.notes);
    record.transcript = text(&record.transcript);
    record
}

/// Whether the provider had the call.
fn was_placed(dial: &Dial, record: &CallRecord) -> bool {
    match dial.state {
        DialState::Placed => true,
        DialState::Sent => !record.never_placed,
        // Recorded as never placed before, and reported after all.
        DialState::Intended | DialState::NotPlaced => record.provider_call_id.is_some(),
    }
}

/// A call that is over, and what its effects depend on.
struct EndedCall<'a> {
    record: &'a CallRecord,
    notes: Option<&'a str>,
    conversation: &'a LockedConversation,
    was_recorded: bool,
    now: DateTime<Utc>,
}

impl EndedCall<'_> {
    async fn update_prospect(&self, conn: &mut Connection) -> Result<(), StoreError> {
        let (id, prospect_id) = (&self.record.conversation_id, &self.conversation.prospect_id);
        let summary = &self.record.summary;
        let status = ProspectStatus::after(summary.outcome);
        let called_again =
            self.was_recorded && outcomes::was_called_again(conn, prospect_id, id).await?;
        if called_again && !status.outranks_later_calls() {
            return Ok(());
        }
        let contacted = match self.was_recorded {
            true => summary.ended_at.or(summary.answered_at),
            false => Some(self.now),
        };
        let mut next_call_at = None;
        if status.needs_cool_down() {
            let nth = outcomes::count_ended_for(conn, prospect_id, summary.reason).await?;
            let rules = rules::retry_rules(conn).await?;
            let cool_down = cool_down(&rules, summary.reason, nth);
            next_call_at = Some(contacted.unwrap_or(self.now) + cool_down);
        }
        let is_callback = summary.outcome == Some(Outcome::CallbackRequested);
        let rescheduled_for = summary.time.filter(|_| is_callback);
        let newly_rescheduled =
            rescheduled_for.is_some() && self.conversation.outcome != summary.outcome;
        let update =
            ProspectUpdate { status, rescheduled_for, newly_rescheduled, contacted, next_call_at };
        outcomes::update_prospect(conn, prospect_id, &update, self.now).await
    }

    async fn update_appointment(&self, conn: &mut Connection) -> Result<(), StoreError> {
        let id = &self.record.conversation_id;
        let LockedConversation { user_id, prospect_id, .. } = self.conversation;
        match (self.record.summary.outcome, self.record.summary.time) {
            (Some(Outcome::AppointmentSet), Some(time)) => {
                outcomes::set_appointment(conn, id, user_id, prospect_id, time, self.notes).await
            }
            (Some(Outcome::AppointmentSet), None) => Ok(()),
            _ => outcomes::delete_appointment(conn, id).await,
        }
    }
}
