//! What is heard of a call after its records were settled.

use domain::facts::Event;
use domain::late;
use domain::status::Reason;
use tracing::{info, warn};
use workflows::activities::calls::{Applied, Closing, LateInput, Record};
use workflows::events;

use super::Calls;
use crate::failure::Failure;
use crate::store::{StoreError, dials, outcomes};

impl Calls {
    /// Applies a late event.
    pub async fn amend(&self, input: &LateInput) -> Result<Applied, Failure> {
        let id = input.conversation_id.as_str();
        let Some(message) = events::read(input.message.clone()) else {
            return Ok(Applied::NothingNew);
        };
        let mut tx = self.store.begin().await?;
        let Some((status, recorded)) = outcomes::recorded(&mut tx, id).await? else {
            warn!(conversationId = id, "An event came for a conversation that is not known");
            return Ok(Applied::UnknownConversation);
        };
        if status.is_open() {
            // The sweep settles it; the event waits for that.
            return Err(Failure::NotSettled(id.to_owned()));
        }
        let about = message.dial_id.as_deref();
        let last = dials::lock_last(&mut tx, id).await?;
        if about.is_some() && last.as_ref().is_some_and(|dial| about != Some(dial.id.as_str())) {
            info!(conversationId = id, "A late event is about an earlier dial");
            return Ok(Applied::NothingNew);
        }
        let cancelled = recorded.reason == Some(Reason::CancelledByOperator);
        let (heard, transcript) = message.event.facts();
        let provider_call_id = heard.iter().find_map(|event| match event {
            Event::Placed { provider_call_id } => Some(provider_call_id.clone()),
            _ => None,
        });
        let Some(amended) = late::amend(&recorded, heard) else {
            info!(conversationId = id, "A late event said nothing new");
            return Ok(Applied::NothingNew);
        };
        let mut record = Record { transcript, provider_call_id, ..Record::over(id, &amended) };
        if cancelled && amended.reason.is_some() {
            // Nobody reported anything: it stays cancelled, and only its talk is counted.
            record = Record {
                closing: Closing::Cancelled,
                outcome: None,
                reason: recorded.reason,
                ..record
            };
        }
        self.write(&mut tx, &record).await?;
        tx.commit().await.map_err(StoreError::from)?;
        info!(conversationId = id, "A late event amended the records");
        Ok(Applied::Amended)
    }
}
