//! What is heard of a call after its records were settled.

use domain::facts::{Conclusion, Event, Facts};
use domain::late::{self, Recorded};
use domain::minutes;
use domain::status::{ProspectStatus, Reason};
use tracing::{info, warn};
use workflows::activities::calls::{Applied, Closing, DialRef, LateInput, Record};
use workflows::events;

use super::Calls;
use crate::failure::Failure;
use crate::ultravox::UltravoxError;
use store::outcomes::{self, Closed, Moved, RecordedCall, Suppressed};
use store::{Connection, StoreError, dials};

impl Calls {
    /// Applies a late event.
    pub async fn amend(&self, input: &LateInput) -> Result<Applied, Failure> {
        let id = input.conversation_id.as_str();
        let mut tx = self.store.begin().await?;
        let Some(RecordedCall { user_id, status, recorded }) =
            outcomes::recorded(&mut tx, id).await?
        else {
            warn!(conversationId = id, "An event came for a conversation that is not known");
            return Ok(Applied::UnknownConversation);
        };
        drop(tx);
        let Some(message) = events::read(input.message.clone(), &user_id) else {
            return Ok(Applied::NothingNew);
        };
        let about = message.dial_id.as_deref();
        let (mut heard, transcript) = message.event.facts();
        if status.is_open() {
            // The sweep settles it; the event waits for that.
            return Err(Failure::NotSettled(id.to_owned()));
        }
        // That somebody answered is news of a talk, in which more may have been said than was heard.
        let reported = recorded.outcome.is_some() && recorded.reason.is_none();
        if heard.iter().any(tells_of_talk) && !reported {
            heard.extend(self.recovered(id, about, &heard).await?);
        }
        let mut tx = self.store.begin().await?;
        let Some(RecordedCall { recorded, .. }) = outcomes::recorded(&mut tx, id).await? else {
            return Ok(Applied::UnknownConversation);
        };
        let last = dials::lock_last(&mut tx, id).await?.map(|dial| dial.id);
        let applied = match about.filter(|about| last.as_deref().is_some_and(|last| last != *about))
        {
            Some(earlier) => self.amend_earlier(&mut tx, earlier, heard).await?,
            None => {
                let known = Record { transcript, dial_id: last, ..Record::over(id, &nothing()) };
                self.amend_last(&mut tx, known, &recorded, heard).await?
            }
        };
        tx.commit().await.map_err(StoreError::from)?;
        let amended = applied == Applied::Amended;
        info!(conversationId = id, amended, "Applied a late event");
        Ok(applied)
    }

    /// Amends the records by what was said of the last dial.
    async fn amend_last(
        &self,
        tx: &mut Connection,
        known: Record,
        recorded: &Recorded,
        heard: Vec<Event>,
    ) -> Result<Applied, StoreError> {
        let cancelled = recorded.outcome.is_none()
            && matches!(recorded.reason, Some(Reason::CancelledByOperator | Reason::Suppressed));
        let provider_call_id = provider_call_id(&heard);
        let Some(amended) = late::amend(recorded, heard) else {
            return Ok(Applied::NothingNew);
        };
        let mut record = Record {
            dial_id: known.dial_id,
            transcript: known.transcript,
            provider_call_id,
            ..Record::over(&known.conversation_id, &amended)
        };
        if cancelled && amended.reason.is_some() {
            // Nobody reported anything: it stays cancelled, and only its talk is counted.
            record = Record {
                closing: Closing::Cancelled,
                outcome: None,
                reason: recorded.reason,
                ..record
            };
        }
        self.write(tx, &record).await?;
        Ok(Applied::Amended)
    }

    /// Of a dial after which another was made, what was talked is charged and a refusal is kept: the outcome is that of
    /// the later one.
    async fn amend_earlier(
        &self,
        tx: &mut Connection,
        dial_id: &str,
        heard: Vec<Event>,
    ) -> Result<Applied, StoreError> {
        let Some(dial) = dials::lock(tx, dial_id).await? else {
            return Ok(Applied::NothingNew);
        };
        let provider_call_id = provider_call_id(&heard);
        let mut facts = Facts::default();
        for event in heard {
            facts.learn(event);
        }
        let minutes = minutes::charged(facts.conclusion().talk_secs).min(dial.reserved_minutes);
        let now = self.clock.now();
        let talked = minutes > 0 && minutes != outcomes::charged_of_dial(tx, dial_id).await?;
        if talked {
            let closed = Closed {
                placed: true,
                provider_call_id: provider_call_id.as_deref(),
                carrier_call_id: None,
                minutes,
            };
            outcomes::close_dial(tx, &dial, &closed, now).await?;
        }
        let (user_id, dialled) = (&dial.user_id, Some(dial.phone.as_str()));
        let known = outcomes::is_suppressed(tx, user_id, &dial.prospect_id, dialled).await?;
        let refuses = facts.asks_not_to_be_called() && !known;
        if refuses {
            let suppressed = Suppressed {
                user_id: &dial.user_id,
                prospect_id: &dial.prospect_id,
                dialled: Some(&dial.phone),
                conversation_id: &dial.conversation_id,
            };
            outcomes::suppress(tx, &suppressed).await?;
            let moved = Moved {
                status: ProspectStatus::DoNotCall,
                rescheduled_for: None,
                newly_rescheduled: false,
                contacted: None,
                rests_until: None,
            };
            outcomes::move_prospect(tx, &dial.prospect_id, &moved, now).await?;
        }
        Ok(if talked || refuses { Applied::Amended } else { Applied::NothingNew })
    }

    /// What the messages of a talk say; nothing if the provider no longer has them.
    async fn recovered(
        &self,
        conversation_id: &str,
        about: Option<&str>,
        heard: &[Event],
    ) -> Result<Vec<Event>, Failure> {
        let mut tx = self.store.begin().await?;
        let last = dials::lock_last(&mut tx, conversation_id).await?.map(|dial| dial.id);
        drop(tx);
        let Some(dial_id) = about.map(str::to_owned).or(last) else { return Ok(Vec::new()) };
        let dial = DialRef { dial_id, provider_call_id: provider_call_id(heard) };
        match self.collect(&dial).await {
            Ok(recovered) => Ok(recovered.events().collect()),
            Err(Failure::Provider(UltravoxError::Missing(_))) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn tells_of_talk(event: &Event) -> bool {
    matches!(event, Event::Joined { .. } | Event::Ended { joined: Some(_), .. })
}

fn provider_call_id(heard: &[Event]) -> Option<String> {
    heard.iter().find_map(|event| match event {
        Event::Placed { provider_call_id } => Some(provider_call_id.clone()),
        _ => None,
    })
}

fn nothing() -> Conclusion {
    Facts::default().conclusion()
}
