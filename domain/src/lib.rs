//! The rules of the service: who may be called, when, and what the events of a call add up to.
//!
//! Every function is pure: it reads no clock, random source, file or network, so workflows may call all of it.

pub mod admission;
mod block_reason;
pub mod call_log;
pub mod callee_zones;
pub mod cool_down;
pub mod error_chain;
pub mod facts;
pub mod hours;
pub mod ids;
pub mod jurisdictions;
pub mod minutes;
pub mod monitor;
pub mod pacing;
pub mod phone;
pub mod phone_usage;
pub mod phone_zones;
pub mod priority;
pub mod provider_pause;
pub mod report;
pub mod rules;
pub mod script;
pub mod slots;
pub mod status;
pub mod text;
pub mod weekdays;

pub use block_reason::{Block, BlockReason};
