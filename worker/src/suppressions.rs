//! Cancels open calls to a number within seconds after it is suppressed.

use std::time::{Duration, SystemTime};

use temporalio_client::Client;
use temporalio_client::errors::WorkflowInteractionError;
use tokio::time::sleep;
use tracing::{info, warn};
use workflows::Call;
use workflows::ids::call_workflow;

use activities::failure::Failure;
use store::deadline::run_until;
use store::{Store, StoreError, sweeps};

/// How often open calls, and the connection itself, are checked without a notice: a notice may be lost with its connection.
const RESCAN_INTERVAL: Duration = Duration::from_secs(30);
/// The maximum time to check and to cancel open calls.
const RESCAN_TIMEOUT: Duration = Duration::from_secs(60);
/// The delay before a lost connection is opened again.
const RECONNECT_DELAY: Duration = Duration::from_secs(5);

/// Cancels open calls to suppressed numbers until it is dropped. A call in which the callee opts out continues to its
/// goodbye.
pub async fn watch(store: Store, client: Client) {
    loop {
        if let Err(error) = listen(&store, &client).await {
            warn!(%error, "Suppressions can't be watched; new dials are still checked");
            sleep(RECONNECT_DELAY).await;
        }
    }
}

async fn listen(store: &Store, client: &Client) -> Result<(), Failure> {
    let mut listener = store.listen_for_suppressions().await?;
    loop {
        let rescan = cancel_suppressed(store, client);
        run_until(SystemTime::now() + RESCAN_TIMEOUT, rescan).await.map_err(StoreError::from)??;
        listener.wait(RESCAN_INTERVAL).await?;
    }
}

async fn cancel_suppressed(store: &Store, client: &Client) -> Result<(), Failure> {
    let calls = sweeps::open_and_suppressed(&mut *store.read().await?).await?;
    for id in calls {
        let workflow = call_workflow(&id);
        match client.get_workflow_handle::<Call>(workflow).cancel(Default::default()).await {
            Ok(()) => info!(conversationId = %id, "Cancelled call: its number is suppressed"),
            // The sweep records a call without a workflow.
            Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
