//! The activities' logic on a real PostgreSQL and, where phones ring, on the real simulator.
//!
//! Every test has a database of its own.

mod support;

mod admit;
mod admit_at_once;
mod interleavings;
mod late;
mod lines;
mod look_up;
mod move_slot;
mod periods;
mod place;
mod planning;
mod record;
mod tables;
mod twice;
