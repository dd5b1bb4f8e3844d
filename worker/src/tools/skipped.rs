//! Files that are imported, and their lines that are not.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::output::print_line;
use crate::csv_file::CsvFile;
use crate::import::SkippedLine;

/// The exit code if lines were skipped.
pub(super) const SKIPPED: u8 = 3;
/// The maximum number of skipped lines that are printed; further ones are counted.
const MAX_PRINTED_LINES: usize = 50;

pub(super) fn read_file(path: &Path) -> Result<CsvFile> {
    CsvFile::open(path).with_context(|| format!("opening {}", path.display()))
}

pub(super) fn print_skipped(lines: &[SkippedLine]) -> std::io::Result<()> {
    for skipped in lines.iter().take(MAX_PRINTED_LINES) {
        print_line(format_args!("line {}: {}", skipped.line, skipped.reason))?;
    }
    match lines.len().checked_sub(MAX_PRINTED_LINES) {
        Some(more @ 1..) => print_line(format_args!("… and {more} more")),
        _ => Ok(()),
    }
}

pub(super) fn to_json(lines: &[SkippedLine]) -> Value {
    lines.iter().map(|skipped| json!({ "line": skipped.line, "reason": skipped.reason })).collect()
}

/// Writes the lines with their numbers and reasons, so that they can be corrected and imported.
pub(super) fn write_report(path: &Path, header: &[String], lines: &[SkippedLine]) -> Result<()> {
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_path(path)?;
        let more = ["line".to_owned(), "reason".to_owned()];
        writer.write_record(header.iter().chain(&more))?;
        for skipped in lines {
            let missing = header.len().saturating_sub(skipped.cells.len());
            let blank = String::new();
            let more = [skipped.line.to_string(), skipped.reason.clone()];
            let cells = skipped.cells.iter().chain(std::iter::repeat_n(&blank, missing));
            writer.write_record(cells.chain(&more))?;
        }
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
