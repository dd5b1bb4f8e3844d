//! Figures, each beside a reference from the same run. They are printed and kept, never asserted:
//! machines differ.

mod lifecycle;
mod memory;
mod planning;
mod reference;
mod report;
mod start;
mod webhook;

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
    /// Signed webhooks beside bare signals, forged ones beside a bare route, memory under attack
    Webhook(webhook::Options),
    /// The route that forged webhooks are held against
    #[command(hide = true)]
    BareRoute {
        /// Where it listens, on 127.0.0.1
        #[arg(long)]
        port: u16,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Bench::parse().what {
        What::Lifecycle(options) => lifecycle::run(options).await,
        What::Planning(options) => planning::run(options).await,
        What::Webhook(options) => webhook::run(options).await,
        What::BareRoute { port } => webhook::serve_bare_route(port).await,
    }
}
