//! What every test needs.

mod database;
mod dump;
mod facts;
mod moments;
mod provider;
mod receiver;
mod rows;
mod service;
mod wait;

pub use database::fresh_tables;
pub use dump::dump;
pub use facts::{dial, learnt, reported, talked};
pub use moments::{NOW, at, minutes_after};
pub use provider::{FAST, LIVE, Provider};
pub use receiver::Receiver;
pub use rows::{Prospect, User};
pub use service::{Service, admitted, asks};
pub use wait::eventually;

/// The run of a workflow; another one is a reset.
pub const RUN: &str = "run-1";
