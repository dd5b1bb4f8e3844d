//! Everything that the routes and the running calls share.

use std::time::Duration;

use uuid::Uuid;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::deliveries::Courier;
use crate::faults::Faults;
use crate::ledger::Violations;
use crate::limits::CreationRate;
use crate::scenario::{Book, BookError};
use crate::settings::Settings;
use crate::signature::CarrierKey;
use crate::telnyx::Carrier;
use crate::webhooks::{Webhook, Webhooks};

/// Why a simulator can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The seed of the carrier's key can't be read.
    #[error("the carrier's seed must have 64 hex digits")]
    Seed,
    /// The scenarios can't be read.
    #[error(transparent)]
    Scenarios(#[from] BookError),
    /// No outgoing request can be made.
    #[error("preparing outgoing requests: {0}")]
    Client(#[from] reqwest::Error),
}

/// One simulated account with its calls and its carrier.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) settings: Settings,
    pub(crate) account: Uuid,
    pub(crate) clock: Clock,
    pub(crate) book: Book,
    pub(crate) calls: Calls,
    pub(crate) rate: CreationRate,
    pub(crate) webhooks: Webhooks,
    pub(crate) courier: Courier,
    pub(crate) carrier: Carrier,
    pub(crate) faults: Faults,
    pub(crate) violations: Violations,
}

impl Simulator {
    /// Prepares an account without calls. Fails if the seed or the scenario file is no good.
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        let clock = Clock::new(settings.clock_offset_secs, settings.speed);
        let courier = Courier::new()?;
        let key = CarrierKey::from_hex(&settings.telnyx_seed).ok_or(StartError::Seed)?;
        let webhooks = Webhooks::new(Duration::from_secs_f64(settings.retry_base_secs));
        if let Some(url) = &settings.webhook_url {
            webhooks.add(Webhook::new(
                url.clone(),
                settings.webhook_secrets.clone(),
                settings.webhook_events.clone(),
                clock.now(),
            ));
        }
        Ok(Self {
            account: Uuid::new_v4(),
            clock,
            book: Book::open(settings.scenarios.as_deref())?,
            calls: Calls::default(),
            rate: CreationRate::new(settings.calls_per_minute, settings.calls_per_second),
            webhooks,
            carrier: Carrier::new(settings.telnyx_account_sid.clone(), key, courier.clone()),
            courier,
            faults: Faults::default(),
            violations: Violations::default(),
            settings,
        })
    }
}
