//! Stories of the whole system: real PostgreSQL, real Temporal, our own binaries, a simulated provider.
//!
//! Every story has a Temporal server, a database and processes of its own.

mod support;

mod abuse;
mod agent_tool;
mod all_scenarios;
mod bad_input;
mod client_secrets;
mod every_step;
mod example_day;
mod forged;
mod found_in_temporal;
mod late_webhooks;
mod limits;
mod logs;
mod lost_answer;
mod operator;
mod operator_activities;
mod operator_between_steps;
mod orders;
mod planning_twice;
mod private;
mod rotation;
mod schedule;
mod settings;
mod shutdown;
mod suppressed;
mod tls;
mod tools;
mod unsigned;
mod worker_killed;
