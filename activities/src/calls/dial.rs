//! The request that rings a phone, at most once for a dial.

use std::time::Duration;

use bootstrap::token::Purpose;
use chrono::{DateTime, TimeDelta, Utc};
use domain::callee::zones;
use domain::guard::Objection;
use domain::ids::DialId;
use domain::minutes;
use secrecy::ExposeSecret;
use tracing::{info, warn};
use workflows::activities::calls::{Placement, Withdrawn};

use super::Calls;
use super::settings::token;
use super::speech::speech;
use crate::failure::Failure;
use crate::ultravox::{CallRequest, Created, Speech};
use store::dials::{self, Dial, DialState};
use store::{StoreError, guard as rows, users};

/// How long after it was noted a request may still leave. A process that stood still meanwhile must not ring a phone
/// that has been given up.
const LEAVES_WITHIN: TimeDelta = TimeDelta::seconds(10);

/// What is to be done about a dial.
enum Step {
    /// Nothing: this is what became of it.
    Done(Placement),
    /// The request may leave; the row says so already.
    Send(Box<Leaving>),
}

/// A request that is about to leave.
struct Leaving {
    dial: Dial,
    speech: Speech,
    zone: chrono_tz::Tz,
    noted: DateTime<Utc>,
}

impl Calls {
    /// Rings the phone of a dial, unless a request that may live has left before.
    pub async fn place(&self, dial_id: &str) -> Result<Placement, Failure> {
        match self.prepare(dial_id).await? {
            Step::Done(placement) => Ok(placement),
            Step::Send(leaving) => self.send(&leaving).await,
        }
    }

    /// Takes back a dial of which no request has left; none will leave afterwards.
    pub async fn take_back(&self, dial_id: &str) -> Result<Withdrawn, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(dial) = dials::lock(&mut tx, dial_id).await? else {
            return Ok(Withdrawn::Unsent);
        };
        match dial.state {
            DialState::Intended => {
                dials::mark_withdrawn(&mut tx, dial_id).await?;
                tx.commit().await?;
                Ok(Withdrawn::Unsent)
            }
            DialState::NotPlaced => Ok(Withdrawn::Unsent),
            DialState::Sent | DialState::Placed => Ok(Withdrawn::Sent),
        }
    }

    /// Reads the row and, if no request that may live has left, notes that one leaves now.
    async fn prepare(&self, dial_id: &str) -> Result<Step, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(dial) = dials::lock(&mut tx, dial_id).await? else {
            return Ok(withheld(Objection::AlreadySettled, None));
        };
        match (dial.state, &dial.provider_call_id) {
            (DialState::Placed, Some(id)) => {
                return Ok(Step::Done(Placement::Placed { provider_call_id: id.clone() }));
            }
            (DialState::Placed, None) | (DialState::Sent, _) => {
                return Ok(Step::Done(Placement::Unknown));
            }
            (DialState::NotPlaced, _) => {
                let why = dial.refusal.unwrap_or_else(|| "the call was not placed".to_owned());
                return Ok(Step::Done(Placement::Refused { why }));
            }
            (DialState::Intended, _) => {}
        }
        let now = self.clock.now();
        if dial.closed_at.is_some() || !dial.conversation_status.is_open() {
            return Ok(withheld(Objection::AlreadySettled, None));
        }
        if now > dial.good_until {
            return Ok(withheld(Objection::TooLate, None));
        }
        let prospect = rows::prospect(&mut tx, &dial.prospect_id, &dial.conversation_id).await?;
        let Some(prospect) = prospect else {
            return Ok(withheld(Objection::ProspectGone, None));
        };
        if prospect.suppressed {
            return Ok(withheld(Objection::Suppressed, None));
        }
        if !prospect.status.is_callable() {
            return Ok(withheld(Objection::ProspectNotCallable, None));
        }
        if prospect.phone != dial.phone {
            return Ok(withheld(Objection::NumberChanged, None));
        }
        let profile = match users::lock_profile(&mut tx, &dial.user_id, now).await? {
            Some(Ok(profile)) if profile.paused => return Ok(withheld(Objection::Paused, None)),
            Some(Ok(profile)) => profile,
            Some(Err(why)) => return Ok(withheld(Objection::UserNotReady, Some(why.detail))),
            None => return Ok(withheld(Objection::UserNotReady, None)),
        };
        let (own, strict) = (prospect.time_zone.as_deref(), self.settings.strict_calling_hours);
        let state = prospect.state.as_deref();
        let zones = match zones(own, state, &dial.phone, &profile.window, strict) {
            Ok(zones) => zones,
            Err(why) => {
                return Ok(withheld(Objection::ProspectZoneUnknown, Some(why.to_string())));
            }
        };
        // Where a number may be in several zones the agent is told of one; times come with their offset.
        let zone = zones.first().copied().unwrap_or(profile.window.zone());
        let speech = match speech(&self.settings, &profile, &prospect.name, prospect.attempts > 0) {
            Ok(speech) => speech,
            Err(error) => return Ok(withheld(Objection::ScriptInvalid, Some(format!("{error}.")))),
        };
        dials::mark_sent(&mut tx, dial_id, now).await?;
        tx.commit().await?;
        Ok(Step::Send(Box::new(Leaving { dial, speech, zone, noted: now })))
    }

    /// Sends the request and notes what became of it.
    async fn send(&self, leaving: &Leaving) -> Result<Placement, Failure> {
        let dial = &leaving.dial;
        if self.clock.now() > leaving.noted + LEAVES_WITHIN {
            warn!(dialId = dial.id, "The request stays here: it was held up after it was noted");
            return Ok(Placement::Unknown);
        }
        // Once: a request in which the secret changes would carry what can't be checked together.
        let secret = self.settings.secret();
        let id = DialId::new(dial.id.as_str());
        let token = |purpose| token(secret.as_ref(), purpose, &id);
        let request = CallRequest {
            dial_id: &dial.id,
            conversation_id: &dial.conversation_id,
            to: &dial.phone,
            from: &self.settings.from_number,
            speech: &leaving.speech,
            zone: leaving.zone,
            now: self.clock.now(),
            ring_timeout_secs: self.settings.ring_timeout_secs,
            join_timeout_secs: self.settings.join_timeout_secs(),
            max_duration_secs: minutes::longest_call_secs(dial.reserved_minutes),
            service_url: &self.settings.service_url,
            callback_secret: secret.as_ref().map(|secret| secret.expose_secret()),
            outcome_token: &token(Purpose::Outcome),
            carrier_token: &token(Purpose::Carrier),
        };
        match self.ultravox.create(&request).await {
            Created::Placed(provider_call_id) => {
                // If this can't be written the row stays SENT, and the call is found again by
                // its metadata.
                if let Err(error) = self.note_placed(&dial.id, &provider_call_id).await {
                    warn!(dialId = dial.id, %error, "The placed call could not be noted yet");
                }
                info!(
                    userId = dial.user_id,
                    prospectId = dial.prospect_id,
                    conversationId = dial.conversation_id,
                    dialId = dial.id,
                    callId = provider_call_id,
                    "Placed call"
                );
                Ok(Placement::Placed { provider_call_id })
            }
            Created::Busy(wait) => {
                self.note_unsent(&dial.id).await?;
                info!(dialId = dial.id, waitSecs = wait.as_secs(), "The provider has no room");
                let wait = TimeDelta::from_std(wait.min(Duration::from_secs(3_600)))
                    .unwrap_or(TimeDelta::seconds(60));
                let until = self.clock.now() + wait + spread(&dial.id);
                if until > dial.good_until {
                    // To wait would only keep a line from others.
                    let objection = Objection::TooLate;
                    let why = "The provider has no room until it is too late.".to_owned();
                    return Ok(Placement::Withheld { objection: objection.as_str().into(), why });
                }
                Ok(Placement::Busy { until })
            }
            Created::NotPlaced(error) => {
                self.note_unsent(&dial.id).await?;
                Err(error.into())
            }
            Created::Refused(why) => {
                let mut tx = self.store.begin().await?;
                dials::mark_refused(&mut tx, &dial.id, &why).await?;
                tx.commit().await.map_err(StoreError::from)?;
                warn!(
                    dialId = dial.id,
                    "The provider refused the call; its words are in the notes"
                );
                Ok(Placement::Refused { why })
            }
            Created::Unknown(error) => {
                warn!(dialId = dial.id, error, "The provider may have the call: it did not say");
                Ok(Placement::Unknown)
            }
        }
    }

    pub(super) async fn note_placed(
        &self,
        dial_id: &str,
        provider_call_id: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        dials::mark_placed(&mut tx, dial_id, provider_call_id).await?;
        Ok(tx.commit().await?)
    }

    async fn note_unsent(&self, dial_id: &str) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        dials::mark_unsent(&mut tx, dial_id).await?;
        Ok(tx.commit().await?)
    }
}

fn withheld(objection: Objection, detail: Option<String>) -> Step {
    let why = detail.unwrap_or_else(|| objection.sentence().to_owned());
    Step::Done(Placement::Withheld { objection: objection.as_str().to_owned(), why })
}

/// Up to two seconds that differ from dial to dial, so that those who were turned away together
/// do not come back together.
fn spread(dial_id: &str) -> TimeDelta {
    let sum =
        dial_id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    TimeDelta::milliseconds(i64::from(sum % 2_000))
}
