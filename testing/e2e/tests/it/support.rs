//! What every story needs.

mod door;
mod gates;
mod operator;
mod planner;
mod records;
mod story;
mod webhook;
mod wire;

pub use devstack::eventually;
pub use devstack::fixtures::{Prospect, User};
pub use door::{CALL, DIAL, EVENT, door, events_taken, start_call};
pub use gates::{Gates, gated, replace};
pub use operator::{cancel, in_state, progress, update};
pub use planner::{Plan, plan, plan_as};
pub use records::{
    Conversation, books, conversation, conversations, open_calls, prospect_status, settled,
};
pub use story::{Story, seconds_to};
pub use webhook::{HEADERS, Signed, carrier_post, post, signed_post};
pub use wire::{Reply, Wire, request};
