//! Notice of new rows in `suppressions`.

use sqlx::postgres::PgListener;

use crate::{Store, StoreError};

/// The channel that the trigger on `suppressions` notifies.
const CHANNEL: &str = "suppressions";

/// A connection that listens for new suppressions.
pub struct SuppressionListener(PgListener);

impl Store {
    /// Starts to listen for new suppressions.
    pub async fn listen_for_suppressions(&self) -> Result<SuppressionListener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(SuppressionListener(listener))
    }
}

impl SuppressionListener {
    /// Returns at the next new suppression. A notice may be lost while the connection is down.
    ///
    /// # Errors
    ///
    /// The connection is lost; listen again.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.0.recv().await?;
        Ok(())
    }
}
