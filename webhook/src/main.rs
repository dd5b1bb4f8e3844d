use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    bootstrap::main(|config| webhook::run(config, bootstrap::shutdown_signal())).await
}
