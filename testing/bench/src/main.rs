//! Benchmarks. Each figure is compared with a reference measured in the same run, because machines differ. Results are
//! printed and saved, never asserted.

mod lifecycle;
mod memory;
mod planning;
mod reference;
mod report;
mod start;
mod webhook;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Benchmarks, each with a reference measured in the same run")]
struct Bench {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Calls per second compared with empty workflows, events per call, memory of waiting calls
    Lifecycle(lifecycle::Options),
    /// Planning among a million prospects compared with a thousand, with the query plan
    Planning(planning::Options),
    /// Signed webhooks compared with bare signals, forged ones with a bare route, memory under attack
    Webhook(webhook::Options),
    /// Serve the reference route for forged webhooks
    #[command(hide = true)]
    BareRoute {
        /// Port on 127.0.0.1
        #[arg(long)]
        port: u16,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Bench::parse().benchmark {
        Benchmark::Lifecycle(options) => lifecycle::run(options).await,
        Benchmark::Planning(options) => planning::run(options).await,
        Benchmark::Webhook(options) => webhook::run(options).await,
        Benchmark::BareRoute { port } => webhook::serve_bare_route(port).await,
    }
}
