//! Everything that touches the world: store, provider and carrier.
//!
//! Implements the activities that `workflows` declares. Each calls the store or the provider,
//! translates and returns; decisions are made in `domain`.

mod calls;
pub mod clock;
pub mod failure;
mod planning;
pub mod telnyx;
pub mod ultravox;

pub use calls::{CallSettings, Calls};
pub use planning::{Considered, PlanSettings, Planning};
