//! An operator moves the slot of a call that waits.

use chrono::{DateTime, Utc};
use temporalio_workflow::WorkflowContext;

use super::{Call, CallState, Unmoved};
use crate::activities::calls::{MoveSlot, MoveSlotInput, Moved};
use crate::{attributes, presets};

/// Whether the call waits.
pub(super) fn may_move(call: &Call) -> Result<(), Unmoved> {
    match call.state {
        CallState::Waiting => Ok(()),
        other => Err(format!("the call can no longer be moved: it is {}", other.word()).into()),
    }
}

/// Moves the slot if the rules allow it; nothing for the present moment. The sleeping call wakes
/// by itself and sees the new slot.
pub(super) async fn move_slot(
    ctx: &mut WorkflowContext<Call>,
    slot: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, Unmoved> {
    ctx.state(may_move)?;
    let conversation_id = ctx.state(|call| call.input.conversation_id.clone());
    let input = MoveSlotInput { conversation_id, slot };
    match ctx.execute_activity(MoveSlot, input, presets::database_unnamed()).await? {
        Moved::To { slot } => {
            ctx.state_mut(|call| {
                call.input.slot = slot;
                call.moves += 1;
            });
            let moment = attributes::CALL_SLOT.value_set(attributes::timestamp(slot));
            ctx.upsert_search_attributes([moment]);
            Ok(slot)
        }
        Moved::Not { why } => Err(why.into()),
    }
}
