//! The last word before a phone rings: decided at the instant of dialling, after every wait.
//!
//! It fails closed: whatever is missing or unknown refuses the call.

use chrono::{DateTime, TimeDelta, Utc};

use crate::hours::{DailyWindow, Hours};
use crate::minutes;
use crate::phone::PhoneNumber;
use crate::slots::prospect_zone;
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
        /// Every line is in use.
        LinesBusy = "lines_busy",
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
            Self::OutsideHours => "It is outside calling hours.",
            Self::UserNotReady => "The user, a setting or an active subscription is missing.",
            Self::ProspectGone => "The prospect no longer exists.",
            Self::ProspectNotCallable => "The prospect is no longer to be called.",
            Self::PhoneInvalid => "The phone number is not in E.164 form.",
            Self::ProspectZoneUnknown => "The prospect's time zone is not an IANA name.",
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
    pub window: DailyWindow,
    /// Where the prospect stands.
    pub status: ProspectStatus,
    /// The prospect's number as stored.
    pub phone: &'a str,
    /// The prospect's own time zone, if one is stored.
    pub zone: Option<&'a str>,
    /// Whether the number is on a do-not-call list.
    pub suppressed: bool,
    /// Calls that may still be made to the prospect.
    pub attempts_left: i32,
    /// Calls left of the user's local day, this one not counted.
    pub calls_left_today: i32,
    /// Minutes of the subscription that are not reserved.
    pub minutes_left: i32,
    /// The longest that a call may be, in minutes.
    pub longest_call_minutes: i32,
    /// Lines not in use.
    pub lines_free: i32,
}

/// The guard's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        objection: Objection,
    },
    /// Not at all: the call goes back to planning.
    Refuse(Objection),
}

/// Decides whether the call may be made at `now`.
pub fn decide(c: &Circumstances<'_>) -> Verdict {
    use Objection::*;
    if c.now < c.slot {
        return Verdict::Later { until: c.slot, objection: TooEarly };
    }
    let last_start = c.slot + MAX_LATENESS;
    if c.now > last_start {
        return Verdict::Refuse(TooLate);
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
        return Verdict::Refuse(objection);
    }
    let Ok(zone) = prospect_zone(c.zone, c.window) else {
        return Verdict::Refuse(ProspectZoneUnknown);
    };
    let hours = Hours::of_call(c.window, [zone]);
    let later = |until: Option<DateTime<Utc>>, objection| match until {
        Some(until) if until <= last_start => Verdict::Later { until, objection },
        _ => Verdict::Refuse(objection),
    };
    if !hours.allow(c.now) {
        return later(hours.next_allowed(c.now), OutsideHours);
    }
    if c.paused {
        return later(Some(c.now + WAIT), Paused);
    }
    if c.lines_free <= 0 {
        return later(Some(c.now + WAIT), LinesBusy);
    }
    let closes = hours.allowed_until(c.now).unwrap_or(last_start);
    Verdict::Admit {
        reserve_minutes: minutes::reservation(c.minutes_left, c.longest_call_minutes),
        good_until: closes.min(last_start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn fine() -> Circumstances<'static> {
        Circumstances {
            now: at("2025-02-25T14:00:00Z"),
            slot: at("2025-02-25T14:00:00Z"),
            paused: false,
            window: DailyWindow::new(
                "America/New_York",
                "09:00:00".parse().unwrap(),
                "17:00:00".parse().unwrap(),
            )
            .unwrap(),
            status: ProspectStatus::Initial,
            phone: "+1234567890",
            zone: None,
            suppressed: false,
            attempts_left: 1,
            calls_left_today: 1,
            minutes_left: 600,
            longest_call_minutes: 10,
            lines_free: 1,
        }
    }

    #[test]
    fn a_call_at_its_slot_is_admitted_with_a_bounded_reservation() {
        assert_eq!(
            decide(&fine()),
            Verdict::Admit { reserve_minutes: 10, good_until: at("2025-02-25T14:15:00Z") }
        );
    }

    #[test]
    fn a_request_may_not_leave_after_the_window_closed() {
        let c = Circumstances {
            now: at("2025-02-25T21:55:00Z"),
            slot: at("2025-02-25T21:55:00Z"),
            ..fine()
        };
        let Verdict::Admit { good_until, .. } = decide(&c) else { panic!("{:?}", decide(&c)) };
        assert_eq!(good_until, at("2025-02-25T22:00:00Z"));
    }

    #[test]
    fn every_rule_refuses_on_its_own() {
        use Objection::*;
        type Change = fn(&mut Circumstances<'static>);
        let cases: [(Change, Objection); 10] = [
            (|c| c.now = at("2025-02-25T14:15:01Z"), TooLate),
            (|c| c.status = ProspectStatus::Booked, ProspectNotCallable),
            (|c| c.status = ProspectStatus::DoNotCall, ProspectNotCallable),
            (|c| c.phone = "911", PhoneInvalid),
            (|c| c.suppressed = true, Suppressed),
            (|c| c.attempts_left = 0, AttemptsUsedUp),
            (|c| c.calls_left_today = 0, DailyLimit),
            (|c| c.minutes_left = 0, NoMinutes),
            (|c| c.zone = Some("Nowhere/Else"), ProspectZoneUnknown),
            (|c| c.zone = Some("America/Los_Angeles"), OutsideHours),
        ];
        for (change, objection) in cases {
            let mut c = fine();
            change(&mut c);
            assert_eq!(decide(&c), Verdict::Refuse(objection));
        }
    }

    #[test]
    fn what_will_pass_soon_is_waited_for_and_what_will_not_is_refused() {
        let early = Circumstances { slot: at("2025-02-25T14:05:00Z"), ..fine() };
        assert_eq!(
            decide(&early),
            Verdict::Later { until: at("2025-02-25T14:05:00Z"), objection: Objection::TooEarly }
        );
        let busy = Circumstances { lines_free: 0, ..fine() };
        assert_eq!(
            decide(&busy),
            Verdict::Later { until: at("2025-02-25T14:00:15Z"), objection: Objection::LinesBusy }
        );
        let paused = Circumstances { paused: true, ..fine() };
        assert_eq!(
            decide(&paused),
            Verdict::Later { until: at("2025-02-25T14:00:15Z"), objection: Objection::Paused }
        );
        let busy_to_the_end = Circumstances { now: at("2025-02-25T14:14:50Z"), ..busy };
        assert_eq!(decide(&busy_to_the_end), Verdict::Refuse(Objection::LinesBusy));
        let before_opening = Circumstances {
            now: at("2025-02-25T13:50:00Z"),
            slot: at("2025-02-25T13:50:00Z"),
            ..fine()
        };
        assert_eq!(
            decide(&before_opening),
            Verdict::Later {
                until: at("2025-02-25T14:00:00Z"),
                objection: Objection::OutsideHours
            }
        );
    }
}
