//! What happens in which order: the workflows, and the interfaces of the activities they need.
//!
//! Nothing here touches the world. Time comes from the workflow's context, everything else from
//! activities whose implementations live elsewhere.

pub mod activities;
pub mod attributes;
pub mod call;
pub mod clock;
pub mod events;
pub mod ids;
pub mod late_event;
pub mod plan_calls;
mod presets;
pub mod sweep_calls;

pub use call::Call;
pub use late_event::LateEvent;
pub use plan_calls::PlanCalls;
pub use sweep_calls::SweepCalls;
