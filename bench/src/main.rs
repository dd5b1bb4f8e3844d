//! Figures, each beside a reference from the same run. They are printed and kept, never asserted:
//! machines differ.

mod lifecycle;
mod planning;
mod reference;
mod report;
mod start;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the service beside a reference in the same run")]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Whole calls per second beside empty workflows, events per call, memory of sleeping calls
    Lifecycle(lifecycle::Options),
    /// Planning a batch of users among a million prospects beside a thousand, with the query plan
    Planning(planning::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Bench::parse().what {
        What::Lifecycle(options) => lifecycle::run(options).await,
        What::Planning(options) => planning::run(options).await,
    }
}
