//! The last word before a phone rings: decided at the instant of dialling, after every wait.
//!
//! It fails closed: whatever is missing or unknown refuses the call.

use chrono::{DateTime, TimeDelta, Utc};

use crate::callee::{NoZone, NumberLog, zones};
use crate::hours::{DailyWindow, Hours};
use crate::minutes;
use crate::phone::PhoneNumber;
use crate::rules::{Law, Rule};
use crate::status::{ProspectStatus, spelled};

/// How long after its slot a call may still start.
pub const MAX_LATENESS: TimeDelta = TimeDelta::minutes(15);
/// How long a call waits for a line, or for the end of a pause, before it asks again.
const WAIT: TimeDelta = TimeDelta::seconds(15);

spelled! {
    /// Why a call may not be made now, or not at all.
    Objection {
        /// The slot has not come.
        TooEarly = "too_early",
        /// The slot passed too long ago.
        TooLate = "too_late",
        /// The user, or the whole service, is paused.
        Paused = "paused",
        /// Every line is in use, or all that the user may use.
        LinesBusy = "lines_busy",
        /// Another call to the number is under way.
        NumberBusy = "number_busy",
        /// The number rests after a call to another prospect of the user.
        NumberResting = "number_resting",
        /// The law allows no further call to the number for now, or at all.
        NumberCapped = "number_capped",
        /// It is outside the user's window or the prospect's legal hours.
        OutsideHours = "outside_hours",
        /// The user, its settings or its active subscription are not there, or can't be used.
        UserNotReady = "user_not_ready",
        /// The prospect was deleted.
        ProspectGone = "prospect_gone",
        /// The prospect is no longer to be called.
        ProspectNotCallable = "prospect_not_callable",
        /// The number is not in E.164 form.
        PhoneInvalid = "phone_invalid",
        /// The prospect's time zone is unknown.
        ProspectZoneUnknown = "prospect_zone_unknown",
        /// Nothing tells where the prospect is, and hours are kept strictly.
        ZoneUntold = "zone_untold",
        /// The number is on a do-not-call list.
        Suppressed = "suppressed",
        /// The prospect's number was changed after the call was admitted.
        NumberChanged = "number_changed",
        /// As many calls as allowed were made to the prospect.
        AttemptsUsedUp = "attempts_used_up",
        /// The calls of the day are used up.
        DailyLimit = "daily_limit",
        /// The minutes of the subscription are used up.
        NoMinutes = "no_minutes",
        /// What the agent should say can't be made from the scripts.
        ScriptInvalid = "script_invalid",
        /// The conversation was settled before, or deleted.
        AlreadySettled = "already_settled",
    }
}

impl Objection {
    /// The objection as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::TooEarly => "The slot has not come yet.",
            Self::TooLate => "The call could not start within 15 minutes of its slot.",
            Self::Paused => "The user, or the whole service, is paused.",
            Self::LinesBusy => "Every line is in use.",
            Self::NumberBusy => "Another call to the number is under way.",
            Self::NumberResting => "The number rests after a call to another prospect.",
            Self::NumberCapped => "The law allows no further call to the number for now.",
            Self::OutsideHours => "It is outside calling hours.",
            Self::UserNotReady => "The user, a setting or an active subscription is missing.",
            Self::ProspectGone => "The prospect no longer exists.",
            Self::ProspectNotCallable => "The prospect is no longer to be called.",
            Self::PhoneInvalid => "The phone number is not in E.164 form.",
            Self::ProspectZoneUnknown => "The prospect's time zone is not an IANA name.",
            Self::ZoneUntold => "Neither the prospect nor its number tells a time zone.",
            Self::Suppressed => "The number is on a do-not-call list.",
            Self::NumberChanged => "The prospect's number was changed after the call was admitted.",
            Self::AttemptsUsedUp => "As many calls as allowed were made to the prospect.",
            Self::DailyLimit => "The calls of the day are used up.",
            Self::NoMinutes => "The minutes of the subscription are used up.",
            Self::ScriptInvalid => "What the agent should say can't be made from the scripts.",
            Self::AlreadySettled => "The conversation was settled before, or deleted.",
        }
    }
}

/// What the decision rests on, read in the transaction that acts on it.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The instant of the decision.
    pub now: DateTime<Utc>,
    /// The call's slot.
    pub slot: DateTime<Utc>,
    /// Whether the user, or the whole service, is paused.
    pub paused: bool,
    /// The user's window.
    pub window: &'a DailyWindow,
    /// All legal rules.
    pub rules: &'a [Rule],
    /// Whether a prospect whose zone nothing tells is refused.
    pub strict: bool,
    /// Where the prospect stands.
    pub status: ProspectStatus,
    /// The prospect's number as stored.
    pub phone: &'a str,
    /// The prospect's own time zone, if one is stored.
    pub zone: Option<&'a str>,
    /// The state in which the prospect is said to be, as `US-FL`.
    pub state: Option<&'a str>,
    /// Whether the number is on a do-not-call list.
    pub suppressed: bool,
    /// Calls that may still be made to the prospect.
    pub attempts_left: i32,
    /// The calls that were made to the number, this one not counted.
    pub number: &'a NumberLog,
    /// Whether another call to the number is under way.
    pub number_busy: bool,
    /// Until when the number rests after a call to another prospect of the user.
    pub number_rests_until: Option<DateTime<Utc>>,
    /// Calls left of the user's local day, this one not counted.
    pub calls_left_today: i32,
    /// Minutes of the subscription that are not reserved.
    pub minutes_left: i32,
    /// The longest that a call may be, in minutes.
    pub longest_call_minutes: i32,
    /// Lines that this call could have: of all, and of those that its user may use.
    pub lines_free: i32,
    /// Calls of earlier slots that wait for a line as well.
    pub waiting_before: i32,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call may be made.
    Admit {
        /// Minutes to reserve.
        reserve_minutes: i32,
        /// The last moment at which the request may leave.
        good_until: DateTime<Utc>,
    },
    /// Not now: ask again then.
    Later {
        /// When to ask again.
        until: DateTime<Utc>,
        /// Why not now.
        why: Refusal,
    },
    /// Not at all: the call goes back to planning.
    Refuse(Refusal),
}

/// Why a call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub objection: Objection,
    /// The same as a sentence.
    pub detail: String,
}

impl From<Objection> for Refusal {
    fn from(objection: Objection) -> Self {
        Self { objection, detail: objection.sentence().to_owned() }
    }
}

/// Decides whether the call may be made at `now`.
pub fn decide(c: &Circumstances<'_>) -> Verdict {
    use Objection::*;
    if c.now < c.slot {
        return Verdict::Later { until: c.slot, why: TooEarly.into() };
    }
    let last_start = c.slot + MAX_LATENESS;
    if c.now > last_start {
        return Verdict::Refuse(TooLate.into());
    }
    let refusals = [
        (!c.status.is_callable(), ProspectNotCallable),
        (PhoneNumber::parse(c.phone).is_err(), PhoneInvalid),
        (c.suppressed, Suppressed),
        (c.attempts_left <= 0, AttemptsUsedUp),
        (c.calls_left_today <= 0, DailyLimit),
        (minutes::reservation(c.minutes_left, c.longest_call_minutes) <= 0, NoMinutes),
    ];
    if let Some((_, objection)) = refusals.into_iter().find(|(holds, _)| *holds) {
        return Verdict::Refuse(objection.into());
    }
    let zones = match zones(c.zone, c.state, c.phone, c.window, c.strict) {
        Ok(zones) => zones,
        Err(why) => {
            let objection = match why {
                NoZone::Unknown(_) | NoZone::State(_) => ProspectZoneUnknown,
                NoZone::Untold => ZoneUntold,
            };
            return Verdict::Refuse(Refusal { objection, detail: why.to_string() });
        }
    };
    let later = |until: Option<DateTime<Utc>>, why: Refusal| match until {
        Some(until) if until <= last_start => Verdict::Later { until, why },
        _ => Verdict::Refuse(why),
    };
    let law = Law::of(c.rules, c.phone, c.state);
    let hours = Hours::of_call(c.window.clone(), zones, &law);
    if let Err(shut) = hours.allowed(c.now) {
        return later(shut.next, Refusal { objection: OutsideHours, detail: shut.why });
    }
    if let Err(capped) = c.number.allows(&law, c.now) {
        return later(capped.until, NumberCapped.into());
    }
    let promised = c.status == ProspectStatus::Rescheduled;
    if let Some(rest) = c.number_rests_until.filter(|rest| *rest > c.now && !promised) {
        return later(Some(rest), NumberResting.into());
    }
    let soon = Some(c.now + WAIT);
    if c.paused {
        return later(soon, Paused.into());
    }
    if c.number_busy {
        return later(soon, NumberBusy.into());
    }
    if c.lines_free <= c.waiting_before {
        let place = ordinal(c.waiting_before + 1);
        let detail = format!("Waiting for a line, {place} in the queue.");
        return later(soon, Refusal { objection: LinesBusy, detail });
    }
    let closes = hours.allowed_until(c.now).unwrap_or(last_start);
    Verdict::Admit {
        reserve_minutes: minutes::reservation(c.minutes_left, c.longest_call_minutes),
        good_until: closes.min(last_start),
    }
}

fn ordinal(n: i32) -> String {
    let ending = match (n % 10, n % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests;
