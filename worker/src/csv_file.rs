//! CSV files as people make them: what can't be read for certain is refused, with its place and a way out.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest file, in bytes.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Delimiters that a first line may have.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// How Excel's workbooks begin: as a ZIP archive, or as an older container.
const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"];

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    #[error("it is a folder; name a CSV file")]
    Folder,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("it is larger than {MAX_FILE_BYTES} bytes; split it")]
    TooLarge,
    #[error("it is an Excel workbook; save it as \"CSV UTF-8\" and use that file")]
    Workbook,
    #[error("it contains NUL characters, and so is no text; save it as CSV in UTF-8")]
    Binary,
    #[error(
        "line {line} is not UTF-8 text; save the file as CSV in UTF-8, or convert it, as with \
        `iconv -f WINDOWS-1252 -t UTF-8`"
    )]
    Encoding { line: usize },
    #[error("the quote at {0} is not closed; close it, or write a quote within a text twice")]
    OpenQuote(Place),
    #[error(
        "the quote at {0} is closed in the middle of its text; write a quote within a text twice"
    )]
    EarlyQuote(Place),
    #[error("the quote at {0} stands after a blank; remove the blank")]
    BlankBeforeQuote(Place),
    #[error("it is empty; its first line must name the columns")]
    Empty,
    #[error(transparent)]
    Csv(#[from] csv::Error),
}

/// A character of a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A file whose quotes are sound.
#[derive(Clone, Debug)]
pub struct CsvFile {
    text: String,
    delimiter: char,
}

/// A line with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of its first line in the file, from 1.
    pub line: u64,
    /// Without blanks around them.
    pub cells: Vec<String>,
}

impl CsvFile {
    /// Reads a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, CsvError> {
        if path.as_os_str() == "-" {
            return Self::read(std::io::stdin());
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(CsvError::Folder);
        }
        Self::read(file)
    }

    /// Reads to the end.
    pub fn read(from: impl Read) -> Result<Self, CsvError> {
        let mut bytes = Vec::new();
        from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(CsvError::TooLarge);
        }
        Self::parse(&bytes)
    }

    /// Decodes a file and checks its quotes.
    pub fn parse(bytes: &[u8]) -> Result<Self, CsvError> {
        let text = decode(bytes)?;
        let delimiter = find_delimiter(&text);
        check_quotes(&text, delimiter)?;
        Ok(Self { text, delimiter })
    }

    /// The decoded file.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn delimiter(&self) -> char {
        self.delimiter
    }

    /// The records, without those whose cells are all blank.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, CsvError>> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(self.delimiter as u8)
            .from_reader(self.text.as_bytes());
        let records = reader.into_records().map(|record| {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            Ok(Record { line, cells: record.iter().map(str::to_owned).collect() })
        });
        records.filter(|record: &Result<Record, CsvError>| {
            record.as_ref().map_or(true, |r| r.cells.iter().any(|cell| !cell.is_empty()))
        })
    }
}

fn decode(bytes: &[u8]) -> Result<String, CsvError> {
    if WORKBOOKS.iter().any(|start| bytes.starts_with(start)) {
        return Err(CsvError::Workbook);
    }
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => decode_utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => decode_utf16(rest, u16::from_be_bytes)?,
        _ => {
            if bytes.contains(&0) {
                return Err(CsvError::Binary);
            }
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|error| encoding_error(&bytes[..error.valid_up_to()]))?;
            text.to_owned()
        }
    };
    // Byte order marks; programs that save a file again may add one.
    let text = text.trim_start_matches('\u{feff}');
    if text.contains('\0') {
        return Err(CsvError::Binary);
    }
    if text.trim().is_empty() {
        return Err(CsvError::Empty);
    }
    // Lines are counted by their feeds.
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, CsvError> {
    let units = bytes.chunks(2).map(|pair| match pair {
        [a, b] => unit([*a, *b]),
        // Half a character.
        _ => 0xd800,
    });
    let mut text = String::new();
    for c in char::decode_utf16(units) {
        text.push(c.map_err(|_| encoding_error(text.as_bytes()))?);
    }
    Ok(text)
}

/// The error of a file that is text up to here.
fn encoding_error(before: &[u8]) -> CsvError {
    CsvError::Encoding { line: before.iter().filter(|byte| **byte == b'\n').count() + 1 }
}

/// The delimiter that the first line has most often, outside of quotes.
fn find_delimiter(text: &str) -> char {
    let mut quoted = false;
    let first: String = text
        .trim_start()
        .chars()
        .take_while(|c| {
            quoted ^= *c == '"';
            quoted || !matches!(c, '\n')
        })
        .collect();
    let unquoted: String = first.split('"').step_by(2).collect();
    let count = |delimiter: &char| unquoted.matches(*delimiter).count();
    // Of equals the first one.
    DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(',')
}

/// Checks that each quote that begins a cell is closed at its end (RFC 4180). A reader would mend it, and swallow lines.
fn check_quotes(text: &str, delimiter: char) -> Result<(), CsvError> {
    let mut place = Place { line: 1, column: 0 };
    let mut open: Option<Place> = None;
    let mut at_start = true;
    let mut after_blank = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        place.column += 1;
        match (c, open) {
            ('"', Some(opened)) => {
                if chars.peek() == Some(&'"') {
                    chars.next();
                    place.column += 1;
                    continue;
                }
                open = None;
                at_start = false;
                while chars.peek().is_some_and(|c| matches!(c, ' ' | '\t') && *c != delimiter) {
                    chars.next();
                    place.column += 1;
                }
                match chars.peek() {
                    None | Some('\n') => {}
                    Some(c) if *c == delimiter => {}
                    Some(_) => return Err(CsvError::EarlyQuote(opened)),
                }
            }
            ('"', None) if at_start && after_blank => {
                return Err(CsvError::BlankBeforeQuote(place));
            }
            ('"', None) if at_start => open = Some(place),
            (c, None) if c == delimiter || matches!(c, '\n') => {
                (at_start, after_blank) = (true, false);
            }
            (c, None) if c.is_whitespace() => after_blank = true,
            (_, None) => at_start = false,
            (_, Some(_)) => {}
        }
        if c == '\n' {
            place = Place { line: place.line + 1, column: 0 };
        }
    }
    open.map_or(Ok(()), |opened| Err(CsvError::OpenQuote(opened)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Result<Vec<Vec<String>>, CsvError> {
        let file = CsvFile::parse(bytes)?;
        file.records().map(|record| Ok(record?.cells)).collect()
    }

    #[test]
    fn delimiters_encodings_and_line_ends_are_recognised() {
        let expected = vec![vec!["näme", "phone"], vec!["Ann; B", "1,2"]];
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
        };
        for text in [
            "näme;phone\n\"Ann; B\";1,2\n",
            "näme,phone\r\nAnn; B,\"1,2\"\r\n\r\n,,\n",
            "näme\tphone\nAnn; B\t1,2",
            "näme|phone\n\"Ann; B\" | 1,2 \n",
        ] {
            assert_eq!(cells(text.as_bytes()).unwrap(), expected, "{text}");
            for marks in ["\u{feff}", "\u{feff}\u{feff}"] {
                let marked = format!("{marks}{text}");
                assert_eq!(cells(marked.as_bytes()).unwrap(), expected, "{text}");
            }
            assert_eq!(cells(&utf16(text, u16::to_le_bytes)).unwrap(), expected, "{text}");
            assert_eq!(cells(&utf16(text, u16::to_be_bytes)).unwrap(), expected, "{text}");
        }
        let several =
            cells(b"name,notes\nAnn,\"two\nlines \"\"here\"\"\"\nBen,5\" pipe\n").unwrap();
        assert_eq!(several[1][1], "two\nlines \"here\"");
        assert_eq!(several[2][1], "5\" pipe");
    }

    #[test]
    fn file_that_can_not_be_read_for_certain_is_refused_with_its_place() {
        for (bytes, words) in [
            (&b"name,phone\nAnn,\"1\nBen,2\n"[..], "line 2, column 5 is not closed"),
            (
                b"name,notes\nAnn,\"likes clocks\nBen,2\nCid,\"x\",1\n",
                "line 2, column 5 is closed in the middle",
            ),
            (b"name,phone\n\"Ann\"B,1\n", "line 2, column 1 is closed in the middle"),
            (b"name,notes\nAnn, \"a, b\"\n", "line 2, column 6 stands after a blank"),
            (b"name,\"phone\nAnn,1\n", "line 1, column 6 is not closed"),
            (b"name,phone\nAnn,1\nJos\xe9,2\n", "line 3 is not UTF-8"),
            (b"\xff\xfen\0a\0\n\0\x00\xd8", "line 2 is not UTF-8"),
            (b"\xff\xfen\0a", "line 1 is not UTF-8"),
            (b"n\0a\0m\0e\0", "NUL characters"),
            (b"PK\x03\x04....", "Excel workbook"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel workbook"),
            (b"", "is empty"),
            (b" \n\n", "is empty"),
        ] {
            let error = cells(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let folder = CsvFile::open(&std::env::temp_dir()).unwrap_err();
        assert!(matches!(folder, CsvError::Folder), "{folder}");
    }
}
