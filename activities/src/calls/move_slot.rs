//! Moving the slot of a call that waits.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::callee::zones;
use domain::hours::Hours;
use domain::rules::Law;
use domain::status::ConversationStatus;
use tracing::info;
use workflows::activities::calls::{MoveSlotInput, Moved};

use super::Calls;
use store::{StoreError, guard as rows, rules, users};

/// How far ahead a call may be moved.
const FARTHEST: TimeDelta = TimeDelta::days(365);

impl Calls {
    /// Moves the slot of a conversation that waits.
    pub async fn move_slot_of(&self, input: &MoveSlotInput) -> Result<Moved, StoreError> {
        let mut tx = self.store.begin().await?;
        let id = input.conversation_id.as_str();
        let Some(conversation) = rows::lock_conversation(&mut tx, id).await? else {
            return Ok(not("the conversation no longer exists"));
        };
        if conversation.status != ConversationStatus::Scheduled {
            return Ok(not(format!(
                "the call can no longer be moved: it is {}",
                conversation.status
            )));
        }
        let now = self.clock.now();
        let slot = input.slot.unwrap_or(now);
        if slot < now {
            return Ok(not(format!("{} is in the past", shown(slot))));
        }
        if slot > now + FARTHEST {
            return Ok(not(format!("{} is more than a year ahead", shown(slot))));
        }
        let profile = match users::lock_profile(&mut tx, &conversation.user_id, now).await? {
            Some(Ok(profile)) => profile,
            Some(Err(why)) => return Ok(not(why.detail)),
            None => return Ok(not("the user no longer exists")),
        };
        let Some(prospect) = rows::prospect(&mut tx, &conversation.prospect_id, id).await? else {
            return Ok(not("the prospect no longer exists"));
        };
        let (own, strict) = (prospect.time_zone.as_deref(), self.settings.strict_calling_hours);
        let state = prospect.state.as_deref();
        let zones = match zones(own, state, &prospect.phone, &profile.window, strict) {
            Ok(zones) => zones,
            Err(why) => return Ok(not(why.to_string())),
        };
        let law =
            Law::of(&rules::legal(&mut tx).await?, &prospect.phone, prospect.state.as_deref());
        if let Err(shut) = Hours::of_call(profile.window, zones, &law).allowed(slot) {
            let next = match shut.next {
                Some(next) => format!("the next moment within them is {}", shown(next)),
                None => "the user's window and the legal hours never meet".to_owned(),
            };
            let why = shut.why;
            return Ok(not(format!("{} is outside calling hours; {next}. {why}", shown(slot))));
        }
        rows::move_slot(&mut tx, id, slot, now).await?;
        tx.commit().await?;
        info!(
            userId = conversation.user_id,
            prospectId = conversation.prospect_id,
            conversationId = id,
            scheduledTime = shown(slot),
            "Moved call"
        );
        Ok(Moved::To { slot })
    }
}

fn not(why: impl Into<String>) -> Moved {
    Moved::Not { why: why.into() }
}

fn shown(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}
