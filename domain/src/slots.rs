//! Which of a user's prospects are called before the next plan run, and at which moments.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::callee::{NoZone, NumberLog, zones};
use crate::hours::{DailyWindow, Hours};
use crate::ids::ProspectId;
use crate::pace::Pace;
use crate::phone::PhoneNumber;
use crate::priority::{Standing, rank};
use crate::rules::{Law, Rule};
use crate::status::spelled;

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
        /// Nothing tells where the prospect is, and hours are kept strictly.
        ZoneUntold = "zone_untold",
        /// The number is on a do-not-call list.
        Suppressed = "suppressed",
        /// A call to the prospect is planned or under way.
        OpenConversation = "open_conversation",
        /// As many calls as allowed were made to the prospect.
        AttemptsUsedUp = "attempts_used_up",
        /// The prospect rests after its last call.
        ContactedRecently = "contacted_recently",
        /// Another prospect with the same number is called, or about to be.
        NumberBusy = "number_busy",
        /// The number rests after a call to another prospect of the user.
        NumberResting = "number_resting",
        /// The law allows no further call to the number for now, or at all.
        NumberCapped = "number_capped",
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
            Self::ZoneUntold => "Neither the prospect nor its number tells a time zone.",
            Self::Suppressed => "The number is on a do-not-call list.",
            Self::OpenConversation => "A call to the prospect is planned or under way.",
            Self::AttemptsUsedUp => "As many calls as allowed were made to the prospect.",
            Self::ContactedRecently => "The prospect rests after its last call.",
            Self::NumberBusy => "A call to the same number is planned or under way.",
            Self::NumberResting => "The number rests after a call to another prospect.",
            Self::NumberCapped => "The law allows no further call to the number for now.",
            Self::NotDue => "The promised time lies beyond the next plan run.",
            Self::OutsideHours => "No moment before the next plan run is within calling hours.",
            Self::DailyLimit => "The calls of the day are used up.",
            Self::NoMinutes => "The minutes of the subscription are used up.",
            Self::NoRoom => "No slot is left before the next plan run.",
        }
    }

    /// What becomes of it, or what is to be done, as a sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Paused => "Set users.paused_at and service.paused_at to null to go on.",
            Self::NoActiveSubscription => "Calls are planned once a subscription is ACTIVE.",
            Self::SettingsMissing => "Insert the row.",
            Self::WindowInvalid => "Correct the row in advanced_settings.",
            Self::PhoneInvalid => "Correct the number.",
            Self::ProspectZoneUnknown | Self::ZoneUntold => "Correct prospects.time_zone.",
            Self::Suppressed => "Whoever asked not to be called is not called.",
            Self::OpenConversation => "It is called by its open call, and planned again after it.",
            Self::AttemptsUsedUp => "Raise advanced_settings.max_attempts to go on.",
            Self::ContactedRecently | Self::NumberResting => "It is planned again after its rest.",
            Self::NumberBusy => "It is planned again once that call is over.",
            Self::NumberCapped => "calling_rules says how often a number may be called.",
            Self::NotDue => "It is planned by the run before its time.",
            Self::OutsideHours => "It is planned by the run before that moment.",
            Self::DailyLimit => "The next calls are planned on the client's next day.",
            Self::NoMinutes => "Calls are planned once the subscription has minutes again.",
            Self::NoRoom => "A later run plans it.",
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The state in which it is said to be, as `US-FL`.
    pub state: Option<String>,
    /// The promised time of a rescheduled prospect.
    pub due: Option<DateTime<Utc>>,
    /// Until when it rests after its last call.
    pub rests_until: Option<DateTime<Utc>>,
    /// Calls that may still be made to it.
    pub attempts_left: i32,
    /// Whether its number is on a do-not-call list.
    pub suppressed: bool,
    /// Whether a call to it is planned or under way.
    pub has_open_conversation: bool,
    /// Whether a call to another prospect with its number is planned or under way.
    pub number_busy: bool,
    /// Until when its number rests after a call to another prospect of the user.
    pub number_rests_until: Option<DateTime<Utc>>,
    /// The calls that were made to its number.
    pub number: NumberLog,
}

/// What a plan rests on beside the candidates.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// What is planned for.
    pub span: Span,
    /// The user's calling window.
    pub window: &'a DailyWindow,
    /// What the user may spend.
    pub budget: Budget,
    /// All legal rules.
    pub rules: &'a [Rule],
    /// Whether a prospect whose zone nothing tells is passed over.
    pub strict: bool,
    /// How closely calls may follow each other, whoever they are made for.
    pub pace: Pace,
}

/// What a plan run says of one prospect.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The prospect.
    pub prospect: ProspectId,
    /// Its score.
    pub score: f64,
    /// What was left to spend when it was decided.
    pub left: Budget,
    /// The slot, or why there is none.
    pub verdict: Result<Slot, Skip>,
}

/// When a prospect is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The moment.
    pub at: DateTime<Utc>,
    /// What is to be said of it: that it is not the moment that was promised.
    pub detail: Option<String>,
}

/// Why there is no slot, and when there may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// The same as a sentence.
    pub detail: String,
    /// The next moment at which this reason no longer holds, if it is known.
    pub next: Option<DateTime<Utc>>,
}

impl From<SkipReason> for Skip {
    fn from(reason: SkipReason) -> Self {
        Self { reason, detail: reason.sentence().to_owned(), next: None }
    }
}

impl Skip {
    fn until(reason: SkipReason, next: Option<DateTime<Utc>>) -> Self {
        Self { next, ..reason.into() }
    }
}

/// Decides about every candidate; the answer is in calling order.
///
/// Rescheduled prospects are called at their own time; the others are spread evenly over what the user's window leaves
/// of the span. No slot lies outside the user's window or the legal hours of any zone in which the prospect may be, and
/// no more are given than the budget allows.
pub fn plan(terms: Terms<'_>, mut candidates: Vec<Candidate>) -> Vec<Decision> {
    let Span { from, until } = terms.span;
    rank(&mut candidates, from, |c| &c.standing);
    let mut taken = BTreeSet::new();
    let checked: Vec<(Candidate, Result<Allowed, Skip>)> = candidates
        .into_iter()
        .map(|candidate| {
            let allowed = may_be_called(&candidate, &terms).and_then(|allowed| {
                // Of those with one number, one.
                match taken.insert(candidate.phone.clone()) {
                    true => Ok(allowed),
                    false => Err(SkipReason::NumberBusy.into()),
                }
            });
            (candidate, allowed)
        })
        .collect();

    let mut left = terms.budget;
    let wanting =
        checked.iter().filter(|(c, allowed)| allowed.is_ok() && c.standing.promised).count();
    let room = terms.budget.exhausts().0;
    let mut spread = Spread::new(&terms, &checked, room.saturating_sub(wanting));
    let mut given = 0;
    checked
        .into_iter()
        .map(|(candidate, allowed)| {
            let exhausted = (given >= room).then(|| terms.budget.exhausts().1);
            let before = left;
            let verdict = allowed.and_then(|allowed| {
                let slot = if candidate.standing.promised {
                    promised_slot(&candidate, &allowed.hours, from, until, exhausted)
                } else {
                    spread.slot(&allowed.hours, exhausted)
                }?;
                if let Err(capped) = candidate.number.allows(&allowed.law, slot.at) {
                    return Err(Skip::until(SkipReason::NumberCapped, capped.until));
                }
                spread.take(slot.at);
                given += 1;
                left = Budget { calls: left.calls - 1, minutes: left.minutes - 1 };
                Ok(slot)
            });
            let score = candidate.standing.score(from);
            Decision { prospect: candidate.standing.prospect, score, left: before, verdict }
        })
        .collect()
}

impl Budget {
    /// How many calls it is good for, and what runs out first.
    fn exhausts(&self) -> (usize, SkipReason) {
        let (least, reason) = [
            (self.calls, SkipReason::DailyLimit),
            (self.minutes, SkipReason::NoMinutes),
            (MOST_CALLS, SkipReason::NoRoom),
        ]
        .into_iter()
        .min_by_key(|(left, _)| *left)
        .expect("an array of three has a least");
        (usize::try_from(least).unwrap_or(0), reason)
    }
}

/// A candidate that may be called at some moment.
struct Allowed {
    hours: Hours,
    law: Law,
}

/// The hours in which the candidate may be called, or why it may not be called at all.
fn may_be_called(c: &Candidate, terms: &Terms<'_>) -> Result<Allowed, Skip> {
    let Span { from, until } = terms.span;
    if c.has_open_conversation {
        return Err(SkipReason::OpenConversation.into());
    }
    if c.suppressed {
        return Err(SkipReason::Suppressed.into());
    }
    if PhoneNumber::parse(&c.phone).is_err() {
        return Err(SkipReason::PhoneInvalid.into());
    }
    let (own, state) = (c.zone.as_deref(), c.state.as_deref());
    let zones = zones(own, state, &c.phone, terms.window, terms.strict).map_err(|why| {
        let reason = match &why {
            NoZone::Unknown(_) | NoZone::State(_) => SkipReason::ProspectZoneUnknown,
            NoZone::Untold => SkipReason::ZoneUntold,
        };
        Skip { reason, detail: why.to_string(), next: None }
    })?;
    if c.attempts_left <= 0 {
        return Err(SkipReason::AttemptsUsedUp.into());
    }
    if c.number_busy {
        return Err(SkipReason::NumberBusy.into());
    }
    // What was promised overrides a rest.
    if c.standing.promised {
        if let Some(due) = c.due.filter(|due| *due >= until) {
            return Err(Skip::until(SkipReason::NotDue, Some(due)));
        }
    } else {
        for (rest, reason) in [
            (c.rests_until, SkipReason::ContactedRecently),
            (c.number_rests_until, SkipReason::NumberResting),
        ] {
            if let Some(rest) = rest.filter(|rest| *rest > from) {
                return Err(Skip::until(reason, Some(rest)));
            }
        }
    }
    let law = Law::of(terms.rules, &c.phone, c.state.as_deref());
    Ok(Allowed { hours: Hours::of_call(terms.window.clone(), zones, &law), law })
}

fn promised_slot(
    candidate: &Candidate,
    hours: &Hours,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    exhausted: Option<SkipReason>,
) -> Result<Slot, Skip> {
    let promised = candidate.due.unwrap_or(from);
    let due = promised.max(from);
    let (next, why) = match hours.allowed(due) {
        Ok(()) => (Some(due), None),
        Err(shut) => (shut.next, Some(shut.why)),
    };
    match (next, exhausted) {
        (Some(at), None) if at < until => {
            let detail = match why {
                Some(why) => Some(format!(
                    "Promised for {promised}, and moved to the next allowed moment: {why}"
                )),
                None if promised < from => {
                    Some(format!("Promised for {promised}, which was missed."))
                }
                None => None,
            };
            Ok(Slot { at, detail })
        }
        (Some(at), Some(reason)) if at < until => Err(reason.into()),
        _ => {
            let why = why.unwrap_or_else(|| SkipReason::OutsideHours.sentence().to_owned());
            Err(Skip { reason: SkipReason::OutsideHours, detail: why, next })
        }
    }
}

/// Even spacing over the part of the span in which the user's window is open.
struct Spread {
    open: Result<Span, Skip>,
    count: usize,
    position: usize,
    pace: Pace,
}

impl Spread {
    fn new(
        terms: &Terms<'_>,
        checked: &[(Candidate, Result<Allowed, Skip>)],
        budget: usize,
    ) -> Self {
        let Span { from, until } = terms.span;
        let user = Hours::of_window(terms.window.clone());
        let opens = match user.allowed(from) {
            Ok(()) => Ok(from),
            Err(shut) => match shut.next {
                Some(next) if next < until => Ok(next),
                next => Err(Skip { reason: SkipReason::OutsideHours, detail: shut.why, next }),
            },
        };
        let open = opens
            .map(|from| Span { from, until: user.allowed_until(from).unwrap_or(until).min(until) });
        let count = open.as_ref().map_or(0, |open| {
            let room = ((open.until - open.from).num_seconds() / SPACING_SECS).max(1) as usize;
            let able = checked
                .iter()
                .filter(|(c, _)| !c.standing.promised)
                .filter_map(|(_, allowed)| allowed.as_ref().ok())
                .filter(|allowed| first_in(&allowed.hours, open.from, open.until).is_some())
                .count();
            room.min(able).min(budget)
        });
        Self { open, count, position: 0, pace: terms.pace.clone() }
    }

    fn take(&mut self, slot: DateTime<Utc>) {
        self.pace.take(slot);
    }

    fn slot(&mut self, hours: &Hours, exhausted: Option<SkipReason>) -> Result<Slot, Skip> {
        let open = self.open.clone()?;
        if first_in(hours, open.from, open.until).is_none() {
            let shut = hours.allowed(open.from).err();
            let detail = shut.as_ref().map_or_else(
                || SkipReason::OutsideHours.sentence().to_owned(),
                |shut| shut.why.clone(),
            );
            let next = shut.and_then(|shut| shut.next);
            return Err(Skip { reason: SkipReason::OutsideHours, detail, next });
        }
        if let Some(reason) = exhausted {
            return Err(reason.into());
        }
        if self.position >= self.count {
            return Err(SkipReason::NoRoom.into());
        }
        let length = (open.until - open.from).num_seconds();
        let offset = length * (self.position as i64) / (self.count as i64);
        let even = open.from + TimeDelta::seconds(offset);
        let at = self.free_in(hours, even, open.until);
        let at = at.or_else(|| self.free_in(hours, open.from, open.until));
        let at = at.ok_or_else(|| Skip::from(SkipReason::NoRoom))?;
        self.position += 1;
        Ok(Slot { at, detail: None })
    }

    /// The first moment of a span within hours that is far enough from every other call.
    fn free_in(
        &self,
        hours: &Hours,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let mut moment = from;
        loop {
            let open = first_in(hours, moment, until)?;
            moment = self.pace.first_free(open);
            if moment == open {
                return Some(open);
            }
        }
    }
}

fn first_in(hours: &Hours, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    hours.next_allowed(from).filter(|moment| *moment < until)
}

#[cfg(test)]
mod tests;
