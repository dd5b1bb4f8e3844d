//! The stack against the real programs.

mod postgres;
mod process;
mod stack;
mod temporal;
