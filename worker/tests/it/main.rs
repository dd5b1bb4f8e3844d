//! The worker's tools on a real PostgreSQL. Every test has a database of its own.

mod support;
mod suppress;

mod explain;
mod import;
