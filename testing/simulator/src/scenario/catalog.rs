//! The mapping from called numbers to scenarios.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Scenario;

const BUILT_IN: &str = include_str!("../../scenarios.json");

/// Scenario names by the last two digits of a fictional number.
const ENDINGS: &[(RangeInclusive<u8>, &str)] = &[
    (0..=9, "books_appointment"),
    (10..=19, "asks_callback"),
    (20..=29, "not_interested"),
    (30..=39, "do_not_call"),
    (40..=49, "voicemail"),
    (50..=59, "no_answer"),
    (60..=69, "busy"),
    (70..=79, "invalid_number"),
    (80..=89, "hangs_up_at_once"),
    (90..=90, "tool_lost"),
    (91..=91, "tool_twice"),
    (92..=92, "ended_before_tool"),
    (93..=93, "talks_without_outcome"),
    (94..=94, "webhooks_lost"),
    (95..=95, "talks_to_the_limit"),
    (96..=96, "answers_after_join_timeout"),
    (97..=97, "changes_mind"),
    (98..=98, "silent"),
    (99..=99, "rejected"),
];
/// The scenario of every number that is not fictional.
const DEFAULT: &str = "no_answer";

/// Why a scenario file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("reading {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is not an object of scenarios: {source}")]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("{path}: unknown scenario {name:?}")]
    UnknownScenario { path: PathBuf, name: String },
}

/// The built-in scenarios, and those of the scenario file by number or number prefix.
#[derive(Debug)]
pub struct ScenarioCatalog {
    built_in: BTreeMap<String, Scenario>,
    by_number: BTreeMap<String, (String, Scenario)>,
}

impl ScenarioCatalog {
    pub fn load(file: Option<&Path>) -> Result<Self, CatalogError> {
        let built_in: BTreeMap<String, Scenario> =
            serde_json::from_str(BUILT_IN).expect("a test parses the built-in scenarios");
        let by_number = match file {
            Some(path) => load_file(path, &built_in)?,
            None => BTreeMap::new(),
        };
        Ok(Self { built_in, by_number })
    }

    /// The name and the scenario of a call to a number. The file has priority; in it, the longest
    /// prefix.
    pub fn find(&self, number: &str) -> (String, Scenario) {
        let matching = self.by_number.iter().filter(|(prefix, _)| number.starts_with(*prefix));
        match matching.max_by_key(|(prefix, _)| prefix.len()) {
            Some((_, found)) => found.clone(),
            None => {
                let name = name_by_ending(number);
                let scenario = self.built_in.get(name).expect("a test looks up every ending");
                (name.to_owned(), scenario.clone())
            }
        }
    }
}

fn load_file(
    path: &Path,
    built_in: &BTreeMap<String, Scenario>,
) -> Result<BTreeMap<String, (String, Scenario)>, CatalogError> {
    let malformed = |source| CatalogError::Malformed { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path)
        .map_err(|source| CatalogError::Unreadable { path: path.to_owned(), source })?;
    let entries: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(malformed)?;
    let load = |entry| match entry {
        Value::String(name) => match built_in.get(&name) {
            Some(scenario) => Ok((name, scenario.clone())),
            None => Err(CatalogError::UnknownScenario { path: path.to_owned(), name }),
        },
        scenario => {
            let scenario = serde_json::from_value(scenario).map_err(malformed)?;
            Ok(("custom".to_owned(), scenario))
        }
    };
    entries.into_iter().map(|(number, entry)| Ok((number, load(entry)?))).collect()
}

fn name_by_ending(number: &str) -> &'static str {
    // The number of the documented example day.
    if number == "+1234567890" {
        return "books_appointment";
    }
    let ending = fictional_ending(number);
    let found =
        ENDINGS.iter().find(|(endings, _)| ending.is_some_and(|ending| endings.contains(&ending)));
    found.map_or(DEFAULT, |(_, name)| name)
}

/// The last two digits of a number of the form `+1 xxx 555 01xx`.
fn fictional_ending(number: &str) -> Option<u8> {
    let digits = number.strip_prefix("+1")?;
    let is_fictional = digits.len() == 10
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && &digits[3..8] == "55501";
    if is_fictional { digits[8..].parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_a_built_in_scenario() {
        let catalog = ScenarioCatalog::load(None).unwrap();
        for ending in 0..100 {
            let (name, _) = catalog.find(&format!("+121255501{ending:02}"));
            let expected = ENDINGS.iter().find(|(endings, _)| endings.contains(&ending));
            assert_eq!(name, expected.unwrap().1);
        }
    }

    #[test]
    fn numbers_that_are_not_fictional_are_not_answered() {
        let catalog = ScenarioCatalog::load(None).unwrap();
        for number in ["+1212555010", "+121255501001", "+12125550x00", "+44"] {
            assert_eq!(catalog.find(number).0, "no_answer", "{number}");
        }
        assert_eq!(catalog.find("+1234567890").0, "books_appointment");
    }
}
