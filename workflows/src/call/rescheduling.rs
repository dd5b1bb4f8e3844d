//! An operator moves the slot of a waiting call.

use chrono::{DateTime, Utc};
use temporalio_workflow::WorkflowContext;

use super::{Call, CallState, RescheduleError};
use crate::activities::calls::{Reschedule, RescheduleInput, RescheduleResult};
use crate::{attributes, presets};

/// Checks that the call waits.
pub(super) fn check_waiting(call: &Call) -> Result<(), RescheduleError> {
    match call.state {
        CallState::Waiting => Ok(()),
        other => {
            let state = other.into_str();
            Err(format!("the call can't be rescheduled: its state is {state}").into())
        }
    }
}

/// Moves the slot if the calling hours allow it; `None` for now. The call then wakes up and sees the new slot.
pub(super) async fn reschedule(
    ctx: &mut WorkflowContext<Call>,
    slot: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, RescheduleError> {
    ctx.state(check_waiting)?;
    let conversation_id = ctx.state(|call| call.input.conversation_id.clone());
    let input = RescheduleInput { conversation_id, slot };
    match ctx.execute_activity(Reschedule, input, presets::database_without_id()).await? {
        RescheduleResult::Rescheduled { slot } => {
            ctx.state_mut(|call| {
                call.input.slot = slot;
                call.reschedules += 1;
            });
            let slot_attribute = attributes::CALL_SLOT.value_set(attributes::timestamp(slot));
            ctx.upsert_search_attributes([slot_attribute]);
            Ok(slot)
        }
        RescheduleResult::Rejected { detail } => Err(detail.into()),
    }
}
