//! The calls of the account and their progress.

mod json;
mod message;
mod progress;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use uuid::Uuid;

use crate::leg::Leg;
use crate::schema::StartCall;

pub use json::{call_json, ledger_json};
pub use message::{Message, Role};
pub use progress::{EndReason, EndedBy, Progress};

/// A request to end a running call.
#[derive(Debug)]
pub enum Command {
    /// Over Ultravox's API: the agent hangs up after this message.
    AgentHangUp { message: Option<String> },
    /// Over Telnyx's API: the leg ends.
    EndLeg,
}

#[derive(Debug)]
pub struct Call {
    pub id: Uuid,
    pub stage_id: Uuid,
    /// Position in the order of creation, from 1.
    pub sequence: u64,
    pub request: StartCall,
    /// Name of the scenario.
    pub scenario: String,
    pub created_at: DateTime<Utc>,
    /// The real time at which simulated time starts.
    pub started: Instant,
    pub leg: Leg,
    pub commands: UnboundedSender<Command>,
    progress: Mutex<Progress>,
}

impl Call {
    pub fn new(
        request: StartCall,
        scenario: String,
        created_at: DateTime<Utc>,
        commands: UnboundedSender<Command>,
    ) -> Self {
        Self {
            id: Uuid::new_v4(),
            stage_id: Uuid::new_v4(),
            sequence: 0,
            leg: Leg::new(&request.medium.telnyx.outgoing, created_at),
            request,
            scenario,
            created_at,
            started: Instant::now(),
            commands,
            progress: Mutex::default(),
        }
    }

    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("no holder of a call's progress panics")
    }

    /// Real time since the creation.
    pub fn age(&self) -> Duration {
        Instant::now() - self.started
    }
}

/// All calls, in order of creation.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Vec<Arc<Call>>>);

impl Calls {
    /// Adds a call and numbers it, unless `max_active` calls are active.
    pub fn add(&self, mut call: Call, max_active: usize) -> Option<Arc<Call>> {
        let mut calls = self.lock();
        let active = calls.iter().filter(|call| call.progress().is_active()).count();
        if active >= max_active {
            return None;
        }
        call.sequence = calls.len() as u64 + 1;
        let call = Arc::new(call);
        calls.push(Arc::clone(&call));
        Some(call)
    }

    /// Every call, including deleted ones, oldest first.
    pub fn all(&self) -> Vec<Arc<Call>> {
        self.lock().clone()
    }

    /// A call that is not deleted.
    pub fn find(&self, id: Uuid) -> Option<Arc<Call>> {
        let calls = self.lock();
        calls.iter().find(|call| call.id == id && !call.progress().is_deleted).cloned()
    }

    /// The call of a leg.
    pub fn find_by_leg(&self, sid: &str) -> Option<Arc<Call>> {
        self.lock().iter().find(|call| call.leg.sid == sid).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Call>>> {
        self.0.lock().expect("no holder of the list of calls panics")
    }
}
