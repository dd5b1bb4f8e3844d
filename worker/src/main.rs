//! Reads the settings, runs, reports.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if worker::tools::are_asked_for(&args) {
        return worker::tools::run(args).await;
    }
    bootstrap::main(|config| worker::run(config, bootstrap::shutdown_signal())).await
}
