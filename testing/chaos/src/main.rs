//! `chaos --calls 500 --seed 7`

use std::process::ExitCode;

use chaos::Options;
use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let report = chaos::run(&Options::parse()).await?;
    println!("{report}");
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
