//! What every story needs.

mod operator;
mod planner;
mod records;
mod rows;
mod story;
mod wait;
mod webhook;

pub use operator::{cancel, in_state, progress, update};
pub use planner::{Plan, plan, plan_as};
pub use records::{Conversation, conversation, conversations, open_calls, prospect_status};
pub use rows::{Prospect, User};
pub use story::{Story, seconds_to};
pub use wait::eventually;
pub use webhook::{post, signed_post};
