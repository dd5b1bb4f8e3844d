//! The pure rules of the service: who may be called, when, and what a call's events add up to.
//!
//! Nothing here reads a clock, a random source, a file or the network: every function gets what
//! it needs and answers the same for the same input, so that workflows may call all of it.

pub mod callee;
pub mod facts;
pub mod guard;
pub mod hours;
pub mod ids;
pub mod jurisdictions;
pub mod late;
pub mod minutes;
pub mod numbers;
pub mod pace;
pub mod phone;
pub mod priority;
pub mod report;
pub mod retry;
pub mod rules;
pub mod script;
pub mod slots;
pub mod status;
