//! `calls.suppress`: putting the number of a call in progress on the do-not-call list.

use store::outcomes::{self, NewSuppression};
use store::{StoreError, conversations, dials};
use tracing::instrument;
use workflows::activities::calls::ConversationRef;

use super::Calls;

#[instrument(
    name = "suppress",
    level = "error",
    skip_all,
    fields(conversationId = %input.conversation_id)
)]
pub async fn run(calls: &Calls, input: &ConversationRef) -> Result<(), StoreError> {
    let id = &input.conversation_id;
    let mut tx = calls.store.begin().await?;
    let Some(conversation) = conversations::lock(&mut tx, id).await? else {
        return Ok(());
    };
    let dial = dials::read_last(&mut tx, id).await?;
    let suppression = NewSuppression {
        user_id: &conversation.user_id,
        prospect_id: &conversation.prospect_id,
        dialed: dial.as_ref().map(|dial| dial.phone.as_str()),
        conversation_id: id,
    };
    outcomes::suppress(&mut tx, &suppression).await?;
    tx.commit().await
}
