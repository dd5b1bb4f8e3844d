//! The simulator over real HTTP: its strictness, its calls, its deliveries and its faults.

mod calls;
mod carrier;
mod command_line;
mod control;
mod faults;
mod lifecycle;
mod limits;
mod lists;
mod scenarios;
mod strictness;
mod support;
mod tools;
mod webhooks;
