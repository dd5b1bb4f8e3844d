//! Devstack with the real external programs.

mod fixtures;
mod postgres;
mod process;
mod stack;
mod temporal;
