//! What a stack consists of.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Told what happens, one line at a time.
pub type Progress = fn(&str);

/// The ports of a stack on 127.0.0.1; any free one where none is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// PostgreSQL.
    pub postgres: Option<u16>,
    /// The gRPC interface of Temporal.
    pub temporal: Option<u16>,
    /// The web interface of Temporal.
    pub temporal_ui: Option<u16>,
    /// The webhook server.
    pub webhook: Option<u16>,
    /// The simulator.
    pub simulator: Option<u16>,
}

/// Which of our own processes to start.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The stand-in for the phone provider.
    pub simulator: bool,
    /// The webhook server.
    pub webhook: bool,
    /// The worker.
    pub worker: bool,
}

/// How a stack is started. The default one is for tests: everything, in a scratch folder, on free ports.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Where state and logs go; a scratch folder that is removed afterwards if none is given.
    pub dir: Option<PathBuf>,
    /// Whether the database is there for the next start in the same folder, and survives a crash of the machine.
    pub durable: bool,
    /// An existing database to be used instead of a PostgreSQL server of the stack's own.
    pub database_url: Option<String>,
    /// Which of our own processes to start.
    pub parts: Parts,
    /// The ports.
    pub ports: Ports,
    /// Without Temporal's web interface.
    pub headless: bool,
    /// The folder with our binaries; `target/<profile>` if none is given.
    pub bin_dir: Option<PathBuf>,
    /// What our processes believe the time to be, in seconds from now.
    pub clock_offset_secs: i64,
    /// Simulated seconds per second in calls.
    pub speed: f64,
    /// Variables of the worker, over those that the stack sets.
    pub worker_env: BTreeMap<String, String>,
    /// Variables of the webhook server, over those that the stack sets.
    pub webhook_env: BTreeMap<String, String>,
    /// Variables of the simulator, over those that the stack sets.
    pub simulator_env: BTreeMap<String, String>,
    /// More arguments for the simulator.
    pub simulator_args: Vec<String>,
    /// Whether the simulated account has a webhook for every event, beside the callbacks of each
    /// call: then most events come twice.
    pub account_webhook: bool,
    /// Told of every step.
    pub progress: Progress,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            dir: None,
            durable: false,
            database_url: None,
            parts: Parts { simulator: true, webhook: true, worker: true },
            ports: Ports::default(),
            headless: true,
            bin_dir: None,
            clock_offset_secs: 0,
            speed: 1.0,
            worker_env: BTreeMap::new(),
            webhook_env: BTreeMap::new(),
            simulator_env: BTreeMap::new(),
            simulator_args: Vec::new(),
            account_webhook: false,
            progress: |_| {},
        }
    }
}
