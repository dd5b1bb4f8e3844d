//! Runs the whole system on one machine: PostgreSQL, Temporal, the simulator, the webhook server and the worker.
//!
//! Needs neither Docker nor root. External programs are found on this machine or installed into `.tools/` ([`Tools`]).
//! Every process ends with the one that started it ([`Process`]).
//!
//! ```no_run
//! # async fn example() -> devstack::Result<()> {
//! let mut stack = devstack::Stack::start(devstack::StackOptions::default()).await?;
//! println!("{}", stack.temporal.cli(["schedule", "list"]).await?);
//! stack.stop().await
//! # }
//! ```

mod account;
mod database;
pub mod development;
mod endpoints;
mod error;
mod eventually;
mod fault_proxies;
mod fault_proxy;
pub mod fixtures;
mod http;
mod options;
pub mod ports;
mod postgres;
mod process;
mod programs;
pub mod sign;
mod stack;
mod temporal;
mod test_server;
mod tools;
pub mod workspace;

pub use database::{create_migrated_database, migrate};
pub use endpoints::Endpoints;
pub use error::{Error, Result};
pub use eventually::eventually;
pub use fault_proxies::FaultProxies;
pub use fault_proxy::{Breakpoint, FaultProxy, Side, Step};
pub use http::{delete, get, post};
pub use options::{Parts, Ports, Progress, StackOptions};
pub use postgres::{Postgres, PostgresOptions};
pub use process::{Process, Program, Ready, StopSignal};
pub use stack::{HttpServer, Stack};
pub use tempfile::TempDir;
pub use temporal::{Temporal, TemporalOptions};
pub use test_server::TestServer;
pub use tools::Tools;
