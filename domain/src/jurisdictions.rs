//! Where the law of a number is made: its country or, in North America, the state of its area code.
//!
//! A number that was ported keeps its area code; the state that a prospect's row names counts beside it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono_tz::Tz;

use crate::numbers;

/// See the head of the file for its source and licence.
const TABLE: &str = include_str!("../data/jurisdictions.tsv");

/// Longest prefix in the table.
const LONGEST: usize = 4;

static PLACES: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| line.split_once('\t'));
    rows.map(|(prefix, codes)| (prefix, codes.split(',').collect())).collect()
});

/// The ISO 3166-1 or, in the United States and Canada, 3166-2 codes of where a `+E.164` number may be; none if it begins
/// with no known calling code.
pub fn of(phone: &str) -> &'static [&'static str] {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    let prefixes = (1..=LONGEST).rev().filter_map(|length| digits.get(..length));
    prefixes.filter_map(|prefix| PLACES.get(prefix)).next().map_or(&[], Vec::as_slice)
}

/// The time zones of a state, or of a country where the state is not known: those of all numbers that may be there.
pub fn zones_of(place: &str) -> Vec<Tz> {
    let country = place.split('-').next().unwrap_or(place);
    let of = |wanted: &str| {
        let prefixes = PLACES.iter().filter(|(_, codes)| codes.contains(&wanted));
        let zones =
            prefixes.flat_map(|(prefix, _)| numbers::zones(&example(prefix)).iter().copied());
        let mut zones: Vec<Tz> = zones.collect();
        zones.sort_by_key(|zone| zone.name());
        zones.dedup();
        zones
    };
    let of_state = of(place);
    if of_state.is_empty() { of(country) } else { of_state }
}

/// A number that begins so. One of an area code is as long as such numbers are.
fn example(prefix: &str) -> String {
    if prefix.len() == LONGEST { format!("+{prefix}2345678") } else { format!("+{prefix}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_the_zones_of_all_its_area_codes() {
        let names = |place| zones_of(place).iter().map(|zone| zone.name()).collect::<Vec<_>>();
        assert_eq!(names("US-HI"), ["Pacific/Honolulu"]);
        assert_eq!(names("US-FL"), ["America/Chicago", "America/New_York"]);
        assert_eq!(names("DE-BY"), ["Europe/Berlin"]);
        assert!(names("US-ZZ").len() > 20, "one that is not known may be anywhere there");
        assert!(names("XX-YY").is_empty());
    }

    #[test]
    fn the_area_code_tells_the_state_and_the_calling_code_the_country() {
        for (phone, places) in [
            ("+13055550100", &["US-FL"][..]),
            ("+12035550100", &["US-CT"]),
            ("+17135550100", &["US-TX"]),
            ("+12025550100", &["US-DC"]),
            ("+14165550100", &["CA-ON"]),
            ("+19025550100", &["CA-NS", "CA-PE"]),
            ("+17875550100", &["PR"]),
            ("+18005550100", &["CA", "US"]),
            ("+442079460100", &["GB", "GG", "IM", "JE"]),
            ("+4930555010", &["DE"]),
            ("+999", &[]),
            ("12125550100", &[]),
            ("+", &[]),
            ("+１２", &[]),
        ] {
            assert_eq!(of(phone), places, "{phone}");
        }
    }
}
