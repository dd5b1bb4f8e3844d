//! `worker why PROSPECT`

use activities::Planning;
use anyhow::{Result, bail};
use chrono::TimeDelta;

use super::{Planner, Records};

/// Which prospect.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// Its id
    prospect: String,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    planner: Planner,
}

impl Why {
    pub(super) async fn run(self) -> Result<()> {
        let store = self.records.open().await?;
        let planning = Planning::new(store.clone(), self.planner.plans.settings());
        let span = TimeDelta::minutes(i64::from(self.planner.schedule_interval));
        let now = self.records.now();
        let told = crate::why::why(&store, &planning, &self.prospect, now, span).await?;
        let Some(lines) = told else {
            bail!(
                "there is no prospect {:?}; `select id from prospects` lists them",
                self.prospect
            );
        };
        for line in lines {
            println!("{line}");
        }
        Ok(())
    }
}
