//! The activities on a real PostgreSQL and, where phones ring, with the simulator. Every test has its own database.

mod support;

mod admit;
mod any_order;
mod concurrent_admission;
mod connections;
mod deleted_rows;
mod dial;
mod extreme_values;
mod fetch_status;
mod interleavings;
mod late_events;
mod lines;
mod periods;
mod phone_decision;
mod plan_runs;
mod planning;
mod provider_rejections;
mod record_outcome;
mod repetition;
mod reschedule;
mod tables;
