//! Stories of the whole system: real PostgreSQL, real Temporal, our own binaries, a simulated provider.
//!
//! Every story has a Temporal server, a database and processes of its own.

mod support;

mod all_scenarios;
mod bad_input;
mod every_step;
mod example_day;
mod found_in_temporal;
mod late_webhooks;
mod logs;
mod lost_answer;
mod operator;
mod operator_activities;
mod operator_between_steps;
mod planning_twice;
mod schedule;
mod settings;
mod suppressed;
mod tools;
mod worker_killed;
