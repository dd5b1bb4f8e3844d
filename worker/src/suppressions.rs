//! Calls to a number that comes onto a do-not-call list are broken off within seconds, whoever put it there.

use std::time::Duration;

use domain::ids::ConversationId;
use temporalio_client::Client;
use temporalio_client::errors::WorkflowInteractionError;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use workflows::Call;
use workflows::ids::call_workflow;

use activities::failure::Failure;
use store::{Store, sweeps};

/// How often open calls are looked through without being told: a notice may be lost with its connection.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The pause after which a lost connection is opened again.
const COME_BACK: Duration = Duration::from_secs(5);

/// Cancels open calls to suppressed numbers, for as long as it runs. The call in which the callee asked for it goes on
/// to its goodbye.
pub async fn watch(store: Store, client: Client) {
    loop {
        if let Err(error) = listen(&store, &client).await {
            warn!(%error, "Suppressions can't be watched now; calls to come are checked all the same");
            sleep(COME_BACK).await;
        }
    }
}

async fn listen(store: &Store, client: &Client) -> Result<(), Failure> {
    let mut listener = store.listen_for_suppressions().await?;
    loop {
        break_off(store, client).await?;
        if let Ok(told) = timeout(LOOK_AGAIN, listener.next()).await {
            told?;
        }
    }
}

async fn break_off(store: &Store, client: &Client) -> Result<(), Failure> {
    let mut tx = store.begin().await?;
    let calls = sweeps::open_and_suppressed(&mut tx).await?;
    drop(tx);
    for id in calls {
        let workflow = call_workflow(&ConversationId::new(id.as_str()));
        match client.get_workflow_handle::<Call>(workflow).cancel(Default::default()).await {
            Ok(()) => info!(conversationId = id, "Cancelled: its number must not be called"),
            // Its records are the sweep's business.
            Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(error) => return Err(Failure::Temporal(error.to_string())),
        }
    }
    Ok(())
}
