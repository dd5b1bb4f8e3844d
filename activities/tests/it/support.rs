//! Fixtures of the tests.

mod dump;
mod provider;
mod receiver;
mod records;
mod service;
mod times;

use std::time::Duration;

pub use devstack::eventually;
pub use devstack::fixtures::{Prospect, User};
pub use dump::dump;
pub use provider::{FAST, LIVE, Provider};
pub use receiver::Receiver;
pub use records::{
    admit_input, cancelled, conversation_ref, dial_ref, failed_by_user, rejected, report, reported,
    requeued, run_ended, said, said_of, talk, talked, unanswered, unreached,
};
pub use service::{Service, admitted};
pub use times::{NOW, at, minutes_after};

pub const TIMEOUT: Duration = Duration::from_secs(20);

/// A workflow run; a reset makes another one.
pub const RUN: &str = "run-1";
