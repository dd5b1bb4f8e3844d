//! Tests of the whole system: PostgreSQL, Temporal, the binaries of this workspace, and a simulated provider.
//!
//! Each test has its own database, Temporal namespace and processes.

mod support;

mod abuse;
mod agent_tool;
mod all_scenarios;
mod bad_input;
mod dead_connections;
mod doctor;
mod event_order;
mod every_message;
mod every_step;
mod example_day;
mod forged;
mod found_in_temporal;
mod held_attempt;
mod late_webhooks;
mod limits;
mod logs;
mod lost_response;
mod many_events;
mod operator;
mod operator_activities;
mod operator_between_steps;
mod plan_runs;
mod planning_twice;
mod private;
mod random_faults;
mod rotation;
mod schedule;
mod settings;
mod shutdown;
mod suppressed;
mod tls;
mod tools;
mod unreadable_input;
mod unsigned;
mod user_secrets;
mod worker_killed;
