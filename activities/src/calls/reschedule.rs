//! `calls.reschedule`: moving the slot of a waiting call.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use domain::hours::Hours;
use domain::rules::Law;
use domain::status::ConversationStatus;
use store::users::{self, UserState};
use store::{StoreError, conversations, prospects, rules};
use tracing::{info, instrument};
use workflows::activities::calls::{RescheduleInput, RescheduleResult};

use super::{Calls, record_ids};

/// How far ahead a call may be planned.
const MAX_AHEAD: TimeDelta = TimeDelta::days(365);

/// Moves the slot of a waiting conversation, if the new slot is within its calling hours.
#[instrument(
    name = "reschedule",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId = %input.conversation_id)
)]
pub async fn run(calls: &Calls, input: &RescheduleInput) -> Result<RescheduleResult, StoreError> {
    let mut tx = calls.store.begin().await?;
    let id = &input.conversation_id;
    let Some(conversation) = conversations::lock(&mut tx, id).await? else {
        return Ok(reject("the conversation no longer exists"));
    };
    record_ids(&conversation.user_id, &conversation.prospect_id, id);
    let is_moved = input.slot.is_some_and(|slot| slot.trunc_subsecs(6) == conversation.slot);
    if is_moved && conversation.status.is_open() {
        // By an earlier attempt whose answer was lost.
        return Ok(RescheduleResult::Rescheduled { slot: conversation.slot });
    }
    if conversation.status != ConversationStatus::Scheduled {
        let status = conversation.status;
        return Ok(reject(format!("the call can't be rescheduled: its status is {status}")));
    }
    let now = calls.clock.now();
    let slot = input.slot.unwrap_or(now);
    if slot < now {
        return Ok(reject(format!("{} is in the past", format_time(slot))));
    }
    if slot > now + MAX_AHEAD {
        return Ok(reject(format!("{} is more than a year ahead", format_time(slot))));
    }
    let profile = match users::lock_user_state(&mut tx, &conversation.user_id, now).await? {
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(reject(block.detail)),
    };
    let prospect = prospects::prospect_state(&mut tx, &conversation.prospect_id, id).await?;
    let Some(prospect) = prospect else {
        return Ok(reject("the prospect no longer exists"));
    };
    let callee = prospect.callee();
    let zones = match callee.check(&profile.window, calls.settings.strict_calling_hours) {
        Ok(zones) => zones,
        Err(block) => return Ok(reject(block.detail)),
    };
    let law = Law::for_phone(&rules::calling_rules(&mut tx).await?, callee.phone, callee.state);
    if let Err(closed) = Hours::of_call(profile.window, zones, &law).check(slot) {
        let next = match closed.next_open {
            Some(next) => format!("the next allowed time is {}", format_time(next)),
            None => "the user's window and the legal hours have no time in common".to_owned(),
        };
        let (slot, detail) = (format_time(slot), closed.detail);
        return Ok(reject(format!("{slot} is outside calling hours; {next}. {detail}")));
    }
    conversations::set_slot(&mut tx, id, slot, now).await?;
    tx.commit().await?;
    info!(scheduledTime = format_time(slot), "Rescheduled call");
    Ok(RescheduleResult::Rescheduled { slot })
}

fn reject(detail: impl Into<String>) -> RescheduleResult {
    RescheduleResult::Rejected { detail: detail.into() }
}

fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
