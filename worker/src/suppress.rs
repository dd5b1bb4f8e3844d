//! Import of a do-not-call list: a number per line, or a CSV file with a column `phone`.

use domain::ids::UserId;
use store::{Store, imports};

use crate::csv_file::CsvFile;
use crate::import::{ImportError, SkippedLine, parse_phone, parse_region};

const LINES_PER_INSERT: usize = 5_000;

pub struct SuppressOptions<'a> {
    /// The user for whom the numbers must not be called; `None`: for all users.
    pub user_id: Option<&'a UserId>,
    /// The region of numbers without a country code, ISO 3166-1.
    pub region: &'a str,
    /// Stored with each number.
    pub reason: &'a str,
    /// Check the file without writing.
    pub dry_run: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Suppressed {
    /// The number of new suppressions.
    pub inserted: u64,
    /// The number of suppressions that existed before, or that the file repeats.
    pub known: u64,
    /// Lines without a number that can be read. Those people are still called.
    pub skipped: Vec<SkippedLine>,
}

/// Imports a list in one transaction. Calls `progress` with the number of lines done.
///
/// # Errors
///
/// Nothing was imported. An invalid line is no error, but a part of the result.
pub async fn suppress(
    store: &Store,
    file: &CsvFile,
    options: &SuppressOptions<'_>,
    mut progress: impl FnMut(usize),
) -> Result<Suppressed, ImportError> {
    let region = parse_region(options.region)?;
    let mut tx = store.begin().await?;
    if let Some(user) = options.user_id
        && !imports::user_exists(&mut tx, user).await?
    {
        return Err(ImportError::NoUser(user.to_string()));
    }
    let mut records = file.records().peekable();
    let mut column = 0;
    if let Some(Ok(first)) = records.peek() {
        let is_phone = |cell: &String| cell.eq_ignore_ascii_case("phone");
        match first.cells.iter().position(is_phone) {
            Some(at) => {
                column = at;
                records.next();
            }
            None if first.cells.len() > 1 => {
                return Err(ImportError::Columns(
                    "the first line must name the columns, `phone` among them; a list of one column \
                    needs no first line"
                        .to_owned(),
                ));
            }
            None => {}
        }
    }
    let mut suppressed = Suppressed::default();
    let mut done = 0;
    loop {
        let mut phones = Vec::new();
        let before = done;
        for record in records.by_ref().take(LINES_PER_INSERT) {
            let record = record?;
            done += 1;
            let phone = record.cells.get(column).map(String::as_str).unwrap_or_default();
            match parse_phone(phone, region) {
                Ok(phone) => phones.push(phone),
                Err(reason) => suppressed.skipped.push(SkippedLine {
                    line: record.line,
                    reason,
                    cells: record.cells,
                }),
            }
        }
        if done == before {
            break;
        }
        let inserted =
            imports::insert_suppressions(&mut tx, options.user_id, &phones, options.reason).await?;
        suppressed.inserted += inserted;
        suppressed.known += phones.len() as u64 - inserted;
        progress(done);
    }
    if !options.dry_run {
        tx.commit().await?;
    }
    Ok(suppressed)
}
