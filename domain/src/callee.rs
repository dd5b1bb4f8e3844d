//! Where a callee may be, and how often its number may still be called.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::hours::{DailyWindow, parse_zone};
use crate::rules::Law;
use crate::{jurisdictions, numbers};

/// Why the zones of a callee are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoZone {
    /// The zone that is stored is none of the IANA database.
    #[error(
        "The prospect's time zone {0:?} is unknown; use an IANA name such as America/New_York."
    )]
    Unknown(String),
    /// The state that is stored is in no country that is known.
    #[error("The prospect's state {0:?} is unknown; use an ISO 3166-2 code such as US-FL.")]
    State(String),
    /// Nothing tells in which zone the number is, and that is required.
    #[error("The number tells no time zone, and the prospect has none; give it one.")]
    Untold,
}

/// The zones in which a callee may be: its own if one is stored, otherwise those of its number and of the state in which
/// it is said to be. Where neither tells any it is the client's, or, where hours are kept strictly, nobody knows.
pub fn zones(
    own: Option<&str>,
    state: Option<&str>,
    phone: &str,
    window: &DailyWindow,
    strict: bool,
) -> Result<Vec<Tz>, NoZone> {
    if let Some(own) = own.map(str::trim).filter(|own| !own.is_empty()) {
        let zone = parse_zone(own).map_err(|_| NoZone::Unknown(own.to_owned()))?;
        return Ok(vec![zone]);
    }
    let mut told = numbers::zones(phone).to_vec();
    if let Some(state) = state {
        let of_state = jurisdictions::zones_of(state);
        if of_state.is_empty() {
            return Err(NoZone::State(state.to_owned()));
        }
        told.extend(of_state.into_iter().filter(|zone| !numbers::zones(phone).contains(zone)));
    }
    match (told.is_empty(), strict) {
        (false, _) => Ok(told),
        (true, false) => Ok(vec![window.zone()]),
        (true, true) => Err(NoZone::Untold),
    }
}

/// The zone in which times are spoken of with a callee: of those in which it may be the first one. Where there are
/// several, times come with their offsets or are taken for this one's.
pub fn told_zone(
    own: Option<&str>,
    state: Option<&str>,
    phone: &str,
    window: &DailyWindow,
) -> Option<Tz> {
    zones(own, state, phone, window, false).ok()?.first().copied()
}

/// The calls that were made to a number, whoever they were made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberLog {
    /// When, of late: at least those of the last 24 hours, in order.
    pub lately: Vec<DateTime<Utc>>,
    /// How many in all.
    pub in_all: i32,
}

/// A cap is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capped {
    /// When it is no longer; nothing if it stays so.
    pub until: Option<DateTime<Utc>>,
}

impl NumberLog {
    /// Whether the law lets the number be called once more at a moment.
    pub fn allows(&self, law: &Law, moment: DateTime<Utc>) -> Result<(), Capped> {
        let date = moment.date_naive();
        if law.cap_in_all(date).is_some_and(|cap| self.in_all >= cap) {
            return Err(Capped { until: None });
        }
        let Some(cap) = law.cap_per_day(date) else { return Ok(()) };
        let day = TimeDelta::hours(24);
        let within: Vec<_> = self.lately.iter().filter(|at| **at > moment - day).collect();
        let cap = usize::try_from(cap).unwrap_or(0);
        match within.len().checked_sub(cap) {
            // Once the oldest of the last `cap` calls is a day old there is room for one.
            Some(more) => Err(Capped { until: within.get(more).map(|oldest| **oldest + day) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::Weekdays;
    use crate::rules::Rule;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn window() -> DailyWindow {
        let (start, end) = ("09:00:00".parse().unwrap(), "17:00:00".parse().unwrap());
        DailyWindow::new("Europe/Berlin", start, end).unwrap()
    }

    #[test]
    fn the_stored_zone_wins_then_the_number_then_the_client_unless_hours_are_strict() {
        let of = |own, phone, strict| zones(own, None, phone, &window(), strict);
        let tokyo = Ok(vec![chrono_tz::Asia::Tokyo]);
        assert_eq!(of(Some(" Asia/Tokyo "), "+12125550100", true), tokyo);
        let new_york = Ok(vec![chrono_tz::America::New_York]);
        assert_eq!(of(Some(" "), "+12125550100", true), new_york);
        let nobody = "+88355501001";
        assert_eq!(of(None, nobody, false), Ok(vec![chrono_tz::Europe::Berlin]));
        assert_eq!(of(None, nobody, true), Err(NoZone::Untold));
        let unknown = Err(NoZone::Unknown("Mars/Olympus".into()));
        assert_eq!(of(Some("Mars/Olympus"), "+12125550100", false), unknown);
    }

    #[test]
    fn the_state_adds_its_zones_to_those_of_the_number() {
        let of = |state| zones(None, Some(state), "+12125550100", &window(), false);
        let (new_york, honolulu) = (chrono_tz::America::New_York, chrono_tz::Pacific::Honolulu);
        assert_eq!(of("US-HI"), Ok(vec![new_york, honolulu]));
        assert_eq!(of("US-NY"), Ok(vec![new_york]));
        assert_eq!(of("XX-YY"), Err(NoZone::State("XX-YY".into())));
        let own = zones(Some("Asia/Tokyo"), Some("US-HI"), "+12125550100", &window(), false);
        assert_eq!(own, Ok(vec![chrono_tz::Asia::Tokyo]));
    }

    #[test]
    fn a_cap_rolls_with_the_clock() {
        let rule = Rule {
            id: "three".into(),
            jurisdiction: "*".into(),
            days: Weekdays::ALL,
            open: Some(("08:00:00".parse().unwrap(), "20:00:00".parse().unwrap())),
            cap_per_day: Some(3),
            cap_in_all: Some(10),
            from: None,
            until: None,
        };
        let law = Law::of(&[rule], "+12125550100", None);
        let lately = ["2025-02-24T15:00:00Z", "2025-02-24T16:00:00Z", "2025-02-25T09:00:00Z"];
        let log = NumberLog { lately: lately.map(at).to_vec(), in_all: 3 };
        let until = Some(at("2025-02-25T15:00:00Z"));
        assert_eq!(log.allows(&law, at("2025-02-25T14:59:59Z")), Err(Capped { until }));
        assert_eq!(log.allows(&law, at("2025-02-25T15:00:00Z")), Ok(()));
        let worn = NumberLog { in_all: 10, ..NumberLog::default() };
        assert_eq!(worn.allows(&law, at("2025-02-25T15:00:00Z")), Err(Capped { until: None }));
    }
}
