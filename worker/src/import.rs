//! Import of prospects from a CSV file: each line is checked, and all valid lines are inserted in one transaction.

use std::collections::BTreeSet;
use std::io::Read;
use std::str::FromStr as _;

use domain::hours::parse_zone;
use domain::ids::{ProspectId, UserId};
use domain::phone::PhoneNumber;
use phonenumber::country;

use store::imports::{self, NewProspect};
use store::{Store, StoreError};

const LINES_PER_INSERT: usize = 5_000;
const MAX_NAME_CHARS: usize = 500;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file can't be read as CSV: {0}")]
    Csv(#[from] csv::Error),
    #[error("the first line must name the columns, `name` and `phone` among them; found: {0}")]
    Columns(String),
    #[error("there is no user {0:?}")]
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedLine {
    /// The number in the file, from 1.
    pub line: u64,
    /// A clause such as "the name is missing".
    pub reason: String,
}

#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The number of new prospects.
    pub inserted: usize,
    /// By their numbers.
    pub skipped: Vec<SkippedLine>,
}

/// Imports a file. Calls `progress` with the number of lines done.
///
/// # Errors
///
/// Nothing was imported. An invalid line is no error, but a part of the result.
pub async fn import(
    store: &Store,
    file: impl Read,
    options: &ImportOptions<'_>,
    mut progress: impl FnMut(usize),
) -> Result<Imported, ImportError> {
    let region = country::Id::from_str(options.region)
        .map_err(|_| ImportError::Region(options.region.to_owned()))?;
    let mut tx = store.begin().await?;
    if !imports::user_exists(&mut tx, options.user_id).await? {
        return Err(ImportError::NoUser(options.user_id.to_string()));
    }
    let mut lines = Lines::open(file, region)?;
    let mut imported = Imported::default();
    let mut done = 0;
    loop {
        let page = lines.read_page(LINES_PER_INSERT)?;
        if page.is_empty() {
            break;
        }
        done += page.len();
        let mut valid = Vec::new();
        for (line, parsed) in page {
            match parsed {
                Ok(prospect) => valid.push((line, prospect)),
                Err(reason) => imported.skipped.push(SkippedLine { line, reason }),
            }
        }
        let phones: Vec<String> = valid.iter().map(|(_, p)| p.phone.clone()).collect();
        let ids: Vec<String> = valid.iter().filter_map(|(_, p)| p.id.clone()).collect();
        let known = imports::known_numbers(&mut tx, options.user_id, &phones).await?;
        let suppressed = imports::suppressed_numbers(&mut tx, options.user_id, &phones).await?;
        let taken = imports::known_ids(&mut tx, &ids).await?;
        let mut new = Vec::new();
        for (line, prospect) in valid {
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
            imported.skipped.push(SkippedLine { line, reason: reason.to_owned() });
        }
        imports::insert_prospects(&mut tx, options.user_id, &new).await?;
        imported.inserted += new.len();
        progress(done);
    }
    if !options.dry_run {
        tx.commit().await?;
    }
    imported.skipped.sort_by_key(|skipped| skipped.line);
    Ok(imported)
}

/// The number of a line, and its prospect or why it is invalid.
type Line = (u64, Result<NewProspect, String>);

struct Lines<File> {
    reader: csv::Reader<File>,
    columns: Columns,
    region: country::Id,
    /// Numbers and ids of earlier lines.
    seen: BTreeSet<String>,
}

/// The positions of the columns.
struct Columns {
    id: Option<usize>,
    name: usize,
    phone: usize,
    time_zone: Option<usize>,
    state: Option<usize>,
    notes: Option<usize>,
}

impl<File: Read> Lines<File> {
    fn open(file: File, region: country::Id) -> Result<Self, ImportError> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
        let headers = reader.headers()?.clone();
        // Spreadsheets write a byte order mark.
        let name = |text: &str| text.trim_start_matches('\u{feff}').to_ascii_lowercase();
        let at = |column: &str| headers.iter().position(|header| name(header) == column);
        let (Some(name), Some(phone)) = (at("name"), at("phone")) else {
            return Err(ImportError::Columns(headers.iter().collect::<Vec<_>>().join(", ")));
        };
        let columns = Columns {
            id: at("id"),
            name,
            phone,
            time_zone: at("time_zone"),
            state: at("state"),
            notes: at("notes"),
        };
        Ok(Self { reader, columns, region, seen: BTreeSet::new() })
    }

    /// Returns the next lines, at most `max`; none at the end of the file.
    fn read_page(&mut self, max: usize) -> Result<Vec<Line>, ImportError> {
        let mut page = Vec::new();
        let mut record = csv::StringRecord::new();
        while page.len() < max && self.reader.read_record(&mut record)? {
            let line = record.position().map_or(0, csv::Position::line);
            let parsed = self.parse(&record).and_then(|prospect| self.check_repetition(prospect));
            page.push((line, parsed));
        }
        Ok(page)
    }

    fn parse(&self, record: &csv::StringRecord) -> Result<NewProspect, String> {
        let text = |column: Option<usize>| {
            column.and_then(|column| record.get(column)).filter(|text| !text.is_empty())
        };
        let name = text(Some(self.columns.name)).ok_or("the name is missing")?;
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
        if record.iter().any(|text| text.contains('\0')) {
            return Err("the line contains a NUL character".to_owned());
        }
        Ok(NewProspect {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            phone: self.parse_phone(phone)?,
            time_zone: time_zone.map(str::to_owned),
            state: text(self.columns.state).map(parse_state).transpose()?,
            notes: text(self.columns.notes).map(str::to_owned),
        })
    }

    /// Parses a number and returns its E.164 form.
    fn parse_phone(&self, text: &str) -> Result<String, String> {
        let invalid = || format!("{text:?} is no telephone number");
        // A number in E.164 form is accepted even if its country has no such number.
        if PhoneNumber::parse(text).is_ok() {
            return Ok(text.to_owned());
        }
        let number = phonenumber::parse(Some(self.region), text).map_err(|_| invalid())?;
        // A number with a guessed country must exist, or be fictional (555-01xx).
        if !number.is_valid() && !is_fictional(&number) {
            return Err(invalid());
        }
        let text = number.format().mode(phonenumber::Mode::E164).to_string();
        PhoneNumber::parse(&text).map(|number| number.to_string()).map_err(|_| invalid())
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
