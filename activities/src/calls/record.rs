//! The record of what came of a call: conversation, prospect, minutes and appointment at once.

use domain::minutes;
use domain::retry;
use domain::status::{ConversationStatus, Outcome, ProspectStatus, Reason};
use tracing::info;
use workflows::activities::calls::{Closing, Record, Settled};

use super::Calls;
use store::dials::{self, Dial, DialState};
use store::guard::{self as rows, LockedConversation};
use store::outcomes::{self, Closed, ClosedConversation, Moved, Suppressed};
use store::rules;
use store::{Connection, StoreError};

impl Calls {
    /// Shows in a conversation that somebody answered.
    pub async fn show_answered(&self, conversation_id: &str) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        outcomes::mark_answered(&mut tx, conversation_id, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Puts the number of a call that is under way on its client's do-not-call list.
    pub async fn suppress_at_once(&self, conversation_id: &str) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(conversation) = rows::lock_conversation(&mut tx, conversation_id).await? else {
            return Ok(());
        };
        let dial = dials::lock_last(&mut tx, conversation_id).await?;
        let suppressed = Suppressed {
            user_id: &conversation.user_id,
            prospect_id: &conversation.prospect_id,
            dialled: dial.as_ref().map(|dial| dial.phone.as_str()),
            conversation_id,
        };
        outcomes::suppress(&mut tx, &suppressed).await?;
        Ok(tx.commit().await?)
    }

    /// Settles a call in one transaction.
    pub async fn settle(&self, record: &Record) -> Result<Settled, StoreError> {
        let mut tx = self.store.begin().await?;
        let settled = self.write(&mut tx, record).await?;
        tx.commit().await?;
        Ok(settled)
    }

    /// Writes a record within a transaction.
    pub(super) async fn write(
        &self,
        tx: &mut Connection,
        record: &Record,
    ) -> Result<Settled, StoreError> {
        let record = &storable(record);
        let id = record.conversation_id.as_str();
        let Some(conversation) = rows::lock_conversation(tx, id).await? else {
            return Ok(Settled::default());
        };
        let settled_before = !conversation.status.is_open();
        if settled_before && !may_amend(record.closing, conversation.status) {
            return Ok(Settled { minutes: outcomes::charged(tx, id).await? });
        }
        let now = self.clock.now();
        let last = dials::lock_last(tx, id).await?;
        let foreign = match (&record.dial_id, &last) {
            // Another dial has taken its place: a reset made it, and has its own record to write.
            (Some(about), Some(last)) => *about != last.id,
            // A run that never had a dial knows nothing of one that was settled.
            (None, Some(_)) => settled_before,
            (_, None) => false,
        };
        if foreign {
            if record.outcome == Some(Outcome::DoNotCall) {
                refuse_calls(tx, &conversation, id, last.as_ref(), now).await?;
            }
            return Ok(Settled { minutes: outcomes::charged(tx, id).await? });
        }
        let dial = last;
        if let Some(dial) = &dial {
            let closed = Closed {
                placed: was_placed(dial, record),
                provider_call_id: record.provider_call_id.as_deref(),
                carrier_call_id: record.carrier_call_id.as_deref(),
                minutes: minutes::charged(record.talk_secs).min(dial.reserved_minutes),
            };
            outcomes::close_dial(tx, dial, &closed, now).await?;
        }
        let suppressed = record.closing == Closing::Cancelled && {
            let (user_id, prospect_id) = (&conversation.user_id, &conversation.prospect_id);
            let dialled = dial.as_ref().map(|dial| dial.phone.as_str());
            outcomes::is_suppressed(tx, user_id, prospect_id, dialled).await?
        };
        let reason = if suppressed { Some(Reason::Suppressed) } else { record.reason };
        let record = &Record { reason, ..record.clone() };
        let closed = ClosedConversation {
            id,
            status: closed_as(record),
            outcome: record.outcome,
            reason: record.reason,
            time: record.time,
            notes: record.notes.as_deref(),
            transcript: record.transcript.as_deref(),
            joined: record.joined,
            ended: record.ended,
            talk_secs: record.talk_secs,
        };
        outcomes::close_conversation(tx, &closed, now).await?;
        match record.closing {
            Closing::Over => {
                apply_outcome(tx, record, &conversation, dial.as_ref(), settled_before, now)
                    .await?;
            }
            Closing::Cancelled if record.talk_secs > 0 => {
                outcomes::touch_prospect(tx, &conversation.prospect_id, now).await?;
            }
            Closing::Cancelled | Closing::GivenBack => {}
        }
        let minutes = outcomes::charged(tx, id).await?;
        info!(
            userId = conversation.user_id,
            prospectId = conversation.prospect_id,
            conversationId = id,
            outcome = record.outcome.map(Outcome::as_str),
            reason = record.reason.map(|reason| reason.as_str()),
            minutes,
            "Settled call"
        );
        Ok(Settled { minutes })
    }
}

/// Keeps that somebody asked not to be called, whichever dial it was said on.
async fn refuse_calls(
    conn: &mut Connection,
    conversation: &LockedConversation,
    conversation_id: &str,
    dial: Option<&Dial>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), StoreError> {
    let (user_id, prospect_id) = (&conversation.user_id, &conversation.prospect_id);
    let moved = Moved {
        status: ProspectStatus::DoNotCall,
        rescheduled_for: None,
        newly_rescheduled: false,
        contacted: None,
        rests_until: None,
    };
    outcomes::move_prospect(conn, prospect_id, &moved, now).await?;
    let dialled = dial.map(|dial| dial.phone.as_str());
    outcomes::suppress(conn, &Suppressed { user_id, prospect_id, dialled, conversation_id }).await
}

/// The record without the one character that PostgreSQL does not store in text.
fn storable(record: &Record) -> Record {
    let text = |text: &Option<String>| text.as_ref().map(|text| text.replace('\0', ""));
    Record { notes: text(&record.notes), transcript: text(&record.transcript), ..record.clone() }
}

/// Whether a settled conversation may be written again: an outcome replaces a lesser one, but that
/// a call goes back to planning says nothing of one that has an outcome.
fn may_amend(closing: Closing, status: ConversationStatus) -> bool {
    match closing {
        Closing::Over => true,
        Closing::Cancelled => status == ConversationStatus::Cancelled,
        Closing::GivenBack => false,
    }
}

/// Whether the provider had the call, by all that is known at its end.
fn was_placed(dial: &Dial, record: &Record) -> bool {
    match dial.state {
        DialState::Placed => true,
        DialState::Sent => !record.never_placed,
        // Given up as lost, and heard of after all.
        DialState::Intended | DialState::NotPlaced => record.provider_call_id.is_some(),
    }
}

fn closed_as(record: &Record) -> ConversationStatus {
    match (record.closing, record.outcome) {
        (Closing::Over, Some(Outcome::Failed)) => ConversationStatus::Failed,
        (Closing::Over, _) => ConversationStatus::Completed,
        (Closing::GivenBack | Closing::Cancelled, _) => ConversationStatus::Cancelled,
    }
}

/// Moves the prospect on and keeps what was agreed.
async fn apply_outcome(
    conn: &mut Connection,
    record: &Record,
    conversation: &LockedConversation,
    dial: Option<&Dial>,
    settled_before: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), StoreError> {
    let prospect_id = &conversation.prospect_id;
    let status = match record.outcome {
        Some(Outcome::AppointmentSet) => ProspectStatus::Booked,
        Some(Outcome::CallbackRequested) => ProspectStatus::Rescheduled,
        Some(Outcome::NotInterested) => ProspectStatus::NotInterested,
        Some(Outcome::DoNotCall) => ProspectStatus::DoNotCall,
        Some(Outcome::Failed) => ProspectStatus::Failed,
        Some(Outcome::NoResponse) | None => ProspectStatus::NotResponded,
    };
    let callback = record.time.filter(|_| record.outcome == Some(Outcome::CallbackRequested));
    let newly = callback.is_some() && conversation.outcome != record.outcome;
    let weighty = [ProspectStatus::Booked, ProspectStatus::DoNotCall].contains(&status);
    let called_again = settled_before
        && outcomes::was_called_again(conn, prospect_id, &record.conversation_id).await?;
    // A later call says more of the prospect than what is heard late of this one, but for these.
    if weighty || !called_again {
        let contacted = if settled_before { record.ended.or(record.joined) } else { Some(now) };
        let rests_until = match status {
            ProspectStatus::NotResponded | ProspectStatus::Failed => {
                let nth = outcomes::endings(conn, prospect_id, record.reason).await?;
                let rest = retry::rest(&rules::retries(conn).await?, record.reason, nth);
                Some(contacted.unwrap_or(now) + rest)
            }
            _ => None,
        };
        let moved = Moved {
            status,
            rescheduled_for: callback,
            newly_rescheduled: newly,
            contacted,
            rests_until,
        };
        outcomes::move_prospect(conn, prospect_id, &moved, now).await?;
    }
    if record.outcome != Some(Outcome::AppointmentSet) {
        outcomes::drop_appointment(conn, &record.conversation_id).await?;
    }
    match (record.outcome, record.time) {
        (Some(Outcome::AppointmentSet), Some(time)) => {
            let (user_id, notes) = (&conversation.user_id, record.notes.as_deref());
            let id = record.conversation_id.as_str();
            outcomes::set_appointment(conn, id, user_id, prospect_id, time, notes).await
        }
        (Some(Outcome::DoNotCall), _) => {
            let suppressed = Suppressed {
                user_id: &conversation.user_id,
                prospect_id,
                dialled: dial.map(|dial| dial.phone.as_str()),
                conversation_id: &record.conversation_id,
            };
            outcomes::suppress(conn, &suppressed).await
        }
        _ => Ok(()),
    }
}
