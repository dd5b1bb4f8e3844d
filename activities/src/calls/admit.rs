//! The guard: the last word before a phone rings, and the reservation that goes with it.

use domain::guard::{self, Circumstances, Objection, Verdict};
use domain::ids::{ConversationId, DialId};
use domain::minutes;
use domain::status::ConversationStatus;
use sqlx::PgConnection;
use tracing::info;
use workflows::activities::calls::{Admission, Admitted};

use super::speech::speech;
use super::{CallSettings, Calls};
use crate::store::StoreError;
use crate::store::dials::{self, Dial, DialState, NewDial};
use crate::store::guard::{self as rows, LockedConversation, ProspectNow};
use crate::store::users::{self, Profile};

impl Calls {
    /// Decides whether a conversation may be dialled now, and reserves what it needs.
    pub async fn decide(
        &self,
        conversation_id: &str,
        run_id: &str,
    ) -> Result<Admission, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(conversation) = rows::lock_conversation(&mut tx, conversation_id).await? else {
            return Ok(refused(Objection::AlreadySettled, None));
        };
        let conversation = if conversation.status.is_open() {
            conversation
        } else if conversation.run_id.as_deref() != Some(run_id)
            && rows::reopen(&mut tx, conversation_id, self.clock.now()).await?
        {
            // Only an operator's reset brings a settled call here: it is to be made again, now.
            let slot = self.clock.now();
            LockedConversation { status: ConversationStatus::Scheduled, slot, ..conversation }
        } else {
            return Ok(refused(Objection::AlreadySettled, None));
        };
        let held =
            dials::lock_last(&mut tx, conversation_id).await?.filter(|d| d.closed_at.is_none());
        if let Some(dial) = held.as_ref().filter(|dial| dial.state != DialState::Intended) {
            // It may be ringing: it is taken up, whatever the guard would say now.
            return Ok(self.admitted(&dial.id, dial.reserved_minutes));
        }
        let profile = match users::lock_profile(&mut tx, &conversation.user_id).await? {
            Some(Ok(profile)) => profile,
            Some(Err(why)) => return Ok(refused(Objection::UserNotReady, Some(why.detail))),
            None => return Ok(refused(Objection::UserNotReady, None)),
        };
        let prospect = rows::prospect(&mut tx, &conversation.prospect_id, conversation_id).await?;
        let Some(prospect) = prospect else {
            return Ok(refused(Objection::ProspectGone, None));
        };
        if let Err(error) = speech(&self.settings, &profile, &prospect.name, prospect.attempts > 0)
        {
            return Ok(refused(Objection::ScriptInvalid, Some(format!("{error}."))));
        }
        let call = Asked { id: conversation_id, conversation, profile, prospect, held };
        let admission = self.weigh(&mut tx, &call).await?;
        if matches!(admission, Admission::Admitted(_)) {
            rows::note_run(&mut tx, conversation_id, run_id).await?;
            tx.commit().await?;
        }
        // Otherwise nothing has changed, but that a settled call was opened: it stays closed.
        Ok(admission)
    }

    /// Puts the question to the rules and acts on their answer.
    async fn weigh(
        &self,
        conn: &mut PgConnection,
        call: &Asked<'_>,
    ) -> Result<Admission, StoreError> {
        let now = self.clock.now();
        let circumstances = call.circumstances(conn, &self.settings, now).await?;
        match guard::decide(&circumstances) {
            Verdict::Refuse(objection) => Ok(refused(objection, None)),
            Verdict::Later { until, objection } => {
                Ok(Admission::Later { until, why: objection.sentence().to_owned() })
            }
            Verdict::Admit { reserve_minutes, good_until } => match &call.held {
                Some(dial) => {
                    dials::renew(conn, &dial.id, good_until).await?;
                    Ok(self.admitted(&dial.id, dial.reserved_minutes))
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
                    Ok(self.admitted(id.as_str(), reserve_minutes))
                }
            },
        }
    }

    fn admitted(&self, dial_id: &str, reserved_minutes: i32) -> Admission {
        Admission::Admitted(Admitted {
            dial_id: dial_id.to_owned(),
            join_timeout_secs: self.settings.join_timeout_secs(),
            max_duration_secs: minutes::longest_call_secs(reserved_minutes),
        })
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
    async fn circumstances(
        &self,
        conn: &mut PgConnection,
        settings: &CallSettings,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Circumstances<'_>, StoreError> {
        let user_id = &self.conversation.user_id;
        let day_start = self.profile.window.day_start(now);
        let today = rows::calls_today(conn, user_id, day_start, self.id).await?;
        let lines = rows::lock_lines_in_use(conn, self.id).await?;
        let held_minutes = self.held.as_ref().map_or(0, |dial| dial.reserved_minutes);
        Ok(Circumstances {
            now,
            slot: self.conversation.slot,
            paused: self.profile.paused,
            window: self.profile.window,
            status: self.prospect.status,
            phone: &self.prospect.phone,
            zone: self.prospect.time_zone.as_deref(),
            suppressed: self.prospect.suppressed,
            attempts_left: self.profile.max_attempts - self.prospect.attempts,
            calls_left_today: self.profile.per_day - today,
            minutes_left: self.profile.minutes_left + held_minutes,
            longest_call_minutes: settings.max_call_minutes,
            lines_free: settings.max_concurrent_calls - lines,
        })
    }
}

fn refused(objection: Objection, detail: Option<String>) -> Admission {
    let why = detail.unwrap_or_else(|| objection.sentence().to_owned());
    Admission::Refused { objection: objection.as_str().to_owned(), why }
}
