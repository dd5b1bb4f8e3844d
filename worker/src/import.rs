//! Import of prospects from a CSV file: each line is checked, and all valid lines are inserted in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use domain::hours::parse_zone;
use domain::ids::{ProspectId, UserId};
use domain::phone::PhoneNumber;
use phonenumber::country;

use store::imports::{self, NewProspect};
use store::{Store, StoreError};

use crate::csv_file::{CsvError, CsvFile, Record};

const LINES_PER_INSERT: usize = 5_000;
const MAX_NAME_CHARS: usize = 500;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file can't be read: {0}")]
    Csv(#[from] CsvError),
    /// The first line is invalid; the sentence says how to correct it.
    #[error("{0}")]
    Columns(String),
    #[error("there is no user {0:?}; `select id from users` lists them")]
    NoUser(String),
    #[error("{0:?} is not a region; use two letters, such as US or DE")]
    Region(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub struct ImportOptions<'a> {
    /// The user that the prospects belong to.
    pub user_id: &'a UserId,
    /// The region of numbers without a country code, ISO 3166-1.
    pub region: &'a str,
    /// Check the file without writing.
    pub dry_run: bool,
    /// Import nothing if a line is skipped.
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedLine {
    /// The number in the file, from 1.
    pub line: u64,
    /// A clause such as "the name is missing".
    pub reason: String,
    pub cells: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The first line.
    pub header: Vec<String>,
    /// The number of new prospects.
    pub inserted: usize,
    /// By their numbers.
    pub skipped: Vec<SkippedLine>,
    /// Whether the prospects were written.
    pub written: bool,
}

/// Imports a file. Calls `progress` with the number of lines done.
///
/// # Errors
///
/// Nothing was imported. An invalid line is no error, but a part of the result.
pub async fn import(
    store: &Store,
    file: &CsvFile,
    options: &ImportOptions<'_>,
    mut progress: impl FnMut(usize),
) -> Result<Imported, ImportError> {
    let mut tx = store.begin().await?;
    if !imports::user_exists(&mut tx, options.user_id).await? {
        return Err(ImportError::NoUser(options.user_id.to_string()));
    }
    let mut records = file.records();
    let header = records.next().transpose()?.map(|record| record.cells).unwrap_or_default();
    let columns = Columns::find(&header, file.delimiter())?;
    let mut lines = Lines { columns, region: parse_region(options.region)?, seen: BTreeSet::new() };
    let mut imported = Imported { header, ..Imported::default() };
    let mut done = 0;
    loop {
        let page: Vec<Record> =
            records.by_ref().take(LINES_PER_INSERT).collect::<Result<_, _>>()?;
        if page.is_empty() {
            break;
        }
        done += page.len();
        let mut valid = Vec::new();
        for record in page {
            let parsed = lines.parse(&record.cells);
            match parsed.and_then(|prospect| lines.check_repetition(prospect)) {
                Ok(prospect) => valid.push((record, prospect)),
                Err(reason) => imported.skip(record, reason),
            }
        }
        let phones: Vec<String> = valid.iter().map(|(_, p)| p.phone.clone()).collect();
        let ids: Vec<String> = valid.iter().filter_map(|(_, p)| p.id.clone()).collect();
        let known = imports::known_numbers(&mut tx, options.user_id, &phones).await?;
        let suppressed = imports::suppressed_numbers(&mut tx, options.user_id, &phones).await?;
        let taken = imports::known_ids(&mut tx, &ids).await?;
        let mut new = Vec::new();
        for (record, prospect) in valid {
            let reason = if suppressed.contains(&prospect.phone) {
                "the number is on a do-not-call list"
            } else if known.contains(&prospect.phone) {
                "a prospect of the user has the number"
            } else if prospect.id.as_ref().is_some_and(|id| taken.contains(id)) {
                "a prospect has the id"
            } else {
                new.push(prospect);
                continue;
            };
            imported.skip(record, reason.to_owned());
        }
        imports::insert_prospects(&mut tx, options.user_id, &new).await?;
        imported.inserted += new.len();
        progress(done);
    }
    imported.written = !options.dry_run && (!options.strict || imported.skipped.is_empty());
    if imported.written {
        tx.commit().await?;
    }
    imported.skipped.sort_by_key(|skipped| skipped.line);
    Ok(imported)
}

impl Imported {
    fn skip(&mut self, record: Record, reason: String) {
        self.skipped.push(SkippedLine { line: record.line, reason, cells: record.cells });
    }
}

/// Parses the region of numbers without a country code.
pub(crate) fn parse_region(text: &str) -> Result<country::Id, ImportError> {
    country::Id::from_str(&text.to_ascii_uppercase())
        .map_err(|_| ImportError::Region(text.to_owned()))
}

struct Lines {
    columns: Columns,
    region: country::Id,
    /// Numbers and ids of earlier lines.
    seen: BTreeSet<String>,
}

/// The positions of the columns.
#[derive(Debug, Default)]
struct Columns {
    number: usize,
    id: Option<usize>,
    name: usize,
    phone: usize,
    time_zone: Option<usize>,
    state: Option<usize>,
    notes: Option<usize>,
    /// Columns of the user's own, by their names.
    custom: BTreeMap<String, usize>,
}

/// The beginning of a column of the user's own.
const CUSTOM: &str = "custom.";
/// The longest name of such a column, in characters.
const MAX_CUSTOM_CHARS: usize = 50;

impl Columns {
    /// Finds the columns in the first line. A column that is unknown or stands twice is an error: its values would be lost.
    fn find(header: &[String], delimiter: char) -> Result<Self, ImportError> {
        let invalid = |text: String| Err(ImportError::Columns(text));
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        for (index, written) in header.iter().enumerate() {
            let written = written.trim();
            let lower = written.to_lowercase();
            let name = match lower.replace([' ', '-'], "_").as_str() {
                "timezone" => "time_zone".to_owned(),
                name if lower.starts_with(CUSTOM) => format!("{CUSTOM}{}", &name[CUSTOM.len()..]),
                name => name.to_owned(),
            };
            let custom = name.strip_prefix(CUSTOM);
            let is_custom = custom.is_some_and(|custom| {
                let is_part = |c: char| c.is_alphanumeric() || c == '_';
                (1..=MAX_CUSTOM_CHARS).contains(&custom.chars().count())
                    && custom.chars().all(is_part)
            });
            let is_known =
                ["id", "name", "phone", "time_zone", "state", "notes"].contains(&name.as_str());
            if written.is_empty() {
                return invalid(format!("column {} of the first line has no name", index + 1));
            }
            if !is_known && !is_custom {
                return invalid(format!(
                    "the column {written:?} is unknown; use name, phone, id, time_zone, state and \
                    notes, name it custom.{} to keep it for scripts, or leave it out",
                    suggest_custom(&lower)
                ));
            }
            if let Some(first) = at.insert(name, index) {
                return invalid(format!(
                    "the column {written:?} stands twice, as columns {} and {}; leave one of them out",
                    first + 1,
                    index + 1
                ));
            }
        }
        let column = |name: &str| at.get(name).copied();
        let (Some(name), Some(phone)) = (column("name"), column("phone")) else {
            let found = header.join(", ");
            return invalid(format!(
                "the first line must name the columns, `name` and `phone` among them, separated by \
                {delimiter:?}; found: {found}"
            ));
        };
        let custom = at
            .iter()
            .filter_map(|(name, index)| Some((name.strip_prefix(CUSTOM)?.to_owned(), *index)));
        Ok(Self {
            number: header.len(),
            id: column("id"),
            name,
            phone,
            time_zone: column("time_zone"),
            state: column("state"),
            notes: column("notes"),
            custom: custom.collect(),
        })
    }
}

fn suggest_custom(name: &str) -> String {
    let part = |c: char| if c.is_alphanumeric() { c } else { '_' };
    name.chars().map(part).take(MAX_CUSTOM_CHARS).collect()
}

impl Lines {
    fn parse(&self, cells: &[String]) -> Result<NewProspect, String> {
        let (found, columns) = (cells.len(), self.columns.number);
        // A text that is cut in two would stand in the wrong columns.
        if found > columns {
            return Err(format!(
                "the line has {found} cells for {columns} columns; write a text that contains the \
                delimiter in quotes"
            ));
        }
        let text = |column: Option<usize>| {
            let cell = column.and_then(|column| cells.get(column)).map(String::as_str);
            cell.filter(|text| !text.is_empty())
        };
        let name = text(Some(self.columns.name)).ok_or("the name is missing")?;
        if name.contains(['\n', '\r']) {
            return Err("the name has several lines".to_owned());
        }
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(format!("the name is longer than {MAX_NAME_CHARS} characters"));
        }
        let phone = text(Some(self.columns.phone)).ok_or("the number is missing")?;
        let id = text(self.columns.id);
        if let Some(id) = id {
            ProspectId::parse(id).map_err(|error| error.to_string())?;
        }
        let time_zone = text(self.columns.time_zone);
        if let Some(zone) = time_zone {
            parse_zone(zone).map_err(|error| error.to_string())?;
        }
        Ok(NewProspect {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            phone: parse_phone(phone, self.region)?,
            time_zone: time_zone.map(str::to_owned),
            state: text(self.columns.state).map(parse_state).transpose()?,
            notes: text(self.columns.notes).map(str::to_owned),
            custom: self
                .columns
                .custom
                .iter()
                .filter_map(|(name, index)| Some((name.clone(), text(Some(*index))?.to_owned())))
                .collect(),
        })
    }

    /// Returns the prospect, unless an earlier line has its number or its id.
    fn check_repetition(&mut self, prospect: NewProspect) -> Result<NewProspect, String> {
        if prospect.id.as_ref().is_some_and(|id| self.seen.contains(&format!("id {id}"))) {
            return Err("an earlier line has the id".to_owned());
        }
        if !self.seen.insert(prospect.phone.clone()) {
            return Err("an earlier line has the number".to_owned());
        }
        self.seen.extend(prospect.id.as_ref().map(|id| format!("id {id}")));
        Ok(prospect)
    }
}

/// Parses a number, of this region if it has no country code, and returns its E.164 form.
pub(crate) fn parse_phone(text: &str, region: country::Id) -> Result<String, String> {
    let invalid = || format!("{text:?} is no telephone number");
    // A number in E.164 form is accepted even if its country has no such number.
    if PhoneNumber::parse(text).is_ok() {
        return Ok(text.to_owned());
    }
    let number = phonenumber::parse(Some(region), text).map_err(|_| invalid())?;
    if number.extension().is_some() {
        return Err(format!("{text:?} has an extension, which can't be dialled"));
    }
    // A number with a guessed country must exist, or be fictional (555-01xx).
    if !number.is_valid() && !is_fictional(&number) {
        return Err(invalid());
    }
    let text = number.format().mode(phonenumber::Mode::E164).to_string();
    PhoneNumber::parse(&text).map(|number| number.to_string()).map_err(|_| invalid())
}

/// Whether a North American number is reserved for fiction.
fn is_fictional(number: &phonenumber::PhoneNumber) -> bool {
    let digits = number.format().mode(phonenumber::Mode::E164).to_string();
    digits.starts_with("+1") && digits.len() == 12 && digits.get(5..10) == Some("55501")
}

/// Parses an ISO 3166-2 code; two letters without a country are a state of the United States.
fn parse_state(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    let code = if code.len() == 2 { format!("US-{code}") } else { code };
    let valid = code.split_once('-').is_some_and(|(country, state)| {
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
        let alphanumeric = state.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        country.len() == 2 && letters(country) && (1..=3).contains(&state.len()) && alphanumeric
    });
    valid.then_some(code).ok_or_else(|| format!("{text:?} is no state; write it as FL or US-FL"))
}
