//! `calls.record_outcome`: storing what was said about a call, and what follows from all of it.

use chrono::{DateTime, Utc};
use domain::call_log::{self, CallLog, FoldedCall, LogEntry, LoggedDial, Statement};
use domain::cool_down::cool_down;
use domain::facts::{CallSummary, DialFacts};
use domain::ids::ConversationId;
use domain::minutes;
use domain::monitor::DialTerms;
use domain::status::{ConversationStatus, Disposition, Outcome, ProspectStatus, Reason};
use domain::text::replace_nul;
use store::call_events::{self, NewEvent};
use store::conversations::{self, LockedConversation};
use store::dials::{self, Dial, DialState, DialUpdate};
use store::outcomes::{self, ClosedConversation, NewSuppression, ProspectUpdate};
use store::{Connection, StoreError, rules};
use tracing::field::display;
use tracing::{Span, error, info, instrument, warn};
use workflows::activities::calls::{RecordInput, Recorded};

use super::{Calls, record_ids};

/// Records a call in one transaction.
pub async fn run(calls: &Calls, input: &RecordInput) -> Result<Recorded, StoreError> {
    let mut tx = calls.store.begin().await?;
    let recorded = record(calls, &mut tx, input).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// Stores what is new, and writes what the whole log of the conversation adds up to.
///
/// The rows depend on the log alone. So it does not matter who records, in which order, how late and how often.
#[instrument(
    name = "record_outcome",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId = %input.conversation_id, dialId)
)]
pub(super) async fn record(
    calls: &Calls,
    conn: &mut Connection,
    input: &RecordInput,
) -> Result<Recorded, StoreError> {
    let id = &input.conversation_id;
    let Some(conversation) = conversations::lock(conn, id).await? else {
        keep_opt_out(conn, input).await?;
        return Ok(Recorded::default());
    };
    record_ids(&conversation.user_id, &conversation.prospect_id, id);
    let now = calls.clock.now();
    let is_new = call_events::insert(conn, id, &new_events(input), now).await?;
    call_events::insert_unread(conn, id, &input.unread, now).await?;
    let dials = dials::lock_all(conn, id).await?;
    if let Some(dial) = dials.last() {
        Span::current().record("dialId", display(&dial.id));
    }
    let log = Log { calls, conversation: &conversation, dials: &dials, now };
    let folded = log.fold(call_events::read(conn, id).await?);
    let call = RecordedCall { calls, id, conversation, dials, folded, now };
    let mut changed = call.update_dials(conn).await?;
    if let Some(transcript) = &input.transcript {
        outcomes::store_user_transcript(conn, id, &replace_nul(transcript)).await?;
    }
    if call.folded.opted_out && is_new {
        call.suppress(conn).await?;
    }
    if !call.folded.closed {
        return Ok(Recorded { changed, ..Recorded::default() });
    }
    let summary = call.closing_summary(conn).await?;
    let status = ConversationStatus::after(call.folded.disposition, summary.outcome);
    let closed = ClosedConversation { id, status, summary: &summary };
    if outcomes::close_conversation(conn, &closed, now).await? {
        call.update_prospect(conn, &summary).await?;
        call.update_appointment(conn, &summary).await?;
        changed = true;
    }
    let CallSummary { outcome, reason, .. } = summary;
    let minutes = outcomes::charged(conn, id).await?;
    if changed {
        let (outcome, reason) = (outcome.map(|o| o.into_str()), reason.map(|r| r.into_str()));
        info!(outcome, reason, minutes, "Recorded call");
    }
    if changed && reason == Some(Reason::Vanished) {
        error!(
            "Nobody has reported the end of the call: it counts as over, and its line is free. Check at the provider that it has ended"
        );
    }
    Ok(Recorded { closed: true, changed, outcome, reason, minutes })
}

/// Keeps the only thing that counts without the row of the conversation, which a user has deleted.
async fn keep_opt_out(conn: &mut Connection, input: &RecordInput) -> Result<(), StoreError> {
    let id = &input.conversation_id;
    let events = input.events.iter().map(|received| received.event.clone());
    if DialFacts::of(events).opted_out()
        && let Some(prospect) = id.prospect()
        && outcomes::opt_prospect_out(conn, &prospect, id).await?
    {
        warn!("The conversation was deleted; the opt-out in it counts all the same");
    }
    Ok(())
}

fn new_events(input: &RecordInput) -> Vec<NewEvent> {
    let events = input.events.iter().map(|received| NewEvent {
        dial_id: received.dial_id.clone(),
        run_id: None,
        statement: Statement::Event(received.event.clone()),
    });
    let ended_run = input.ended_run.iter().map(|ended| NewEvent {
        dial_id: ended.dial_id.clone(),
        run_id: ended.run_id.clone(),
        statement: Statement::RunEnd(ended.end.clone()),
    });
    events.chain(ended_run).collect()
}

/// The log of a conversation, and the rows on which its meaning depends.
struct Log<'a> {
    calls: &'a Calls,
    conversation: &'a LockedConversation,
    dials: &'a [Dial],
    now: DateTime<Utc>,
}

impl Log<'_> {
    fn fold(&self, entries: Vec<LogEntry>) -> FoldedCall {
        let logged = |dial: &Dial| LoggedDial {
            id: dial.id.clone(),
            generation: dial.generation,
            is_sent: matches!(dial.state, DialState::Sent | DialState::Placed),
            is_expired: is_expired(self.calls, dial, self.now),
        };
        let dials: Vec<LoggedDial> = self.dials.iter().map(logged).collect();
        let mut folded = call_log::fold(&CallLog {
            generation: self.conversation.generation,
            earlier_runs: &self.conversation.earlier_runs,
            dials: &dials,
            entries: &entries,
        });
        // A recorded conversation stays closed; only a reset of its workflow opens it again.
        folded.closed |= self.conversation.recorded_at.is_some();
        folded
    }
}

/// Whether the longest possible end of a dial has passed.
fn is_expired(calls: &Calls, dial: &Dial, now: DateTime<Utc>) -> bool {
    dial.sent_at.is_some_and(|sent_at| now >= terms(calls, dial).latest_end(sent_at))
}

pub(super) fn terms(calls: &Calls, dial: &Dial) -> DialTerms {
    DialTerms {
        join_timeout: dial.join_timeout,
        max_duration: dial.max_duration,
        never_placed_after: calls.settings.never_placed_after,
    }
}

/// A conversation with its rows, locked, and what they add up to.
struct RecordedCall<'a> {
    calls: &'a Calls,
    id: &'a ConversationId,
    conversation: LockedConversation,
    dials: Vec<Dial>,
    folded: FoldedCall,
    now: DateTime<Utc>,
}

impl RecordedCall<'_> {
    /// Updates the dials and charges those that are over; returns whether anything changed.
    async fn update_dials(&self, conn: &mut Connection) -> Result<bool, StoreError> {
        let mut changed = false;
        for dial in &self.dials {
            let facts = self.folded.dial(&dial.id);
            let (state, over) = self.dial_state(dial, &facts);
            let update = DialUpdate {
                state,
                over,
                provider_call_id: facts.provider_call_id(),
                carrier_call_id: facts.carrier_call_id(),
                answered_at: facts
                    .is_answered()
                    .then(|| facts.summary().answered_at.unwrap_or(self.now)),
            };
            changed |= dials::update(conn, dial, &update, self.now).await?;
            if over {
                let talked = if state == DialState::Placed { facts.talk_secs() } else { 0 };
                let minutes = minutes::charged(talked).min(dial.reserved_minutes);
                changed |= outcomes::charge(conn, dial, minutes).await?;
            }
        }
        Ok(changed)
    }

    /// The state of a dial, and whether it is over. What the user's system says does not end a dial: its phone may ring on.
    fn dial_state(&self, dial: &Dial, facts: &DialFacts) -> (DialState, bool) {
        let closed = self.folded.closed || dial.closed_at.is_some();
        let state = match dial.state {
            _ if facts.is_placed() => DialState::Placed,
            // A dial without an id at the provider was only assumed to be placed.
            DialState::Sent | DialState::Placed
                if facts.is_never_placed() && dial.provider_call_id.is_none() =>
            {
                DialState::NotPlaced
            }
            DialState::Intended if closed => DialState::NotPlaced,
            state => state,
        };
        match state {
            DialState::Intended => (state, false),
            DialState::NotPlaced => (state, closed),
            DialState::Sent | DialState::Placed => {
                let expired = is_expired(self.calls, dial, self.now);
                let over = expired || !facts.may_still_be_live();
                (if over { DialState::Placed } else { state }, over)
            }
        }
    }

    /// The summary, with the reason of a cancelled call whose number is suppressed.
    async fn closing_summary(&self, conn: &mut Connection) -> Result<CallSummary, StoreError> {
        let mut summary = self.folded.summary.clone();
        if self.folded.disposition == Disposition::Cancelled {
            let dialed = self.dials.last().map(|dial| dial.phone.as_str());
            let LockedConversation { user_id, prospect_id, .. } = &self.conversation;
            if outcomes::is_suppressed(conn, user_id, prospect_id, dialed).await? {
                summary.reason = Some(Reason::Suppressed);
            }
        }
        Ok(summary)
    }

    /// Puts the numbers on which the callee has opted out on the do-not-call list.
    async fn suppress(&self, conn: &mut Connection) -> Result<(), StoreError> {
        let opted_out = self.dials.iter().filter(|dial| self.folded.dial(&dial.id).opted_out());
        let mut phones: Vec<Option<&str>> =
            opted_out.map(|dial| Some(dial.phone.as_str())).collect();
        if phones.is_empty() {
            phones.push(self.dials.last().map(|dial| dial.phone.as_str()));
        }
        for dialed in phones {
            let suppression = NewSuppression {
                user_id: &self.conversation.user_id,
                prospect_id: &self.conversation.prospect_id,
                dialed,
                conversation_id: self.id,
            };
            outcomes::suppress(conn, &suppression).await?;
        }
        Ok(())
    }

    /// When the prospect was contacted.
    fn contacted_at(&self, summary: &CallSummary) -> DateTime<Utc> {
        let sent_at = self.dials.last().and_then(|dial| dial.sent_at);
        let known = summary.ended_at.or(summary.answered_at).or(sent_at);
        known.or(self.conversation.recorded_at).unwrap_or(self.now)
    }

    async fn update_prospect(
        &self,
        conn: &mut Connection,
        summary: &CallSummary,
    ) -> Result<(), StoreError> {
        let prospect_id = &self.conversation.prospect_id;
        let contacted_at = self.contacted_at(summary);
        match self.folded.disposition {
            Disposition::Over => {}
            Disposition::Cancelled if summary.talk_secs > 0 => {
                return outcomes::touch_prospect(conn, prospect_id, contacted_at).await;
            }
            // The phone may have rung all the same.
            Disposition::Requeued if summary.reason == Some(Reason::NeverPlaced) => {
                let until = self.cooled_down_at(conn, summary, contacted_at).await?;
                return outcomes::cool_down_prospect(conn, prospect_id, until, self.now).await;
            }
            Disposition::Cancelled | Disposition::Requeued => return Ok(()),
        }
        let was_recorded = self.conversation.recorded_at.is_some();
        let called_again =
            was_recorded && outcomes::was_called_again(conn, prospect_id, self.id).await?;
        let status = ProspectStatus::after(summary.outcome);
        if called_again && !status.outranks_later_calls() {
            return Ok(());
        }
        let next_call_at = match status.needs_cool_down() {
            true => Some(self.cooled_down_at(conn, summary, contacted_at).await?),
            false => None,
        };
        let is_callback = |outcome| outcome == Some(Outcome::CallbackRequested);
        let (before, after) =
            (is_callback(self.conversation.outcome), is_callback(summary.outcome));
        let update = ProspectUpdate {
            status,
            rescheduled_for: match summary.time.filter(|_| after) {
                // Nobody asks to be called back before the call. Without a usable time the phone must not ring at once.
                Some(time) if time <= contacted_at => {
                    Some(self.cooled_down_at(conn, summary, contacted_at).await?)
                }
                time => time,
            },
            rescheduled: i32::from(after) - i32::from(before),
            contacted: Some(contacted_at),
            next_call_at,
        };
        outcomes::update_prospect(conn, prospect_id, &update, self.now).await
    }

    async fn cooled_down_at(
        &self,
        conn: &mut Connection,
        summary: &CallSummary,
        contacted_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, StoreError> {
        let prospect_id = &self.conversation.prospect_id;
        let nth = outcomes::count_ended_for(conn, prospect_id, summary.reason).await?;
        let rules = rules::retry_rules(conn).await?;
        Ok(contacted_at + cool_down(&rules, summary.reason, nth))
    }

    async fn update_appointment(
        &self,
        conn: &mut Connection,
        summary: &CallSummary,
    ) -> Result<(), StoreError> {
        let LockedConversation { user_id, prospect_id, .. } = &self.conversation;
        match (summary.outcome, summary.time) {
            (Some(Outcome::AppointmentSet), Some(time)) => {
                let notes = summary.full_notes();
                let notes = notes.as_deref();
                outcomes::set_appointment(conn, self.id, user_id, prospect_id, time, notes).await
            }
            (Some(Outcome::AppointmentSet), None) => Ok(()),
            _ => outcomes::delete_appointment(conn, self.id).await,
        }
    }
}
