//! The simulator over HTTP: schema checks, calls, deliveries and fault injection.

mod calls;
mod command_line;
mod data_messages;
mod faults;
mod legs;
mod lifecycle;
mod limits;
mod lists;
mod scenarios;
mod schema;
mod support;
mod tools;
mod webhooks;
