//! Prospects from a file: read, checked line by line, and entered all at once or not at all.

use std::collections::BTreeSet;
use std::io::Read;
use std::str::FromStr as _;

use domain::hours::parse_zone;
use domain::ids::UserId;
use domain::phone::PhoneNumber;
use phonenumber::country;

use store::imports::{self, NewProspect};
use store::{Store, StoreError};

/// Prospects entered by one statement.
const AT_ONCE: usize = 5_000;
/// Longest id, in characters, as the table takes it.
const LONGEST_ID: usize = 200;
/// Longest name, in characters.
const LONGEST_NAME: usize = 500;

/// Why nothing can be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not what it must be.
    #[error("the file can't be read as CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A column is missing.
    #[error("the first line must name the columns, `name` and `phone` among them; found: {0}")]
    Columns(String),
    /// There is no such user.
    #[error("there is no user {0:?}")]
    NoUser(String),
    /// The region is not known.
    #[error("{0:?} is no region; give two letters, as US or DE")]
    Region(String),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is imported, and how.
pub struct Import<'a> {
    /// Whose prospects they are.
    pub user_id: &'a UserId,
    /// The region of numbers without a country code, ISO 3166-1.
    pub region: &'a str,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// A line that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its number in the file, from 1.
    pub line: u64,
    /// Why, as a sentence.
    pub why: String,
}

/// What became of the lines.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Prospects entered.
    pub entered: usize,
    /// Lines that were not.
    pub passed_over: Vec<PassedOver>,
}

/// Imports a file. `progress` is told how many lines are done.
pub async fn import(
    store: &Store,
    file: impl Read,
    how: &Import<'_>,
    mut progress: impl FnMut(usize),
) -> Result<Imported, ImportError> {
    let region = country::Id::from_str(how.region)
        .map_err(|_| ImportError::Region(how.region.to_owned()))?;
    let mut tx = store.begin().await?;
    if !imports::user_exists(&mut tx, how.user_id).await? {
        return Err(ImportError::NoUser(how.user_id.to_string()));
    }
    let mut lines = Lines::open(file, region)?;
    let mut imported = Imported::default();
    let mut done = 0;
    loop {
        let page = lines.page(AT_ONCE)?;
        if page.is_empty() {
            break;
        }
        done += page.len();
        let mut sound = Vec::new();
        for (line, read) in page {
            match read {
                Ok(prospect) => sound.push((line, prospect)),
                Err(why) => imported.passed_over.push(PassedOver { line, why }),
            }
        }
        let phones: Vec<String> = sound.iter().map(|(_, p)| p.phone.clone()).collect();
        let ids: Vec<String> = sound.iter().filter_map(|(_, p)| p.id.clone()).collect();
        let known = imports::known_numbers(&mut tx, how.user_id, &phones).await?;
        let suppressed = imports::suppressed_numbers(&mut tx, how.user_id, &phones).await?;
        let taken = imports::known_ids(&mut tx, &ids).await?;
        let mut new = Vec::new();
        for (line, prospect) in sound {
            let why = if suppressed.contains(&prospect.phone) {
                "the number is on a do-not-call list"
            } else if known.contains(&prospect.phone) {
                "a prospect of the user has the number"
            } else if prospect.id.as_ref().is_some_and(|id| taken.contains(id)) {
                "a prospect has the id"
            } else {
                new.push(prospect);
                continue;
            };
            imported.passed_over.push(PassedOver { line, why: why.to_owned() });
        }
        imports::insert_prospects(&mut tx, how.user_id, &new).await?;
        imported.entered += new.len();
        progress(done);
    }
    if !how.dry_run {
        tx.commit().await.map_err(StoreError::from)?;
    }
    imported.passed_over.sort_by_key(|passed| passed.line);
    Ok(imported)
}

/// The number of a line, and a prospect or what is wrong with it.
type Line = (u64, Result<NewProspect, String>);

/// The lines of a file.
struct Lines<File> {
    reader: csv::Reader<File>,
    columns: Columns,
    region: country::Id,
    /// Numbers and ids of earlier lines.
    seen: BTreeSet<String>,
}

/// Where the columns are.
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
        // Spreadsheets begin a file with a mark of its encoding.
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

    /// The next lines, each a prospect or what is wrong with it.
    fn page(&mut self, most: usize) -> Result<Vec<Line>, ImportError> {
        let mut page = Vec::new();
        let mut record = csv::StringRecord::new();
        while page.len() < most && self.reader.read_record(&mut record)? {
            let line = record.position().map_or(0, csv::Position::line);
            let read = self.read(&record).and_then(|prospect| self.first(prospect));
            page.push((line, read));
        }
        Ok(page)
    }

    fn read(&self, record: &csv::StringRecord) -> Result<NewProspect, String> {
        let text = |column: Option<usize>| {
            column.and_then(|column| record.get(column)).filter(|text| !text.is_empty())
        };
        let name = text(Some(self.columns.name)).ok_or("the name is missing")?;
        if name.chars().count() > LONGEST_NAME {
            return Err(format!("the name is longer than {LONGEST_NAME} characters"));
        }
        let phone = text(Some(self.columns.phone)).ok_or("the number is missing")?;
        let id = text(self.columns.id);
        if id.is_some_and(|id| id.chars().count() > LONGEST_ID) {
            return Err(format!("the id is longer than {LONGEST_ID} characters"));
        }
        let time_zone = text(self.columns.time_zone);
        if let Some(zone) = time_zone {
            parse_zone(zone).map_err(|error| error.to_string())?;
        }
        if record.iter().any(|text| text.contains('\0')) {
            return Err("the line holds a NUL character".to_owned());
        }
        Ok(NewProspect {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            phone: self.normalised(phone)?,
            time_zone: time_zone.map(str::to_owned),
            state: text(self.columns.state).map(state).transpose()?,
            notes: text(self.columns.notes).map(str::to_owned),
        })
    }

    /// A number in E.164 form.
    fn normalised(&self, text: &str) -> Result<String, String> {
        let wrong = || format!("{text:?} is no telephone number");
        // One that is in that form already is taken as it is: whether anybody has it shows at the call.
        if PhoneNumber::parse(text).is_ok() {
            return Ok(text.to_owned());
        }
        let number = phonenumber::parse(Some(self.region), text).map_err(|_| wrong())?;
        // Fictional numbers (555-01xx) are valid by their length alone, and so is what is guessed.
        if !number.is_valid() && !is_fictional(&number) {
            return Err(wrong());
        }
        let text = number.format().mode(phonenumber::Mode::E164).to_string();
        PhoneNumber::parse(&text).map(|number| number.to_string()).map_err(|_| wrong())
    }

    /// The prospect, unless an earlier line has its number or its id.
    fn first(&mut self, prospect: NewProspect) -> Result<NewProspect, String> {
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

/// Whether a number of North America is one of those that are kept for fiction.
fn is_fictional(number: &phonenumber::PhoneNumber) -> bool {
    let digits = number.format().mode(phonenumber::Mode::E164).to_string();
    digits.starts_with("+1") && digits.len() == 12 && digits.get(5..10) == Some("55501")
}

/// An ISO 3166-2 code; two letters alone are a state of the United States.
fn state(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    let code = if code.len() == 2 { format!("US-{code}") } else { code };
    let sound = code.split_once('-').is_some_and(|(country, state)| {
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
        let alphanumeric = state.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        country.len() == 2 && letters(country) && (1..=3).contains(&state.len()) && alphanumeric
    });
    sound.then_some(code).ok_or_else(|| format!("{text:?} is no state; write it as FL or US-FL"))
}
