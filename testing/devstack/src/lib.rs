//! One local stack of the whole service: PostgreSQL, Temporal, the simulator, the webhook server and the worker.
//!
//! Needs neither Docker nor root. The programs that are not ours are found on this machine or installed into
//! `.tools/` ([`Tools`]); every process dies with the one that started it ([`Process`]).
//!
//! ```no_run
//! # async fn story() -> devstack::Result<()> {
//! let mut stack = devstack::Stack::start(devstack::StackOptions::default()).await?;
//! println!("{}", stack.temporal.cli(["schedule", "list"]).await?);
//! stack.stop().await
//! # }
//! ```

mod account;
pub mod development;
mod error;
mod gate;
mod http;
mod options;
pub mod ports;
mod postgres;
mod process;
mod scratch;
mod services;
pub mod sign;
mod stack;
mod temporal;
mod test_server;
mod tools;
pub mod workspace;

pub use error::{Error, Result};
pub use gate::{Gate, Side, Step, Stop};
pub use http::get;
pub use options::{Parts, Ports, Progress, StackOptions};
pub use postgres::{Postgres, PostgresOptions};
pub use process::{Process, Program, Ready, StopSignal};
pub use scratch::Scratch;
pub use stack::{Addresses, Service, Stack};
pub use temporal::{Temporal, TemporalOptions};
pub use test_server::TestServer;
pub use tools::Tools;
