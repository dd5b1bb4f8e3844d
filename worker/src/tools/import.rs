//! `worker import prospects.csv --user ID`

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use domain::ids::UserId;
use indicatif::ProgressBar;

use super::StoreArgs;
use crate::import::{ImportOptions, import};

/// The maximum number of skipped lines that are printed; further ones are counted.
const MAX_PRINTED_LINES: usize = 50;

#[derive(Debug, clap::Args)]
pub struct Import {
    /// CSV file whose first line names the columns: name, phone, and optionally id, time_zone
    /// (America/New_York), state (FL) and notes
    file: PathBuf,

    /// The user that the prospects belong to
    #[arg(long)]
    user: String,

    /// Region of numbers without a country code
    #[arg(long, default_value = "US")]
    default_region: String,

    /// Check the file without writing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    store: StoreArgs,
}

impl Import {
    pub(super) async fn run(self) -> Result<()> {
        let open =
            || File::open(&self.file).with_context(|| format!("opening {}", self.file.display()));
        let lines = BufReader::new(open()?).lines().count().saturating_sub(1);
        let bar = ProgressBar::new(lines as u64);
        let user = UserId::new(self.user.as_str());
        let options = ImportOptions {
            user_id: &user,
            region: &self.default_region.to_ascii_uppercase(),
            dry_run: self.dry_run,
        };
        let store = self.store.connect().await?;
        let imported = import(&store, BufReader::new(open()?), &options, |lines| {
            bar.set_position(lines as u64)
        })
        .await;
        bar.finish_and_clear();
        let imported = imported.with_context(|| format!("importing {}", self.file.display()))?;
        for skipped in imported.skipped.iter().take(MAX_PRINTED_LINES) {
            println!("line {}: {}", skipped.line, skipped.reason);
        }
        if let Some(more @ 1..) = imported.skipped.len().checked_sub(MAX_PRINTED_LINES) {
            println!("… and {more} more");
        }
        let (inserted, skipped) = (imported.inserted, imported.skipped.len());
        match self.dry_run {
            true => println!(
                "{inserted} prospects could be imported, {skipped} lines could not; nothing was written"
            ),
            false => println!("{inserted} prospects imported, {skipped} lines passed over"),
        }
        Ok(())
    }
}
