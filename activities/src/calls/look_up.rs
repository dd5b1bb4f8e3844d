//! What the provider knows of a call: its state, its end, and what was said in it.

use chrono_tz::Tz;
use domain::callee;
use tracing::info;
use workflows::activities::calls::{DialRef, Leg, Recovered, RecoveredReport, Sighting};

use super::Calls;
use crate::failure::Failure;
use crate::ultravox::{Call, HungUp, UltravoxError};
use store::StoreError;
use store::dials::{self, Dial};
use store::{guard, outcomes, users};

impl Calls {
    /// Asks the provider what it knows of a dial.
    pub async fn sight(&self, about: &DialRef) -> Result<Sighting, Failure> {
        let Some(dial) = self.read(&about.dial_id).await? else { return Ok(Sighting::default()) };
        let known = about.provider_call_id.as_deref();
        let Some(call) = self.find_call(&dial, known).await? else {
            let vanished = dial.provider_call_id.is_some() || known.is_some();
            return Ok(Sighting { vanished, ..Sighting::default() });
        };
        Ok(Sighting {
            provider_call_id: Some(call.call_id),
            vanished: false,
            joined: call.joined,
            ended: call.ended,
            end_reason: call.end_reason,
        })
    }

    /// Ends a leg.
    pub async fn end(&self, leg: &Leg) -> Result<(), Failure> {
        if !leg.answered {
            if let (Some(telnyx), Some(sid)) = (&self.telnyx, &leg.carrier_call_id) {
                telnyx.end(sid).await?;
                info!(dialId = leg.dial_id, "Ended the ringing leg");
            }
            return Ok(());
        }
        let Some(dial) = self.read(&leg.dial_id).await? else { return Ok(()) };
        let call = self.find_call(&dial, leg.provider_call_id.as_deref()).await?;
        let call = call.ok_or_else(|| UltravoxError::Missing(dial.id.clone()))?;
        match (self.ultravox.hang_up(&call.call_id).await?, &self.telnyx, &leg.carrier_call_id) {
            (HungUp::Asked, ..) => {
                info!(dialId = dial.id, callId = call.call_id, "Hung up");
            }
            // Nobody has answered, whatever was said: it may still ring.
            (HungUp::NotActive, Some(telnyx), Some(sid)) => {
                telnyx.end(sid).await?;
                info!(dialId = dial.id, "Ended the leg");
            }
            (HungUp::NotActive, ..) => {}
        }
        Ok(())
    }

    /// Stores the transcript of a dial's call and gives back what its tool calls say.
    pub async fn collect(&self, about: &DialRef) -> Result<Recovered, Failure> {
        let Some(dial) = self.read(&about.dial_id).await? else { return Ok(Recovered::default()) };
        let call = self.find_call(&dial, about.provider_call_id.as_deref()).await?;
        let call = call.ok_or_else(|| UltravoxError::Missing(dial.id.clone()))?;
        let zone = self.zone_of(&dial).await?;
        let transcript = self.ultravox.transcript(&call.call_id, zone).await?;
        if !transcript.text.is_empty() {
            let mut tx = self.store.begin().await?;
            outcomes::store_transcript(&mut tx, &dial.conversation_id, &transcript.text).await?;
            tx.commit().await.map_err(StoreError::from)?;
        }
        let reports = transcript.reports.into_iter().map(|report| RecoveredReport {
            outcome: report.outcome,
            time: report.time,
            notes: report.notes,
        });
        Ok(Recovered { reports: reports.collect(), voicemail: transcript.voicemail })
    }

    /// The zone of which the agent was told when it called; nothing if that can't be said any more.
    async fn zone_of(&self, dial: &Dial) -> Result<Option<Tz>, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(Ok(profile)) = users::profile(&mut tx, &dial.user_id).await? else {
            return Ok(None);
        };
        let prospect = guard::prospect(&mut tx, &dial.prospect_id, &dial.conversation_id).await?;
        let own = prospect.as_ref().and_then(|prospect| prospect.time_zone.as_deref());
        let state = prospect.as_ref().and_then(|prospect| prospect.state.as_deref());
        Ok(callee::told_zone(own, state, &dial.phone, &profile.window))
    }

    async fn read(&self, dial_id: &str) -> Result<Option<Dial>, StoreError> {
        let mut tx = self.store.begin().await?;
        dials::lock(&mut tx, dial_id).await
    }

    /// The provider's call of a dial: by its id or, where that was never heard, by its metadata.
    async fn find_call(&self, dial: &Dial, known: Option<&str>) -> Result<Option<Call>, Failure> {
        let found = match dial.provider_call_id.as_deref().or(known) {
            Some(id) => self.ultravox.get(id).await?,
            None => self.ultravox.find(&dial.id).await?,
        };
        if let Some(call) = found.as_ref().filter(|_| dial.provider_call_id.is_none()) {
            self.note_placed(&dial.id, &call.call_id).await?;
        }
        Ok(found)
    }
}
