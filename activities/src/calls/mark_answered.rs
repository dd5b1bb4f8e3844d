//! `calls.mark_answered`: showing in the records that the callee picked up.

use store::{StoreError, conversations};
use tracing::instrument;
use workflows::activities::calls::ConversationRef;

use super::Calls;

#[instrument(
    name = "mark_answered",
    level = "error",
    skip_all,
    fields(conversationId = %input.conversation_id)
)]
pub async fn run(calls: &Calls, input: &ConversationRef) -> Result<(), StoreError> {
    let mut tx = calls.store.begin().await?;
    conversations::mark_answered(&mut tx, &input.conversation_id, calls.clock.now()).await?;
    tx.commit().await
}
