//! `worker import prospects.csv --user ID`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use domain::ids::UserId;
use indicatif::ProgressBar;
use serde_json::json;

use super::StoreArgs;
use super::output::print_line;
use super::skipped::{SKIPPED, print_skipped, read_file, to_json, write_report};
use crate::import::{ImportOptions, import};

#[derive(Debug, clap::Args)]
pub struct Import {
    /// CSV file whose first line names the columns: name, phone, and optionally id, time_zone (America/New_York), state
    /// (FL), notes and custom.<name>; `-` for standard input
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

    /// Import nothing if a line can't be imported
    #[arg(long)]
    strict: bool,

    /// CSV file to write with the lines that were not imported, and why
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArgs,
}

impl Import {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let file = read_file(&self.file)?;
        let bar = ProgressBar::new_spinner();
        let user = UserId::new(self.user.as_str());
        let options = ImportOptions {
            user_id: &user,
            region: &self.default_region,
            dry_run: self.dry_run,
            strict: self.strict,
        };
        let store = self.store.connect().await?;
        let imported =
            import(&store, &file, &options, |lines| bar.set_position(lines as u64)).await;
        bar.finish_and_clear();
        let imported = imported.with_context(|| format!("importing {}", self.file.display()))?;
        if let Some(report) = &self.report {
            write_report(report, &imported.header, &imported.skipped)?;
        }
        let (inserted, skipped) = (imported.inserted, imported.skipped.len());
        if self.json {
            let inserted = if imported.written || self.dry_run { inserted } else { 0 };
            let skipped = to_json(&imported.skipped);
            print_line(
                json!({ "imported": inserted, "written": imported.written, "skipped": skipped }),
            )?;
        } else {
            print_skipped(&imported.skipped)?;
            print_line(match (self.dry_run, imported.written) {
                (true, _) => format!(
                    "{inserted} prospects could be imported, {skipped} lines could not; nothing was written"
                ),
                (false, true) => {
                    format!("{inserted} prospects imported, {skipped} lines passed over")
                }
                (false, false) => {
                    format!("0 prospects imported, because of {skipped} lines; nothing was written")
                }
            })?;
        }
        Ok(if skipped > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
    }
}
