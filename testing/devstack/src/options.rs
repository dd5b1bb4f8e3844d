use std::collections::BTreeMap;
use std::path::PathBuf;

/// Receives progress messages, one line at a time.
pub type Progress = fn(&str);

/// The ports of a stack on 127.0.0.1. `None` means any free port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    pub postgres: Option<u16>,
    /// Temporal's gRPC interface.
    pub temporal: Option<u16>,
    pub temporal_ui: Option<u16>,
    pub webhook: Option<u16>,
    pub simulator: Option<u16>,
}

/// Which programs of this workspace to start.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub simulator: bool,
    pub webhook: bool,
    pub worker: bool,
}

/// How a stack is started. The default is meant for tests: all parts, in a temporary folder, on free ports.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Folder for state and logs. `None` means a temporary folder.
    pub dir: Option<PathBuf>,
    /// Whether the database is kept for the next start in `dir` and survives a crash of the machine.
    pub durable: bool,
    /// An existing database. `None` starts a PostgreSQL server.
    pub database_url: Option<String>,
    /// Whether to use a new namespace of the server that the tests share, instead of a server of its own.
    pub shared_temporal: bool,
    /// Dynamic configuration of the stack's own Temporal server, each as `key=value` with the value in JSON.
    pub temporal_config: Vec<String>,
    pub parts: Parts,
    pub ports: Ports,
    /// Whether to start Temporal without its web interface.
    pub headless: bool,
    /// Folder with the programs of this workspace. `None` means `target/<profile>`.
    pub bin_dir: Option<PathBuf>,
    /// The clock of the stack's processes, in seconds ahead of real time.
    pub clock_offset_secs: i64,
    /// Simulated seconds per second in calls.
    pub speed: f64,
    /// Environment of the worker; overrides what the stack sets.
    pub worker_env: BTreeMap<String, String>,
    /// Environment of the webhook server; overrides what the stack sets.
    pub webhook_env: BTreeMap<String, String>,
    /// Environment of the simulator; overrides what the stack sets.
    pub simulator_env: BTreeMap<String, String>,
    /// Additional arguments of the simulator.
    pub simulator_args: Vec<String>,
    /// Whether the simulated account has a webhook for all events in addition to the callbacks of each call. Most
    /// events are then sent twice.
    pub account_webhook: bool,
    pub progress: Progress,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            dir: None,
            durable: false,
            database_url: None,
            shared_temporal: false,
            temporal_config: Vec::new(),
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
