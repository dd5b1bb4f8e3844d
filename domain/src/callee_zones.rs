//! The time zones in which a callee may be.

use chrono_tz::Tz;

use crate::hours::{DailyWindow, parse_zone};
use crate::{Block, BlockReason, jurisdictions, phone_zones};

/// Why the time zones of a callee are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The stored zone is not in the IANA database.
    #[error(
        "The prospect's time zone {0:?} is unknown; use an IANA name such as America/New_York."
    )]
    UnknownZone(String),
    /// The stored state is in no known country.
    #[error("The prospect's state {0:?} is unknown; use an ISO 3166-2 code such as US-FL.")]
    UnknownState(String),
    /// Neither prospect nor number determines a zone, and hours are strict.
    #[error(
        "Neither the phone number nor the prospect determines a time zone; set the prospect's."
    )]
    Undetermined,
}

impl From<ZoneError> for Block {
    fn from(error: ZoneError) -> Self {
        let reason = match error {
            ZoneError::UnknownZone(_) | ZoneError::UnknownState(_) => {
                BlockReason::ProspectZoneUnknown
            }
            ZoneError::Undetermined => BlockReason::ZoneUndetermined,
        };
        Self::with_detail(reason, error.to_string())
    }
}

/// The zones in which a callee may be: its own if one is stored, otherwise those of its number and of its state.
///
/// If none of them determines a zone, it is the user's; with `strict` it is an error.
pub fn zones_of_callee(
    own: Option<&str>,
    state: Option<&str>,
    phone: &str,
    window: &DailyWindow,
    strict: bool,
) -> Result<Vec<Tz>, ZoneError> {
    if let Some(own) = own.map(str::trim).filter(|own| !own.is_empty()) {
        let zone = parse_zone(own).map_err(|_| ZoneError::UnknownZone(own.to_owned()))?;
        return Ok(vec![zone]);
    }
    let of_phone = phone_zones::zones_of(phone);
    let mut zones = of_phone.to_vec();
    if let Some(state) = state {
        let of_state = jurisdictions::zones_of(state);
        if of_state.is_empty() {
            return Err(ZoneError::UnknownState(state.to_owned()));
        }
        zones.extend(of_state.into_iter().filter(|zone| !of_phone.contains(zone)));
    }
    match (zones.is_empty(), strict) {
        (false, _) => Ok(zones),
        (true, false) => Ok(vec![window.zone()]),
        (true, true) => Err(ZoneError::Undetermined),
    }
}

/// The zone in which the agent and the callee speak of times: the first one in which the callee may be.
pub fn spoken_zone(
    own: Option<&str>,
    state: Option<&str>,
    phone: &str,
    window: &DailyWindow,
) -> Option<Tz> {
    zones_of_callee(own, state, phone, window, false).ok()?.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> DailyWindow {
        let (start, end) = ("09:00:00".parse().unwrap(), "17:00:00".parse().unwrap());
        DailyWindow::new("Europe/Berlin", start, end).unwrap()
    }

    #[test]
    fn stored_zone_wins_then_number_then_user_unless_strict() {
        let of = |own, phone, strict| zones_of_callee(own, None, phone, &window(), strict);
        let tokyo = Ok(vec![chrono_tz::Asia::Tokyo]);
        assert_eq!(of(Some(" Asia/Tokyo "), "+12125550100", true), tokyo);
        let new_york = Ok(vec![chrono_tz::America::New_York]);
        assert_eq!(of(Some(" "), "+12125550100", true), new_york);
        let satellite = "+88355501001";
        assert_eq!(of(None, satellite, false), Ok(vec![chrono_tz::Europe::Berlin]));
        assert_eq!(of(None, satellite, true), Err(ZoneError::Undetermined));
        let unknown = Err(ZoneError::UnknownZone("Mars/Olympus".into()));
        assert_eq!(of(Some("Mars/Olympus"), "+12125550100", false), unknown);
    }

    #[test]
    fn state_adds_its_zones_to_those_of_the_number() {
        let of = |state| zones_of_callee(None, Some(state), "+12125550100", &window(), false);
        let (new_york, honolulu) = (chrono_tz::America::New_York, chrono_tz::Pacific::Honolulu);
        assert_eq!(of("US-HI"), Ok(vec![new_york, honolulu]));
        assert_eq!(of("US-NY"), Ok(vec![new_york]));
        assert_eq!(of("XX-YY"), Err(ZoneError::UnknownState("XX-YY".into())));
        let own =
            zones_of_callee(Some("Asia/Tokyo"), Some("US-HI"), "+12125550100", &window(), false);
        assert_eq!(own, Ok(vec![chrono_tz::Asia::Tokyo]));
    }
}
