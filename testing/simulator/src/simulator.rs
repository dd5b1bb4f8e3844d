//! The state that the routes and the running calls share.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::call::Calls;
use crate::clock::Clock;
use crate::delivery::WebhookSender;
use crate::faults::Faults;
use crate::scenario::{CatalogError, ScenarioCatalog};
use crate::settings::Settings;
use crate::telnyx_callbacks::TelnyxCallbacks;
use crate::webhooks::{WebhookTarget, Webhooks};

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Scenarios(#[from] CatalogError),
    #[error("building the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// One simulated account with its calls and its carrier.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) scenarios: ScenarioCatalog,
    pub(crate) calls: Calls,
    pub(crate) webhooks: Webhooks,
    pub(crate) sender: WebhookSender,
    pub(crate) telnyx: TelnyxCallbacks,
    pub(crate) faults: Faults,
    pub(crate) violations: Violations,
}

impl Simulator {
    /// Prepares an account without calls.
    ///
    /// # Errors
    ///
    /// If the scenario file can't be used or the HTTP client can't be built.
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        let sender = WebhookSender::new()?;
        let account = settings
            .webhook_url
            .clone()
            .map(|url| WebhookTarget { url, secrets: settings.webhook_secrets.clone() });
        let retry_base = Duration::from_secs_f64(settings.retry_base_secs);
        Ok(Self {
            clock: Clock::new(settings.clock_offset_secs, settings.speed),
            scenarios: ScenarioCatalog::load(settings.scenarios.as_deref())?,
            calls: Calls::default(),
            webhooks: Webhooks::new(account, retry_base),
            telnyx: TelnyxCallbacks::new(settings.telnyx_account_sid.clone(), sender.clone()),
            sender,
            faults: Faults::default(),
            violations: Violations::default(),
            settings,
        })
    }
}

/// Requests and tool declarations that break the provider's contract, in order.
#[derive(Debug, Default)]
pub(crate) struct Violations(Mutex<Vec<String>>);

impl Violations {
    pub fn record(&self, violation: impl Into<String>) {
        let violation = violation.into();
        tracing::warn!(violation, "Contract violated");
        self.lock().push(violation);
    }

    pub fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("no holder of the violations panics")
    }
}
