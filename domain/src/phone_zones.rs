//! The time zones in which the owner of a telephone number may be.
//!
//! The table `data/zones.tsv` is made by `data/zones.py` from the Python package `phonenumbers`, a
//! port of Google's libphonenumber (Apache-2.0), and agrees with it:
//!
//! - A number that belongs to a place has the zones of its longest known prefix. Several, where
//!   an area code or an exchange lies on both sides of a border between zones.
//! - A number that belongs to no place (toll-free, premium, and the mobile numbers of most
//!   countries) has every zone of its calling code, as its owner may be anywhere there. From 8
//!   a.m. to 9 p.m. in all of them is no more than 1½ to 2½ hours of the day for `+1`, from Guam
//!   to Newfoundland, and 3 to 4 for `+7`.
//! - A number of a known calling code in an unassigned range has the zones of the prefix that it
//!   would belong to, at worst every zone of the calling code.
//!
//! Limits: the number does not say where the phone is. A mobile number of the United States or
//! Canada looks like a fixed one and keeps its area code when its owner moves or ports it.
//!
//! For some places the package names the zone of a neighbour, which differs by an hour or two for
//! all or part of the year (Algeria, Libya, Morocco, Nicaragua, Palestine,
//! South Sudan; outer parts of Chile, Greenland and Papua New Guinea; Crimea, Darwin,
//! Kaliningrad, Xinjiang).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono_tz::Tz;

/// The first digits of a number, then its length or [`ANY`], then its zones.
type Table = BTreeMap<&'static str, BTreeMap<usize, Vec<Tz>>>;

/// Stands for every length without zones of its own.
const ANY: usize = 0;

/// The maximum number of digits of a telephone number (ITU-T E.164).
const MAX_DIGITS: usize = 15;

static TABLE: LazyLock<Table> = LazyLock::new(|| parse_table(include_str!("../data/zones.tsv")));

/// The time zones in which the owner of a number in E.164 form may be, without duplicates, in no
/// particular order; see the [module](self).
///
/// Empty if the text is not a plus sign and digits, or if its calling code has no zones (satellite
/// phones, `+800`). Empty means unknown, not unrestricted.
pub fn zones_of(phone: &str) -> &'static [Tz] {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return &[];
    }
    (1..=digits.len().min(MAX_DIGITS))
        .rev()
        .filter_map(|end| TABLE.get(&digits[..end]))
        .find_map(|lengths| lengths.get(&digits.len()).or_else(|| lengths.get(&ANY)))
        .map_or(&[], Vec::as_slice)
}

/// Parses the table; a test covers every line.
fn parse_table(text: &'static str) -> Table {
    let mut table = Table::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (key, names) = line.split_once('\t').expect("a row of the table has a tab");
        let prefix = key.trim_end_matches('.');
        let length = if prefix == key { ANY } else { key.len() };
        let zones = match names.strip_prefix('=') {
            Some(code) => table[code][&ANY].clone(),
            None => names.split(',').map(parse_zone).collect(),
        };
        table.entry(prefix).or_default().insert(length, zones);
    }
    table
}

fn parse_zone(name: &str) -> Tz {
    name.parse().expect("the table names zones that chrono-tz knows")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// See its first lines: `+number`, tab, what the package says.
    const ORACLE: &str = include_str!("../data/zones-oracle.tsv");

    fn names(phone: &str) -> BTreeSet<&'static str> {
        zones_of(phone).iter().map(|zone| zone.name()).collect()
    }

    #[test]
    fn number_with_a_place_has_the_zone_of_its_place() {
        for (phone, zone) in [
            ("+12125550100", "America/New_York"),
            ("+13125550100", "America/Chicago"),
            ("+13105550100", "America/Los_Angeles"),
            ("+16025550100", "America/Phoenix"),
            ("+18085550100", "Pacific/Honolulu"),
            ("+442079460000", "Europe/London"),
            ("+4930000000", "Europe/Berlin"),
            ("+551100000000", "America/Sao_Paulo"),
            ("+61255550100", "Australia/Sydney"),
        ] {
            assert_eq!(names(phone), BTreeSet::from([zone]), "{phone}");
        }
    }

    #[test]
    fn area_code_across_a_zone_border_has_both_zones() {
        for (phone, both) in [
            ("+12085550100", ["America/Boise", "America/Los_Angeles"]),
            ("+17095550100", ["America/Halifax", "America/St_Johns"]),
            ("+19075550100", ["America/Adak", "America/Anchorage"]),
            ("+19865550100", ["America/Boise", "America/Los_Angeles"]),
        ] {
            assert_eq!(names(phone), BTreeSet::from(both), "{phone}");
        }
    }

    #[test]
    fn number_without_a_place_has_every_zone_of_its_calling_code() {
        for (phone, code, count) in
            [("+18005550100", "+1", 42), ("+447400000000", "+44", 4), ("+79120000000", "+7", 16)]
        {
            assert_eq!(zones_of(phone), zones_of(code), "{phone}");
            assert_eq!(zones_of(phone).len(), count, "{phone}");
        }
    }

    #[test]
    fn entry_for_one_length_does_not_affect_others() {
        assert_eq!(zones_of("+13102345"), zones_of("+1"));
        assert_eq!(names("+13102345550"), BTreeSet::from(["America/Los_Angeles"]));
        // With the 8 of calls within Russia left in, the digits would name another place.
        assert_eq!(zones_of("+784261406002"), zones_of("+7"));
        assert_eq!(names("+78426140600"), BTreeSet::from(["Europe/Samara"]));
    }

    #[test]
    fn unknown_number_has_no_zones() {
        for phone in ["+80012345678", "+881612345678", "+0125550100", "+210555010012"] {
            assert!(zones_of(phone).is_empty(), "{phone}");
        }
    }

    #[test]
    fn any_text_is_accepted() {
        let long = format!("+{}", "9".repeat(10_000));
        for text in
            ["", "+", "++1", "1", "12125550100", "+1 212", "+1２12", "+é", "é", "+１", "\0", &long]
        {
            assert!(zones_of(text).is_empty(), "{text}");
        }
        let longer = format!("+1{}", "2".repeat(10_000));
        assert!(!zones_of(&longer).is_empty());
    }

    #[test]
    fn every_zone_of_the_table_is_known() {
        let text = include_str!("../data/zones.tsv");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, names) = line.split_once('\t').unwrap();
            for name in names.split(',').filter(|name| !name.starts_with('=')) {
                assert!(name.parse::<Tz>().is_ok(), "{name}: see RENAMED in data/zones.py");
            }
        }
        assert!(TABLE.values().flat_map(BTreeMap::values).all(|zones| !zones.is_empty()));
        assert!(TABLE.keys().all(|prefix| prefix.len() <= MAX_DIGITS));
    }

    #[test]
    #[expect(clippy::disallowed_macros, reason = "a test is no workflow, nothing replays it")]
    fn zones_agree_with_the_package() {
        let (mut equal, mut unknown_to_it) = (0, 0);
        for line in ORACLE.lines().filter(|line| !line.starts_with('#')) {
            let (phone, theirs) = line.split_once('\t').unwrap();
            if theirs.is_empty() {
                unknown_to_it += 1;
            } else {
                assert_eq!(names(phone), theirs.split(',').collect(), "{phone}");
                equal += 1;
            }
        }
        println!("{equal} numbers have the package's zones, {unknown_to_it} it doesn't know");
        assert!(equal > 5_000, "{equal}");
    }
}
