//! Reads the settings, runs, reports.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    service::main(|config| webhook::run(config, service::stopped())).await
}
