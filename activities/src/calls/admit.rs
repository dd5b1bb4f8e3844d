//! The guard: the last word before a phone rings, and the reservation that goes with it.

use chrono::{DateTime, Utc};
use domain::guard::{self, Circumstances, Objection, Refusal, Verdict};
use domain::ids::{ConversationId, DialId};
use domain::minutes;
use domain::rules::Rule;
use domain::status::ConversationStatus;
use tracing::info;
use workflows::activities::calls::{Admission, AdmitInput, Admitted};

use super::speech::speech;
use super::{CallSettings, Calls};
use store::decisions::{self, GuardDecision};
use store::dials::{self, Dial, DialState, NewDial};
use store::guard::{self as rows, LockedConversation, ProspectNow};
use store::lines::{self, Lines};
use store::numbers::{self, NumberNow};
use store::users::{self, Profile};
use store::{Connection, StoreError, rules};

impl Calls {
    /// Decides whether a conversation may be dialled now, and reserves what it needs. Every answer is kept.
    pub async fn decide(&self, input: &AdmitInput) -> Result<Admission, StoreError> {
        let conversation_id = input.conversation_id.as_str();
        let mut tx = self.store.begin().await?;
        let Some(conversation) = rows::lock_conversation(&mut tx, conversation_id).await? else {
            return Ok(refused(Objection::AlreadySettled.into()));
        };
        let mut told = Told {
            user_id: conversation.user_id.clone(),
            prospect_id: conversation.prospect_id.clone(),
            ..Told::default()
        };
        let admission = self.decide_locked(&mut tx, input, conversation, &mut told).await?;
        if !matches!(admission, Admission::Admitted(_)) {
            // Nothing has changed, but that a settled call was opened: it stays closed.
            drop(tx);
            tx = self.store.begin().await?;
        }
        self.keep(&mut tx, conversation_id, &told, &admission).await?;
        tx.commit().await?;
        Ok(admission)
    }

    async fn decide_locked(
        &self,
        tx: &mut Connection,
        input: &AdmitInput,
        conversation: LockedConversation,
        told: &mut Told,
    ) -> Result<Admission, StoreError> {
        let (conversation_id, run_id) = (input.conversation_id.as_str(), input.run_id.as_str());
        let slot = input.first_asked.unwrap_or_else(|| self.clock.now());
        let conversation = if conversation.status.is_open() {
            conversation
        } else if rows::reopen(tx, conversation_id, run_id, slot, self.clock.now()).await? {
            // Only an operator's reset brings a settled call here: it is to be made again, now.
            LockedConversation { status: ConversationStatus::Scheduled, slot, ..conversation }
        } else {
            return Ok(refused(Objection::AlreadySettled.into()));
        };
        let held = dials::lock_last(tx, conversation_id).await?.filter(|d| d.closed_at.is_none());
        if let Some(dial) = held.as_ref().filter(|dial| dial.state != DialState::Intended) {
            // It may be ringing: it is taken up, whatever the guard would say now.
            rows::note_run(tx, conversation_id, run_id).await?;
            let taken_up = Admitted { taken_up: true, ..self.admitted(dial) };
            return Ok(Admission::Admitted(taken_up));
        }
        let now = self.clock.now();
        let profile = match users::lock_profile(tx, &conversation.user_id, now).await? {
            Some(Ok(profile)) => profile,
            Some(Err(why)) => return Ok(refused(not_ready(why.detail))),
            None => return Ok(refused(Objection::UserNotReady.into())),
        };
        let prospect = rows::prospect(tx, &conversation.prospect_id, conversation_id).await?;
        let Some(prospect) = prospect else {
            return Ok(refused(Objection::ProspectGone.into()));
        };
        if let Err(error) = speech(&self.settings, &profile, &prospect.name, prospect.attempts > 0)
        {
            let objection = Objection::ScriptInvalid;
            return Ok(refused(Refusal { objection, detail: format!("{error}.") }));
        }
        let call = Asked { id: conversation_id, conversation, profile, prospect, held };
        let admission = self.weigh(tx, &call, told).await?;
        if matches!(admission, Admission::Admitted(_)) {
            rows::note_run(tx, conversation_id, run_id).await?;
        }
        Ok(admission)
    }

    /// Puts the question to the rules and acts on their answer.
    async fn weigh(
        &self,
        conn: &mut Connection,
        call: &Asked<'_>,
        told: &mut Told,
    ) -> Result<Admission, StoreError> {
        let now = self.clock.now();
        let user_id = &call.conversation.user_id;
        let day_start = call.profile.window.day_start(now);
        let today = rows::calls_today(conn, user_id, day_start, call.id).await?;
        let lines = lines::lock(conn, call.id, user_id, call.conversation.slot, now).await?;
        // Under the lock of the lines: nobody else takes the number meanwhile.
        let (phone, prospect_id) = (&call.prospect.phone, &call.conversation.prospect_id);
        let number = numbers::number(conn, phone, user_id, prospect_id, call.id, now).await?;
        let rules = rules::legal(conn).await?;
        let circumstances = call.circumstances(&self.settings, now, today, &lines, &number, &rules);
        told.note(&circumstances);
        match guard::decide(&circumstances) {
            Verdict::Refuse(why) => Ok(refused(why)),
            Verdict::Later { until, why } => {
                told.waits_for_line = why.objection == Objection::LinesBusy;
                told.objection = Some(why.objection);
                Ok(Admission::Later { until, why: why.detail })
            }
            Verdict::Admit { reserve_minutes, good_until } => match &call.held {
                Some(dial) => {
                    dials::renew(conn, &dial.id, good_until).await?;
                    Ok(Admission::Admitted(self.admitted(dial)))
                }
                None => {
                    let number = dials::count(conn, call.id).await? + 1;
                    let id = DialId::nth(&ConversationId::new(call.id), number);
                    let new = NewDial {
                        id: id.as_str(),
                        conversation_id: call.id,
                        number,
                        user_id: &call.conversation.user_id,
                        prospect_id: &call.conversation.prospect_id,
                        phone: &call.prospect.phone,
                        subscription_id: &call.profile.subscription_id,
                        reserved_minutes: reserve_minutes,
                        good_until,
                    };
                    dials::insert(conn, &new, now).await?;
                    info!(
                        userId = call.conversation.user_id,
                        prospectId = call.conversation.prospect_id,
                        conversationId = call.id,
                        dialId = id.as_str(),
                        reservedMinutes = reserve_minutes,
                        "Admitted call"
                    );
                    Ok(Admission::Admitted(self.terms(id.as_str(), reserve_minutes)))
                }
            },
        }
    }

    /// Keeps what was said, and whether the call waits for a line.
    async fn keep(
        &self,
        conn: &mut Connection,
        conversation_id: &str,
        told: &Told,
        admission: &Admission,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        lines::note_waiting(conn, conversation_id, told.waits_for_line.then_some(now)).await?;
        let objection = told.objection.map(|objection| objection.as_str().to_owned());
        let (verdict, reason, detail, next_try) = match admission {
            Admission::Admitted(_) => ("admitted", None, None, None),
            Admission::Later { until, why } => {
                ("later", objection, Some(why.clone()), Some(*until))
            }
            Admission::Refused { objection, why } => {
                ("refused", Some(objection.clone()), Some(why.clone()), None)
            }
        };
        let decision = GuardDecision {
            conversation_id,
            user_id: &told.user_id,
            prospect_id: &told.prospect_id,
            verdict,
            reason,
            detail,
            next_try,
            calls_left: told.calls_left,
            minutes_left: told.minutes_left,
            lines_free: told.lines_free,
        };
        decisions::keep(conn, &decision, now).await
    }

    fn admitted(&self, dial: &Dial) -> Admitted {
        self.terms(&dial.id, dial.reserved_minutes)
    }

    fn terms(&self, dial_id: &str, reserved_minutes: i32) -> Admitted {
        Admitted {
            dial_id: dial_id.to_owned(),
            join_timeout_secs: self.settings.join_timeout_secs(),
            max_duration_secs: minutes::longest_call_secs(reserved_minutes),
            taken_up: false,
        }
    }
}

/// A call that asks to be made, with all that its rows say.
struct Asked<'a> {
    id: &'a str,
    conversation: LockedConversation,
    profile: Profile,
    prospect: ProspectNow,
    /// A dial that was admitted before and has not left.
    held: Option<Dial>,
}

impl Asked<'_> {
    fn circumstances<'a>(
        &'a self,
        settings: &CallSettings,
        now: DateTime<Utc>,
        today: i32,
        lines: &Lines,
        number: &'a NumberNow,
        rules: &'a [Rule],
    ) -> Circumstances<'a> {
        let held_minutes = self.held.as_ref().map_or(0, |dial| dial.reserved_minutes);
        let of_user = self.profile.max_concurrent_calls.map(|most| most - lines.in_use_by_user);
        let of_all = settings.max_concurrent_calls - lines.in_use;
        Circumstances {
            now,
            slot: self.conversation.slot,
            paused: self.profile.paused,
            window: &self.profile.window,
            rules,
            strict: settings.strict_calling_hours,
            status: self.prospect.status,
            phone: &self.prospect.phone,
            zone: self.prospect.time_zone.as_deref(),
            state: self.prospect.state.as_deref(),
            suppressed: self.prospect.suppressed,
            attempts_left: self.profile.max_attempts - self.prospect.attempts,
            number: &number.log,
            number_busy: number.busy,
            number_rests_until: number.rests_until,
            calls_left_today: self.profile.per_day - today,
            minutes_left: self.profile.minutes_left + held_minutes,
            longest_call_minutes: settings.max_call_minutes,
            lines_free: of_user.map_or(of_all, |of_user| of_user.min(of_all)),
            // A call that was admitted has its line.
            waiting_before: if self.held.is_some() { 0 } else { lines.waiting_before },
        }
    }
}

/// What is kept of a decision beside the answer.
#[derive(Default)]
struct Told {
    user_id: String,
    prospect_id: String,
    objection: Option<Objection>,
    waits_for_line: bool,
    calls_left: Option<i32>,
    minutes_left: Option<i32>,
    lines_free: Option<i32>,
}

impl Told {
    fn note(&mut self, c: &Circumstances<'_>) {
        self.calls_left = Some(c.calls_left_today);
        self.minutes_left = Some(c.minutes_left);
        self.lines_free = Some(c.lines_free);
    }
}

fn not_ready(detail: String) -> Refusal {
    Refusal { objection: Objection::UserNotReady, detail }
}

fn refused(why: Refusal) -> Admission {
    Admission::Refused { objection: why.objection.as_str().to_owned(), why: why.detail }
}
