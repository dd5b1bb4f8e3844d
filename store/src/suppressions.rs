//! Notice of new rows in `suppressions`.

use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::PgListener;
use tokio::time::timeout;

use crate::{Store, StoreError, sessions};

/// The channel that the trigger on `suppressions` notifies.
const CHANNEL: &str = "suppressions";

/// A connection that listens for new suppressions.
pub struct SuppressionListener(PgListener);

impl Store {
    /// Starts to listen for new suppressions.
    pub async fn listen_for_suppressions(&self) -> Result<SuppressionListener, StoreError> {
        let pool = sessions::open_single((*self.pool.connect_options()).clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(SuppressionListener(listener))
    }
}

impl SuppressionListener {
    /// Returns at the next new suppression, or after `limit` if the connection still answers. A notice may be lost while
    /// the connection is down.
    ///
    /// # Errors
    ///
    /// The connection is lost; listen again.
    pub async fn wait(&mut self, limit: Duration) -> Result<(), StoreError> {
        match timeout(limit, self.0.recv()).await {
            Ok(notice) => notice.map(|_| ())?,
            Err(_) => sessions::within_limit(self.0.execute("select 1")).await.map(|_| ())?,
        }
        Ok(())
    }
}
