//! `worker import prospects.csv --user ID`

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use crate::import::{Import as How, import};
use anyhow::{Context as _, Result};
use domain::ids::UserId;
use indicatif::ProgressBar;

use super::Records;

/// Lines told one by one; of the others only the number is.
const TOLD: usize = 50;

/// What to import.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// A CSV file whose first line names the columns: name and phone, and if you like id, time_zone (America/New_York),
    /// state (FL) and notes
    file: PathBuf,

    /// The user whose prospects they are
    #[arg(long)]
    user: String,

    /// The region of numbers that are written without a country code
    #[arg(long, default_value = "US")]
    default_region: String,

    /// Check everything and write nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    records: Records,
}

impl Import {
    pub(super) async fn run(self) -> Result<()> {
        let opened =
            || File::open(&self.file).with_context(|| format!("opening {}", self.file.display()));
        let lines = BufReader::new(opened()?).lines().count().saturating_sub(1);
        let bar = ProgressBar::new(lines as u64);
        let user = UserId::new(self.user.as_str());
        let how = How {
            user_id: &user,
            region: &self.default_region.to_ascii_uppercase(),
            dry_run: self.dry_run,
        };
        let store = self.records.open().await?;
        let imported =
            import(&store, BufReader::new(opened()?), &how, |done| bar.set_position(done as u64))
                .await;
        bar.finish_and_clear();
        let imported = imported.with_context(|| format!("importing {}", self.file.display()))?;
        for passed in imported.passed_over.iter().take(TOLD) {
            println!("line {}: {}", passed.line, passed.why);
        }
        if let Some(more @ 1..) = imported.passed_over.len().checked_sub(TOLD) {
            println!("… and {more} more");
        }
        let (entered, passed) = (imported.entered, imported.passed_over.len());
        match self.dry_run {
            true => println!(
                "{entered} prospects could be imported, {passed} lines could not; nothing was written"
            ),
            false => println!("{entered} prospects imported, {passed} lines passed over"),
        }
        Ok(())
    }
}
