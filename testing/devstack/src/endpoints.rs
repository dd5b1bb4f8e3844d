use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the parts of a running stack can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    pub database_url: String,
    /// `host:port` of Temporal's gRPC interface.
    pub temporal_address: String,
    pub temporal_namespace: String,
    pub temporal_ui_url: Option<String>,
    pub webhook_url: String,
    pub simulator_url: String,
    /// Folder with one log file per process.
    pub log_dir: PathBuf,
    /// The clock of the stack's processes, in seconds ahead of real time.
    #[serde(default)]
    pub clock_offset_secs: i64,
}
