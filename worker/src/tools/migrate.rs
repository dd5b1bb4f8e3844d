//! `worker migrate`

use anyhow::{Context as _, Result};

use super::output::print_line;
use crate::config::DatabaseConfig;

#[derive(Debug, clap::Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseConfig,

    /// Role of the worker, which gets the right to read and write the tables but not to change them
    #[arg(long, value_name = "ROLE")]
    grant_to: Option<String>,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<()> {
        let store = self.database.connect().await?;
        let before = store.migration_state().await?;
        store.migrate().await.context("applying the migrations")?;
        print_line(match before.pending.len() {
            0 => format!("all {} migrations were applied before", before.total),
            applied => format!("{applied} of {} migrations applied", before.total),
        })?;
        if let Some(role) = &self.grant_to {
            store.grant_to(role).await.with_context(|| format!("granting rights to {role}"))?;
            print_line(format!("the role {role} can read and write the tables"))?;
        }
        Ok(())
    }
}
