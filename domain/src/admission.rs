//! Whether a call may be dialled: decided when it wants to dial, and checked again right before the request is sent.
//!
//! It fails closed: anything missing or unknown denies the call.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::callee_zones::zones_of_callee;
use crate::hours::{DailyWindow, Hours};
use crate::ids::ProspectId;
use crate::minutes;
use crate::phone::PhoneNumber;
use crate::phone_usage::PhoneUsage;
use crate::rules::{Law, Rule};
use crate::status::ProspectStatus;
use crate::{Block, BlockReason};

/// How long after its slot a call may start.
pub const MAX_LATENESS: TimeDelta = TimeDelta::minutes(15);
/// The delay after which a call that waits for a line or for the end of a pause tries again.
const RETRY_DELAY: TimeDelta = TimeDelta::seconds(15);

/// The callee of a call.
#[derive(Clone, Copy, Debug)]
pub struct Callee<'a> {
    pub status: ProspectStatus,
    /// The number as stored.
    pub phone: &'a str,
    /// The prospect's own time zone, if one is stored.
    pub zone: Option<&'a str>,
    /// The prospect's state, such as `US-FL`, if one is stored.
    pub state: Option<&'a str>,
    /// Whether the number is on a do-not-call list.
    pub suppressed: bool,
    /// Another prospect of the user with this number that booked, declined or opted out.
    pub phone_closed_by: Option<&'a ProspectId>,
}

impl Callee<'_> {
    /// Checks what must hold for any call to the callee; returns the time zones in which the callee may be.
    ///
    /// `strict`: deny the call if neither prospect nor number determines a zone.
    ///
    /// # Errors
    ///
    /// The callee must not be called.
    pub fn check(&self, window: &DailyWindow, strict: bool) -> Result<Vec<Tz>, Block> {
        if !self.status.is_callable() {
            return Err(BlockReason::ProspectNotCallable.into());
        }
        if self.suppressed {
            return Err(BlockReason::Suppressed.into());
        }
        if PhoneNumber::parse(self.phone).is_err() {
            return Err(BlockReason::PhoneInvalid.into());
        }
        if let Some(other) = self.phone_closed_by {
            return Err(Block::phone_closed(other));
        }
        Ok(zones_of_callee(self.zone, self.state, self.phone, window, strict)?)
    }
}

/// What admission depends on, read in the transaction that acts on the decision.
#[derive(Clone, Debug)]
pub struct AdmissionContext<'a> {
    pub now: DateTime<Utc>,
    pub slot: DateTime<Utc>,
    /// Whether the user or the whole service is paused.
    pub paused: bool,
    /// The user's calling window.
    pub window: &'a DailyWindow,
    /// All legal rules.
    pub rules: &'a [Rule],
    /// Whether a callee without a determined time zone is denied.
    pub strict: bool,
    pub callee: Callee<'a>,
    /// Calls that may still be made to the prospect.
    pub attempts_left: i32,
    /// Earlier calls to the number.
    pub phone_usage: &'a PhoneUsage,
    /// Whether another call to the number is in progress.
    pub phone_busy: bool,
    /// Why the provider's rejections keep this call from being made now.
    pub provider_block: Option<Block>,
    /// Until when the number cools down after calls to other prospects of the user.
    pub phone_cool_down_until: Option<DateTime<Utc>>,
    /// The end of the prospect's cool-down, unless the call is made again by an operator.
    pub next_call_at: Option<DateTime<Utc>>,
    /// Calls left of the user's local day, this call not counted.
    pub calls_left_today: i32,
    /// Minutes of the subscription that are not reserved.
    pub minutes_left: i32,
    /// The maximum length of a call, in minutes.
    pub max_call_minutes: i32,
    /// Free lines that this call may use.
    pub lines_free: i32,
    /// Calls with earlier slots that wait for a line.
    pub waiting_before: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Admit {
        reserve_minutes: i32,
        /// The first time at which the dial must not be sent any more.
        dial_deadline: DateTime<Utc>,
    },
    /// Try again at this time.
    Defer { until: DateTime<Utc>, block: Block },
    /// The call returns to planning.
    Deny(Block),
}

/// Decides whether the call may be dialled now.
pub fn decide(c: &AdmissionContext<'_>) -> Decision {
    use BlockReason::*;
    if c.now < c.slot {
        return Decision::Defer { until: c.slot, block: TooEarly.into() };
    }
    let last_start = c.slot + MAX_LATENESS;
    if c.now >= last_start {
        return Decision::Deny(TooLate.into());
    }
    let zones = match c.callee.check(c.window, c.strict) {
        Ok(zones) => zones,
        Err(block) => return Decision::Deny(block),
    };
    let reserve_minutes = minutes::reservation(c.minutes_left, c.max_call_minutes);
    let used_up = [
        (c.attempts_left <= 0, AttemptsUsedUp),
        (c.calls_left_today <= 0, DailyLimit),
        (reserve_minutes <= 0, NoMinutes),
    ];
    if let Some((_, reason)) = used_up.into_iter().find(|(holds, _)| *holds) {
        return Decision::Deny(reason.into());
    }
    // A block that ends in time is waited for; any other denies the call.
    let defer = |block: Block| match block.until {
        Some(until) if until < last_start => Decision::Defer { until, block },
        _ => Decision::Deny(block),
    };
    let law = Law::for_phone(c.rules, c.callee.phone, c.callee.state);
    let hours = Hours::of_call(c.window.clone(), zones, &law);
    if let Err(closed) = hours.check(c.now) {
        return defer(closed.into());
    }
    if let Err(cap) = c.phone_usage.check(&law, c.now) {
        return defer(Block::until(PhoneCapReached, cap.until));
    }
    // A callback overrides the cool-down.
    if c.callee.status != ProspectStatus::Rescheduled {
        for (end, reason) in
            [(c.next_call_at, CoolingDown), (c.phone_cool_down_until, PhoneCoolingDown)]
        {
            if let Some(end) = end.filter(|end| *end > c.now) {
                return defer(Block::until(reason, end));
            }
        }
    }
    let soon = c.now + RETRY_DELAY;
    if c.paused {
        return defer(Block::until(Paused, soon));
    }
    if let Some(block) = &c.provider_block {
        return defer(block.clone());
    }
    if c.phone_busy {
        return defer(Block::until(PhoneBusy, soon));
    }
    if c.lines_free <= c.waiting_before {
        let position = c.waiting_before + 1;
        let detail = format!("Waiting for a line, position {position} in the queue.");
        return defer(Block { reason: LinesBusy, detail, until: Some(soon) });
    }
    let hours_end = hours.allowed_until(c.now).unwrap_or(last_start);
    Decision::Admit { reserve_minutes, dial_deadline: hours_end.min(last_start) }
}

/// What may have changed between admission and the request.
#[derive(Clone, Debug)]
pub struct SendContext<'a> {
    pub now: DateTime<Utc>,
    pub dial_deadline: DateTime<Utc>,
    /// The number that was admitted.
    pub admitted_phone: &'a str,
    pub paused: bool,
    pub window: &'a DailyWindow,
    pub strict: bool,
    pub callee: Callee<'a>,
}

/// Checks an admitted call right before its request is sent; returns the time zones in which the callee may be.
///
/// # Errors
///
/// Something has changed since admission: the request must not be sent.
pub fn check_before_sending(c: &SendContext<'_>) -> Result<Vec<Tz>, Block> {
    if c.now >= c.dial_deadline {
        return Err(BlockReason::TooLate.into());
    }
    let zones = c.callee.check(c.window, c.strict)?;
    if c.callee.phone != c.admitted_phone {
        return Err(BlockReason::PhoneChanged.into());
    }
    if c.paused {
        return Err(BlockReason::Paused.into());
    }
    Ok(zones)
}

#[cfg(test)]
mod tests;
