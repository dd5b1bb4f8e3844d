//! Which number gets which scenario.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Answer, Scenario};

const BUILT_IN: &str = include_str!("../../scenarios.json");

/// Scenario names by the last two digits of a fictional number, first match wins.
const ENDINGS: &[(u8, u8, &str)] = &[
    (0, 9, "books_appointment"),
    (10, 19, "asks_callback"),
    (20, 29, "not_interested"),
    (30, 39, "do_not_call"),
    (40, 49, "voicemail"),
    (50, 59, "no_answer"),
    (60, 69, "busy"),
    (70, 79, "invalid_number"),
    (80, 89, "hangs_up_at_once"),
    (90, 90, "tool_lost"),
    (91, 91, "tool_twice"),
    (92, 92, "ended_before_tool"),
    (93, 93, "talks_without_outcome"),
    (94, 94, "webhooks_lost"),
    (95, 95, "talks_to_the_limit"),
    (96, 96, "answers_after_join_timeout"),
    (97, 97, "changes_mind"),
    (98, 98, "silent"),
    (99, 99, "rejected"),
];

/// Why a scenario file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    #[error("reading {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is not an object of scenarios: {source}")]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("{path}: no scenario is named \"{name}\"")]
    Unknown { path: PathBuf, name: String },
}

/// All scenarios, and the numbers that get something else than the built-in choice.
#[derive(Debug)]
pub struct Book {
    named: BTreeMap<String, Scenario>,
    numbers: BTreeMap<String, (String, Scenario)>,
}

impl Book {
    /// The built-in scenarios, overruled by a file if there is one.
    pub fn open(file: Option<&Path>) -> Result<Self, BookError> {
        let named: BTreeMap<String, Scenario> =
            serde_json::from_str(BUILT_IN).expect("a test reads the built-in scenarios");
        let numbers = match file {
            Some(path) => overrides(path, &named)?,
            None => BTreeMap::new(),
        };
        Ok(Self { named, numbers })
    }

    /// How a call to a number goes, with the scenario's name. The file wins, its longest match
    /// first.
    pub fn look_up(&self, number: &str) -> (String, Scenario) {
        let matching = self.numbers.iter();
        let longest = matching
            .filter(|(prefix, _)| number.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len());
        match longest {
            Some((_, (name, scenario))) => (name.clone(), scenario.clone()),
            None => self.named(by_ending(number)),
        }
    }

    /// How a call without a phone goes: nobody ever joins.
    pub fn nobody(&self) -> (String, Scenario) {
        self.named("no_answer")
    }

    fn named(&self, name: &str) -> (String, Scenario) {
        let scenario = self.named.get(name);
        let scenario = scenario.expect("a test looks up every built-in name");
        (name.to_owned(), scenario.clone())
    }
}

fn overrides(
    path: &Path,
    named: &BTreeMap<String, Scenario>,
) -> Result<BTreeMap<String, (String, Scenario)>, BookError> {
    let unreadable = |source| BookError::Unreadable { path: path.to_owned(), source };
    let malformed = |source| BookError::Malformed { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let entries: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(malformed)?;
    let mut numbers = BTreeMap::new();
    for (number, entry) in entries {
        let found = match entry {
            Value::String(name) => match named.get(&name) {
                Some(scenario) => (name, scenario.clone()),
                None => {
                    let path = path.to_owned();
                    return Err(BookError::Unknown { path, name });
                }
            },
            inline => {
                let scenario = serde_json::from_value(inline).map_err(malformed)?;
                ("custom".to_owned(), scenario)
            }
        };
        numbers.insert(number, found);
    }
    Ok(numbers)
}

fn by_ending(number: &str) -> &'static str {
    if number == "+1234567890" {
        return "books_appointment";
    }
    let digits = number.strip_prefix("+1").unwrap_or_default();
    let fictional = digits.len() == 10
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && digits.get(3..8) == Some("55501");
    let ending: Option<u8> = digits.get(8..).and_then(|ending| ending.parse().ok());
    match ending {
        Some(ending) if fictional => ENDINGS
            .iter()
            .find(|(low, high, _)| (*low..=*high).contains(&ending))
            .map_or("no_answer", |(_, _, name)| name),
        _ => "no_answer",
    }
}

impl Scenario {
    /// Whether creating the call is refused.
    pub fn is_undialable(&self) -> bool {
        self.answer == Answer::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_a_built_in_scenario() {
        let book = Book::open(None).unwrap();
        for ending in 0..100 {
            let (name, _) = book.look_up(&format!("+121255501{ending:02}"));
            let expected = ENDINGS.iter().find(|(low, high, _)| (*low..=*high).contains(&ending));
            assert_eq!(name, expected.unwrap().2);
        }
    }

    #[test]
    fn other_numbers_are_never_answered() {
        let book = Book::open(None).unwrap();
        for number in ["+1212555010", "+121255501001", "+12125550x00"] {
            assert_eq!(book.look_up(number).0, "no_answer", "{number}");
        }
        assert_eq!(book.look_up("+1234567890").0, "books_appointment");
    }
}
