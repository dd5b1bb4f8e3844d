//! Which of a user's prospects are called before the next plan run, and at which moments.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::hours::{DailyWindow, Hours};
use crate::ids::ProspectId;
use crate::phone::PhoneNumber;
use crate::priority::{Standing, rank};
use crate::status::spelled;

/// Hours that must lie between two contacts, unless the prospect was promised a call.
const REST_HOURS: i64 = 24;
/// The most calls that one run plans for one user.
const MOST_CALLS: i32 = 1_000;
/// The least time between the slots of one user, in seconds.
const SPACING_SECS: i64 = 1;

spelled! {
    /// Why a user or a prospect was passed over by a plan run.
    SkipReason {
        /// The user, or the whole service, is paused.
        Paused = "paused",
        /// The user has no active subscription.
        NoActiveSubscription = "no_active_subscription",
        /// One of the user's settings is missing.
        SettingsMissing = "settings_missing",
        /// The user's calling window or time zone can't be used.
        WindowInvalid = "window_invalid",
        /// The prospect's number is not in E.164 form.
        PhoneInvalid = "phone_invalid",
        /// The prospect's time zone is unknown.
        ProspectZoneUnknown = "prospect_zone_unknown",
        /// The number is on a do-not-call list.
        Suppressed = "suppressed",
        /// A call to the prospect is planned or under way.
        OpenConversation = "open_conversation",
        /// As many calls as allowed were made to the prospect.
        AttemptsUsedUp = "attempts_used_up",
        /// The last contact was less than 24 hours ago.
        ContactedRecently = "contacted_recently",
        /// The promised time lies beyond the next plan run.
        NotDue = "not_due",
        /// No moment before the next plan run is within everybody's hours.
        OutsideHours = "outside_hours",
        /// The calls of the day are used up.
        DailyLimit = "daily_limit",
        /// The minutes of the subscription are used up.
        NoMinutes = "no_minutes",
        /// The time before the next plan run holds no further slot.
        NoRoom = "no_room",
    }
}

impl SkipReason {
    /// The reason as a sentence for the user.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Paused => "The user, or the whole service, is paused.",
            Self::NoActiveSubscription => "The user has no active subscription.",
            Self::SettingsMissing => "A setting of the user is missing.",
            Self::WindowInvalid => "The user's calling window can't be used.",
            Self::PhoneInvalid => "The phone number is not in E.164 form, as +12125550100.",
            Self::ProspectZoneUnknown => "The prospect's time zone is not an IANA name.",
            Self::Suppressed => "The number is on a do-not-call list.",
            Self::OpenConversation => "A call to the prospect is planned or under way.",
            Self::AttemptsUsedUp => "As many calls as allowed were made to the prospect.",
            Self::ContactedRecently => "The last contact was less than 24 hours ago.",
            Self::NotDue => "The promised time lies beyond the next plan run.",
            Self::OutsideHours => "No moment before the next plan run is within calling hours.",
            Self::DailyLimit => "The calls of the day are used up.",
            Self::NoMinutes => "The minutes of the subscription are used up.",
            Self::NoRoom => "No slot is left before the next plan run.",
        }
    }
}

/// The span that one plan run plans for.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The nominal time of the run.
    pub from: DateTime<Utc>,
    /// The nominal time of the next run.
    pub until: DateTime<Utc>,
}

/// What the user may still spend.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Calls left of the user's local day.
    pub calls: i32,
    /// Minutes left that are neither reserved nor promised to a planned call.
    pub minutes: i32,
}

/// A prospect that a plan run considers.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What its rank depends on.
    pub standing: Standing,
    /// Its number as stored.
    pub phone: String,
    /// Its own time zone as stored, if it has one.
    pub zone: Option<String>,
    /// The promised time of a rescheduled prospect.
    pub due: Option<DateTime<Utc>>,
    /// The last contact.
    pub last_contacted: Option<DateTime<Utc>>,
    /// Calls that may still be made to it.
    pub attempts_left: i32,
    /// Whether its number is on a do-not-call list.
    pub suppressed: bool,
    /// Whether a call to it is planned or under way.
    pub has_open_conversation: bool,
}

/// What a plan run says of one prospect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The prospect.
    pub prospect: ProspectId,
    /// The slot, or why there is none.
    pub verdict: Result<DateTime<Utc>, Skip>,
}

/// Why there is no slot, and when there may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// The next moment at which this reason no longer holds, if it is known.
    pub next: Option<DateTime<Utc>>,
}

impl From<SkipReason> for Skip {
    fn from(reason: SkipReason) -> Self {
        Self { reason, next: None }
    }
}

/// Decides about every candidate; the answer is in calling order.
///
/// Rescheduled prospects are called at their own time; the others are spread evenly over what
/// the user's window leaves of the span. No slot lies outside the user's window or the legal
/// hours of the prospect, and no more are given than the budget allows.
pub fn plan(
    span: Span,
    window: DailyWindow,
    budget: Budget,
    mut candidates: Vec<Candidate>,
) -> Vec<Decision> {
    rank(&mut candidates, span.from, |c| &c.standing);
    let checked: Vec<(Candidate, Result<Hours, Skip>)> = candidates
        .into_iter()
        .map(|candidate| {
            let hours = hours_if_callable(&candidate, span, window);
            (candidate, hours)
        })
        .collect();

    let (left, exhausted) = [
        (budget.calls, SkipReason::DailyLimit),
        (budget.minutes, SkipReason::NoMinutes),
        (MOST_CALLS, SkipReason::NoRoom),
    ]
    .into_iter()
    .min_by_key(|(left, _)| *left)
    .expect("an array of three has a least");
    let mut left = left.max(0) as usize;

    let wanting = checked.iter().filter(|(c, hours)| hours.is_ok() && c.standing.promised).count();
    let spread = Spread::new(span, window, &checked, left.saturating_sub(wanting));
    let mut position = 0;
    checked
        .into_iter()
        .map(|(candidate, hours)| {
            let verdict = hours.and_then(|hours| {
                let slot = if candidate.standing.promised {
                    promised_slot(&candidate, &hours, span, left > 0, exhausted)
                } else {
                    spread.slot(&hours, &mut position, left > 0, exhausted)
                }?;
                left -= 1;
                Ok(slot)
            });
            Decision { prospect: candidate.standing.prospect, verdict }
        })
        .collect()
}

/// The hours in which the candidate may be called, or why it may not be called at all.
fn hours_if_callable(c: &Candidate, span: Span, window: DailyWindow) -> Result<Hours, Skip> {
    if c.has_open_conversation {
        return Err(SkipReason::OpenConversation.into());
    }
    if c.suppressed {
        return Err(SkipReason::Suppressed.into());
    }
    if PhoneNumber::parse(&c.phone).is_err() {
        return Err(SkipReason::PhoneInvalid.into());
    }
    let zone = prospect_zone(c.zone.as_deref(), window)
        .map_err(|_| Skip::from(SkipReason::ProspectZoneUnknown))?;
    if c.attempts_left <= 0 {
        return Err(SkipReason::AttemptsUsedUp.into());
    }
    if c.standing.promised {
        if let Some(due) = c.due.filter(|due| *due >= span.until) {
            return Err(Skip { reason: SkipReason::NotDue, next: Some(due) });
        }
    } else if let Some(last) = c.last_contacted {
        let rested = last + TimeDelta::hours(REST_HOURS);
        if rested > span.from {
            return Err(Skip { reason: SkipReason::ContactedRecently, next: Some(rested) });
        }
    }
    Ok(Hours::of_call(window, [zone]))
}

/// The zone in which a prospect is: its own or, if none is stored, the user's.
pub fn prospect_zone(
    own: Option<&str>,
    window: DailyWindow,
) -> Result<Tz, crate::hours::WindowError> {
    match own.map(str::trim).filter(|zone| !zone.is_empty()) {
        Some(zone) => crate::hours::parse_zone(zone),
        None => Ok(window.zone()),
    }
}

fn promised_slot(
    candidate: &Candidate,
    hours: &Hours,
    span: Span,
    in_budget: bool,
    exhausted: SkipReason,
) -> Result<DateTime<Utc>, Skip> {
    let due = candidate.due.unwrap_or(span.from).max(span.from);
    let next = hours.next_allowed(due);
    match next {
        Some(slot) if slot < span.until && in_budget => Ok(slot),
        Some(slot) if slot < span.until => Err(Skip { reason: exhausted, next: None }),
        _ => Err(Skip { reason: SkipReason::OutsideHours, next }),
    }
}

/// Even spacing over the part of the span in which the user's window is open.
struct Spread {
    open: Option<Span>,
    next_open: Option<DateTime<Utc>>,
    count: usize,
}

impl Spread {
    fn new(
        span: Span,
        window: DailyWindow,
        checked: &[(Candidate, Result<Hours, Skip>)],
        budget: usize,
    ) -> Self {
        let user = Hours::of_call(window, []);
        let next_open = user.next_allowed(span.from);
        let open = next_open.filter(|from| *from < span.until).map(|from| Span {
            from,
            until: user.allowed_until(from).unwrap_or(span.until).min(span.until),
        });
        let count = open.map_or(0, |open| {
            let room = ((open.until - open.from).num_seconds() / SPACING_SECS).max(1) as usize;
            let able = checked
                .iter()
                .filter(|(c, _)| !c.standing.promised)
                .filter_map(|(_, hours)| hours.as_ref().ok())
                .filter(|hours| first_in(hours, open.from, open.until).is_some())
                .count();
            room.min(able).min(budget)
        });
        Self { open, next_open, count }
    }

    fn slot(
        &self,
        hours: &Hours,
        position: &mut usize,
        in_budget: bool,
        exhausted: SkipReason,
    ) -> Result<DateTime<Utc>, Skip> {
        let Some(open) = self.open else {
            return Err(Skip { reason: SkipReason::OutsideHours, next: self.next_open });
        };
        let Some(first) = first_in(hours, open.from, open.until) else {
            let next = hours.next_allowed(open.from);
            return Err(Skip { reason: SkipReason::OutsideHours, next });
        };
        if !in_budget {
            return Err(exhausted.into());
        }
        if *position >= self.count {
            return Err(SkipReason::NoRoom.into());
        }
        let length = (open.until - open.from).num_seconds();
        let offset = length * (*position as i64) / (self.count as i64);
        *position += 1;
        let even = open.from + TimeDelta::seconds(offset);
        Ok(first_in(hours, even, open.until).unwrap_or(first))
    }
}

fn first_in(hours: &Hours, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    hours.next_allowed(from).filter(|moment| *moment < until)
}

#[cfg(test)]
mod tests;
