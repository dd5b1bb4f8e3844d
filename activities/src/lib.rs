//! The activities: all I/O of the workflows with store, provider and carrier.
//!
//! Implements the interfaces of `workflows::activities`. Rules are in `domain`.

pub mod calls;
pub mod clock;
pub mod deadline;
pub mod failure;
pub mod planning;
pub mod telnyx;
pub mod ultravox;

pub use calls::{CallSettings, Calls};
pub use planning::{PlanSettings, Planning};
