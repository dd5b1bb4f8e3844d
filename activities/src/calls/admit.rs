//! `calls.admit`: whether the call may be dialled now, and the reservation for it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::admission::{self, AdmissionContext, Callee};
use domain::ids::{ConversationId, DialId};
use domain::minutes;
use domain::provider_pause::Rejections;
use domain::rules::Rule;
use domain::status::ConversationStatus;
use domain::{Block, BlockReason};
use store::conversations::{self, LockedConversation};
use store::decisions::{self, AdmissionDecision};
use store::dials::{self, Dial, DialState, NewDial};
use store::lines::{self, Lines};
use store::phone_state::{self, PhoneState};
use store::prospects::{self, ProspectState};
use store::users::{self, Profile, UserState};
use store::{Connection, StoreError, provider_rejections, rules};
use tracing::field::display;
use tracing::{Span, info, instrument};
use workflows::activities::calls::{Admission, AdmitInput, Admitted};

use super::agent_script::fill_script;
use super::{CallSettings, Calls, record_ids};

/// Decides whether a conversation may be dialled now, reserves minutes and a line for it, and saves the decision.
#[instrument(
    name = "admit",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId = %input.conversation_id, dialId)
)]
pub async fn run(calls: &Calls, input: &AdmitInput) -> Result<Admission, StoreError> {
    let id = &input.conversation_id;
    let mut tx = calls.store.begin().await?;
    let Some(conversation) = conversations::lock(&mut tx, id).await? else {
        return Ok(deny(BlockReason::AlreadyRecorded.into()));
    };
    let (user_id, prospect_id) = (conversation.user_id.clone(), conversation.prospect_id.clone());
    record_ids(&user_id, &prospect_id, id);
    let decision = decide(calls, &mut tx, input, conversation).await?;
    if !matches!(decision.admission, Admission::Admitted(_)) {
        // Roll back the reopening of a recorded call.
        drop(tx);
        tx = calls.store.begin().await?;
    }
    let now = calls.clock.now();
    let waits_for_line = decision.reason == Some(BlockReason::LinesBusy);
    lines::set_waiting(&mut tx, id, waits_for_line.then_some(now)).await?;
    let (word, detail, retry_at) = match &decision.admission {
        Admission::Admitted(_) => ("admitted", None, None),
        Admission::Deferred { until, detail } => ("deferred", Some(detail.as_str()), Some(*until)),
        Admission::Denied { detail, .. } => ("denied", Some(detail.as_str()), None),
    };
    let saved = AdmissionDecision {
        conversation_id: id,
        user_id: &user_id,
        prospect_id: &prospect_id,
        decision: word,
        reason: decision.reason,
        detail,
        retry_at,
        calls_left: decision.budget.map(|budget| budget.calls_left),
        minutes_left: decision.budget.map(|budget| budget.minutes_left),
        lines_free: decision.budget.map(|budget| budget.lines_free),
    };
    decisions::save(&mut tx, &saved, now).await?;
    tx.commit().await?;
    Ok(decision.admission)
}

/// A decision, and what is saved with it.
struct Decision {
    admission: Admission,
    reason: Option<BlockReason>,
    /// `None` if the decision did not depend on it.
    budget: Option<Budget>,
}

#[derive(Clone, Copy)]
struct Budget {
    calls_left: i32,
    minutes_left: i32,
    lines_free: i32,
}

impl From<Block> for Decision {
    fn from(block: Block) -> Self {
        Self { reason: Some(block.reason), admission: deny(block), budget: None }
    }
}

impl From<BlockReason> for Decision {
    fn from(reason: BlockReason) -> Self {
        Block::from(reason).into()
    }
}

fn deny(block: Block) -> Admission {
    Admission::Denied { reason: block.reason, detail: block.detail }
}

async fn decide(
    calls: &Calls,
    conn: &mut Connection,
    input: &AdmitInput,
    conversation: LockedConversation,
) -> Result<Decision, StoreError> {
    let (id, run_id) = (&input.conversation_id, input.run_id.as_str());
    let now = calls.clock.now();
    let first_asked = input.first_asked.unwrap_or(now);
    let dial = dials::lock_last(conn, id).await?.filter(|dial| dial.closed_at.is_none());
    if let Some(dial) = dial.as_ref().filter(|dial| dial.state != DialState::Intended) {
        // The phone may ring, also after the user's system has reported the end: the run resumes this dial, whatever the
        // rules say now. A rejected dial is not sent again.
        if conversation.status.is_open() {
            conversations::set_run(conn, id, run_id).await?;
        }
        let (resumed, sent_at) = (dial.is_live(), dial.sent_at);
        let admitted = Admitted { resumed, sent_at, ..admitted_dial(calls, dial) };
        let admission = Admission::Admitted(admitted);
        return Ok(Decision { admission, reason: None, budget: None });
    }
    let reopened = !conversation.status.is_open();
    let conversation = if !reopened {
        conversation
    } else if conversations::reopen(conn, id, run_id, first_asked, now).await? {
        // An operator has reset the workflow of a recorded call: it is made again, now.
        let status = ConversationStatus::Scheduled;
        LockedConversation { status, slot: first_asked, ..conversation }
    } else {
        return Ok(BlockReason::AlreadyRecorded.into());
    };
    let profile = match users::lock_user_state(conn, &conversation.user_id, now).await? {
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(block.into()),
    };
    let prospect = prospects::prospect_state(conn, &conversation.prospect_id, id).await?;
    let Some(prospect) = prospect else {
        return Ok(BlockReason::ProspectDeleted.into());
    };
    let follow_up = prospect.attempts > 0;
    if let Err(block) = fill_script(&calls.settings, &profile, &prospect, follow_up) {
        return Ok(block.into());
    }
    let call = PendingCall { id, conversation, reopened, profile: *profile, prospect, dial };
    let decision = evaluate(calls, conn, &call, now).await?;
    if matches!(decision.admission, Admission::Admitted(_)) {
        conversations::set_run(conn, id, run_id).await?;
    }
    Ok(decision)
}

/// Applies the rules of `domain::admission`, and reserves what an admitted call needs.
async fn evaluate(
    calls: &Calls,
    conn: &mut Connection,
    call: &PendingCall<'_>,
    now: DateTime<Utc>,
) -> Result<Decision, StoreError> {
    let LockedConversation { user_id, prospect_id, slot, .. } = &call.conversation;
    let day_start = call.profile.window.day_start(now);
    let today = conversations::count_calls_today(conn, user_id, day_start, call.id).await?;
    let lines = lines::lock(conn, call.id, user_id, *slot, now).await?;
    // Under the lock of the lines no other transaction starts a call to the number.
    let phone = &call.prospect.phone;
    let phone = phone_state::phone_state(conn, phone, prospect_id, call.id, now).await?;
    let rules = rules::calling_rules(conn).await?;
    let pauses = provider_rejections::pauses(conn, user_id).await?;
    let mut context = call.context(&calls.settings, now, today, &lines, &phone, &rules);
    let blocks = pauses.iter().filter_map(|pause| pause.check(call.id, now));
    context.provider_block = blocks.max_by_key(|block| block.until);
    let budget = Some(Budget {
        calls_left: context.calls_left_today,
        minutes_left: context.minutes_left,
        lines_free: context.lines_free,
    });
    match admission::decide(&context) {
        admission::Decision::Deny(block) => Ok(Decision { budget, ..block.into() }),
        admission::Decision::Defer { until, block } => {
            let admission = Admission::Deferred { until, detail: block.detail };
            Ok(Decision { admission, reason: Some(block.reason), budget })
        }
        admission::Decision::Admit { reserve_minutes, dial_deadline } => {
            let admitted = reserve(calls, conn, call, reserve_minutes, dial_deadline, now).await?;
            start_trial(calls, conn, call, &pauses, now).await?;
            Ok(Decision { admission: Admission::Admitted(admitted), reason: None, budget })
        }
    }
}

/// Lets further calls wait for this one, if the provider has rejected the last calls.
async fn start_trial(
    calls: &Calls,
    conn: &mut Connection,
    call: &PendingCall<'_>,
    pauses: &[Rejections],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let user_id = &call.conversation.user_id;
    for pause in pauses.iter().filter(|pause| pause.trial.as_ref() != Some(call.id)) {
        let Some(next) = pause.next_trial_at(calls.settings.pause_after_rejections, now) else {
            continue;
        };
        provider_rejections::set_trial(conn, pause.scope, user_id, next, Some(call.id)).await?;
        info!("This is a trial call: the provider has rejected the last calls");
    }
    Ok(())
}

/// Inserts the dial of an admitted call, or extends the one that was admitted before and not sent.
async fn reserve(
    calls: &Calls,
    conn: &mut Connection,
    call: &PendingCall<'_>,
    reserved_minutes: i32,
    dial_deadline: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Admitted, StoreError> {
    if let Some(dial) = &call.dial {
        dials::set_deadline(conn, &dial.id, dial_deadline).await?;
        return Ok(admitted_dial(calls, dial));
    }
    let LockedConversation { user_id, prospect_id, .. } = &call.conversation;
    let sequence = dials::count(conn, call.id).await? + 1;
    let id = DialId::nth(call.id, sequence);
    let new = NewDial {
        id: &id,
        conversation_id: call.id,
        sequence,
        user_id,
        prospect_id,
        phone: &call.prospect.phone,
        subscription_id: &call.profile.subscription_id,
        reserved_minutes,
        dial_deadline,
        join_timeout: TimeDelta::seconds(calls.settings.join_timeout_secs()),
        max_duration: TimeDelta::seconds(minutes::max_call_secs(reserved_minutes)),
    };
    dials::insert(conn, &new, now).await?;
    Span::current().record("dialId", display(&id));
    info!(reservedMinutes = reserved_minutes, "Admitted call");
    Ok(Admitted {
        dial_id: id.clone(),
        join_timeout_secs: new.join_timeout.num_seconds(),
        max_duration_secs: new.max_duration.num_seconds(),
        never_placed_after_secs: calls.settings.never_placed_after.num_seconds(),
        sent_at: None,
        resumed: false,
    })
}

/// A dial that was admitted before, with the terms of then.
fn admitted_dial(calls: &Calls, dial: &Dial) -> Admitted {
    Admitted {
        dial_id: dial.id.clone(),
        join_timeout_secs: dial.join_timeout.num_seconds(),
        max_duration_secs: dial.max_duration.num_seconds(),
        never_placed_after_secs: calls.settings.never_placed_after.num_seconds(),
        sent_at: None,
        resumed: false,
    }
}

/// A call that asks for admission, with its rows.
struct PendingCall<'a> {
    id: &'a ConversationId,
    conversation: LockedConversation,
    /// Whether an operator has reset the workflow of a recorded call.
    reopened: bool,
    profile: Profile,
    prospect: ProspectState,
    /// A dial that was admitted before and not sent.
    dial: Option<Dial>,
}

impl PendingCall<'_> {
    fn context<'a>(
        &'a self,
        settings: &CallSettings,
        now: DateTime<Utc>,
        calls_today: i32,
        lines: &Lines,
        phone: &'a PhoneState,
        rules: &'a [Rule],
    ) -> AdmissionContext<'a> {
        let held_minutes = self.dial.as_ref().map_or(0, |dial| dial.reserved_minutes);
        let of_user = self.profile.max_concurrent_calls.map(|max| max - lines.in_use_by_user);
        let of_all = settings.max_concurrent_calls - lines.in_use;
        AdmissionContext {
            now,
            slot: self.conversation.slot,
            paused: self.profile.paused,
            window: &self.profile.window,
            rules,
            strict: settings.strict_calling_hours,
            callee: Callee { phone_closed_by: phone.closed_by.as_ref(), ..self.prospect.callee() },
            attempts_left: self.profile.max_attempts - self.prospect.attempts,
            phone_usage: &phone.usage,
            phone_busy: phone.busy,
            phone_cool_down_until: phone.cool_down_until,
            provider_block: None,
            next_call_at: self.prospect.next_call_at.filter(|_| !self.reopened),
            calls_left_today: self.profile.per_day - calls_today,
            minutes_left: self.profile.minutes_left + held_minutes,
            max_call_minutes: settings.max_call_minutes,
            lines_free: of_user.map_or(of_all, |of_user| of_user.min(of_all)),
            // A call that was admitted before has its line.
            waiting_before: if self.dial.is_some() { 0 } else { lines.waiting_before },
        }
    }
}
