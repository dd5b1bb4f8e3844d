//! The calls there are, and how far each has come.

mod message;
mod progress;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use uuid::Uuid;

use crate::request::StartCall;
use crate::telnyx::Leg;

pub use message::{Message, Role};
pub use progress::{EndReason, EndedBy, Progress};
pub use view::{call_json, ledger_json, tombstone_json};

/// A milestone that webhooks report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
pub enum Event {
    /// The call exists.
    #[serde(rename = "call.started", alias = "started")]
    #[value(name = "call.started")]
    Started,
    /// The callee picked up and hears the agent.
    #[serde(rename = "call.joined", alias = "joined")]
    #[value(name = "call.joined")]
    Joined,
    /// The call is over.
    #[serde(rename = "call.ended", alias = "ended")]
    #[value(name = "call.ended")]
    Ended,
    /// The price is known.
    #[serde(rename = "call.billed", alias = "billed")]
    #[value(name = "call.billed")]
    Billed,
}

impl Event {
    /// The name that goes over the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "call.started",
            Self::Joined => "call.joined",
            Self::Ended => "call.ended",
            Self::Billed => "call.billed",
        }
    }
}

/// What someone outside does to a running call.
#[derive(Debug)]
pub enum Control {
    /// The client told the agent to hang up, after saying this.
    AgentHangUp(String),
    /// The client told the agent something.
    UserText(String),
    /// The client put words into the agent's mouth.
    AgentText(String),
    /// The carrier's API ended the phone leg.
    CarrierHangUp,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    pub id: Uuid,
    pub stage: Uuid,
    /// Creation order; also the paging position.
    pub number: u64,
    pub request: StartCall,
    pub scenario: String,
    pub created: DateTime<Utc>,
    /// The real instant that simulated time counts from.
    pub begun: Instant,
    /// The phone leg, for carrier calls.
    pub leg: Option<Leg>,
    pub control: UnboundedSender<Control>,
    progress: Mutex<Progress>,
}

impl Call {
    /// A call that was created now and nothing happened to yet.
    pub fn new(
        request: StartCall,
        scenario: String,
        created: DateTime<Utc>,
        control: UnboundedSender<Control>,
    ) -> Self {
        let leg = request.dial.clone().map(Leg::new);
        let state = request.body.get("initialState");
        let state = state.and_then(|state| state.as_object()).cloned();
        Self {
            id: Uuid::new_v4(),
            stage: Uuid::new_v4(),
            number: 0,
            request,
            scenario,
            created,
            begun: Instant::now(),
            leg,
            control,
            progress: Mutex::new(Progress {
                state: state.unwrap_or_default(),
                ..Progress::default()
            }),
        }
    }

    /// How far the call has come.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nothing panics while it holds the progress of a call")
    }
}

/// All calls, in order of creation.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<u64, Arc<Call>>>);

impl Calls {
    /// Adds a call unless `limit` calls are active already.
    pub fn admit(&self, mut call: Call, limit: usize) -> Option<Arc<Call>> {
        let mut calls = self.lock();
        let active = calls.values().filter(|call| call.progress().is_active());
        if active.count() >= limit {
            return None;
        }
        call.number = calls.last_key_value().map_or(1, |(number, _)| number + 1);
        let call = Arc::new(call);
        calls.insert(call.number, Arc::clone(&call));
        Some(call)
    }

    /// Every call, deleted ones included, oldest first.
    pub fn all(&self) -> Vec<Arc<Call>> {
        self.lock().values().cloned().collect()
    }

    /// A call by id, deleted ones included.
    pub fn find(&self, id: Uuid) -> Option<Arc<Call>> {
        self.lock().values().find(|call| call.id == id).cloned()
    }

    /// Calls that were created and haven't ended.
    pub fn active(&self) -> usize {
        let calls = self.lock();
        calls.values().filter(|call| call.progress().is_active()).count()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Call>>> {
        self.0.lock().expect("nothing panics while it holds the list of calls")
    }
}
