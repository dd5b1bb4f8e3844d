//! The jurisdiction of a number: its country or, in North America, the state of its area code.
//!
//! A ported number keeps its area code, so the state in the prospect's row counts as well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono_tz::Tz;

use crate::phone_zones;

/// See the head of the file for its source and licence.
const TABLE: &str = include_str!("../data/jurisdictions.tsv");

/// The maximum length of a prefix in the table.
const MAX_PREFIX: usize = 4;

static PLACES: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| line.split_once('\t'));
    rows.map(|(prefix, codes)| (prefix, codes.split(',').collect())).collect()
});

/// The places where an E.164 number may be: ISO 3166-1 codes; in the United States and Canada ISO 3166-2 codes. Empty for
/// an unknown calling code.
pub fn of(phone: &str) -> &'static [&'static str] {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    let prefixes = (1..=MAX_PREFIX).rev().filter_map(|length| digits.get(..length));
    prefixes.filter_map(|prefix| PLACES.get(prefix)).next().map_or(&[], Vec::as_slice)
}

/// The time zones of all numbers of a state; of its country if the state is unknown.
pub fn zones_of(place: &str) -> Vec<Tz> {
    let country = place.split('-').next().unwrap_or(place);
    let of = |wanted: &str| {
        let prefixes = PLACES.iter().filter(|(_, codes)| codes.contains(&wanted));
        let zones = prefixes
            .flat_map(|(prefix, _)| phone_zones::zones_of(&example(prefix)).iter().copied());
        let mut zones: Vec<Tz> = zones.collect();
        zones.sort_by_key(|zone| zone.name());
        zones.dedup();
        zones
    };
    let of_state = of(place);
    if of_state.is_empty() { of(country) } else { of_state }
}

/// A number with this prefix; one with an area code has its full length.
fn example(prefix: &str) -> String {
    if prefix.len() == MAX_PREFIX { format!("+{prefix}2345678") } else { format!("+{prefix}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_has_the_zones_of_all_its_area_codes() {
        let names = |place| zones_of(place).iter().map(|zone| zone.name()).collect::<Vec<_>>();
        assert_eq!(names("US-HI"), ["Pacific/Honolulu"]);
        assert_eq!(names("US-FL"), ["America/Chicago", "America/New_York"]);
        assert_eq!(names("DE-BY"), ["Europe/Berlin"]);
        assert!(names("US-ZZ").len() > 20, "an unknown state has all zones of its country");
        assert!(names("XX-YY").is_empty());
    }

    #[test]
    fn area_code_gives_the_state_and_calling_code_the_country() {
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
