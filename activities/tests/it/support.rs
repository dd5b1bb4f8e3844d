//! What every test needs.

mod dump;
mod facts;
mod moments;
mod provider;
mod receiver;
mod service;

use std::time::Duration;

pub use devstack::eventually;
pub use devstack::fixtures::{Prospect, User};
pub use dump::dump;
pub use facts::{dial, learnt, reported, talked};
pub use moments::{NOW, at, minutes_after};
pub use provider::{FAST, LIVE, Provider};
pub use receiver::Receiver;
pub use service::{Service, admitted, asks};

/// How long tests wait for a condition.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The run of a workflow; another one is a reset.
pub const RUN: &str = "run-1";
