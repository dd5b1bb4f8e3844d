//! The workflows, and the interfaces of the activities that they call.
//!
//! Workflows do no I/O. Time comes from the workflow context, everything else from activities.

pub mod activities;
pub mod attributes;
pub mod call;
pub mod clock;
pub mod events;
pub mod ids;
pub mod input;
pub mod late_event;
pub mod plan_calls;
mod presets;
pub mod sweep_calls;

pub use call::Call;
pub use late_event::LateEvent;
pub use plan_calls::PlanCalls;
pub use sweep_calls::SweepCalls;
