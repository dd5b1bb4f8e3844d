//! `worker suppress list.csv`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use domain::ids::UserId;
use indicatif::ProgressBar;
use serde_json::json;

use super::StoreArgs;
use super::output::print_line;
use super::skipped::{SKIPPED, print_skipped, read_file, to_json};
use crate::suppress::{SuppressOptions, suppress};

#[derive(Debug, clap::Args)]
pub struct Suppress {
    /// List with a number per line, or CSV file with a column phone; `-` for standard input
    file: PathBuf,

    /// The user for whom the numbers must not be called; default: all users
    #[arg(long)]
    user: Option<String>,

    /// Why the numbers must not be called
    #[arg(long, default_value = "imported")]
    reason: String,

    /// Region of numbers without a country code
    #[arg(long, default_value = "US")]
    default_region: String,

    /// Check the file without writing
    #[arg(long)]
    dry_run: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArgs,
}

impl Suppress {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let file = read_file(&self.file)?;
        let bar = ProgressBar::new_spinner();
        let user = self.user.as_deref().map(UserId::new);
        let options = SuppressOptions {
            user_id: user.as_ref(),
            region: &self.default_region,
            reason: &self.reason,
            dry_run: self.dry_run,
        };
        let store = self.store.connect().await?;
        let suppressed =
            suppress(&store, &file, &options, |lines| bar.set_position(lines as u64)).await;
        bar.finish_and_clear();
        let suppressed =
            suppressed.with_context(|| format!("importing {}", self.file.display()))?;
        let (inserted, known) = (suppressed.inserted, suppressed.known);
        let skipped = suppressed.skipped.len();
        if self.json {
            let skipped = to_json(&suppressed.skipped);
            print_line(json!({ "suppressed": inserted, "known": known, "skipped": skipped }))?;
        } else {
            print_skipped(&suppressed.skipped)?;
            print_line(match self.dry_run {
                true => format!(
                    "{inserted} numbers could be suppressed, {known} are already, {skipped} lines have no \
                    number; nothing was written"
                ),
                false => format!(
                    "{inserted} numbers suppressed, {known} were already, {skipped} lines have no number"
                ),
            })?;
        }
        Ok(if skipped > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
    }
}
