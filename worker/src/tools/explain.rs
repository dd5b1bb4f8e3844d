//! `worker explain PROSPECT`

use activities::Planning;
use anyhow::{Result, bail};
use chrono::TimeDelta;
use domain::ids::ProspectId;

use super::{Planner, Records};

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The id of the prospect
    prospect: String,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    planner: Planner,
}

impl Explain {
    pub(super) async fn run(self) -> Result<()> {
        let store = self.records.open().await?;
        let planning = Planning::new(store.clone(), self.planner.plans.settings());
        let interval = TimeDelta::minutes(i64::from(self.planner.schedule_interval));
        let now = self.records.now();
        let prospect = ProspectId::new(self.prospect.as_str());
        let explained =
            crate::explain::explain(&store, &planning, &prospect, now, interval).await?;
        let Some(lines) = explained else {
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
