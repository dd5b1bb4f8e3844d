//! Everything that touches the world: the database and the provider.
//!
//! Implements the activities that `workflows` declares. Each calls the store or the provider,
//! translates and returns; decisions are made in `domain`.

mod calls;
pub mod clock;
pub mod failure;
pub mod import;
mod planning;
pub mod store;
pub mod suppressions;
pub mod telnyx;
pub mod ultravox;
pub mod why;

pub use calls::{CallSettings, Calls};
pub use planning::{Considered, PlanSettings, Planning};
