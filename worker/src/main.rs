use std::process::ExitCode;

use worker::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match bootstrap::settings::read_settings() {
        Ok(Cli::Worker(config)) => {
            bootstrap::run_with_logs(*config, |config| {
                worker::run(config, bootstrap::shutdown_signal())
            })
            .await
        }
        Ok(Cli::Tool(tool)) => tool.run().await,
        Err(error) => error.print(),
    }
}
