//! The faults that are injected into the stack, and their schedule.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use devstack::{Endpoints, Stack};
use serde_json::{Value, json};

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_pcg::Pcg64Mcg;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL and restart, as for the other processes.
    KillWorker,
    KillWebhook,
    KillTemporal,
    KillPostgres,
    /// The next requests for a call fail or are slow. JSON for `create_call` of `/sim/faults`.
    Provider(&'static str),
    /// Webhook deliveries fail until the next such fault. JSON for `webhooks` of `/sim/faults`.
    Webhooks(&'static str),
}

/// After the faults with `after_accept` a phone rings.
const PROVIDER_FAULTS: [&str; 10] = [
    r#"[{"drop_after_accept": true, "times": 3}]"#,
    r#"[{"drop_before_accept": true, "times": 2}]"#,
    r#"[{"status_after_accept": 500, "times": 2}]"#,
    r#"[{"status_after_accept": 502, "times": 2}]"#,
    r#"[{"status_after_accept": 504, "times": 2}]"#,
    r#"[{"status_after_accept": 503, "times": 2}]"#,
    r#"[{"status_before_accept": 503, "times": 3}]"#,
    r#"[{"refuse_429": {"retry_after": 2}, "times": 4}]"#,
    r#"[{"slow_ms": 1500, "times": 3}]"#,
    // Longer than the worker's request timeout.
    r#"[{"slow_ms": 27000, "times": 2}]"#,
];

const WEBHOOK_FAULTS: [&str; 5] = [
    r#"{"drop": 0.5}"#,
    r#"{"duplicate": 5}"#,
    r#"{"reorder": 0.5, "hold_ms": 2000}"#,
    r#"{"delay_ms": 3000}"#,
    r"{}",
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker => f.write_str("kill -9 of the worker"),
            Self::KillWebhook => f.write_str("kill -9 of the webhook server"),
            Self::KillTemporal => f.write_str("kill -9 of Temporal"),
            Self::KillPostgres => f.write_str("kill -9 of PostgreSQL"),
            Self::Provider(rules) => write!(f, "dial requests: {rules}"),
            Self::Webhooks(rules) => write!(f, "webhook deliveries: {rules}"),
        }
    }
}

/// Returns the faults of a seed with their times since the start.
pub fn schedule(seed: u64, duration: Duration) -> Vec<(Duration, Fault)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut at = Duration::from_secs(2);
    let mut schedule = Vec::new();
    let mut deck = Vec::new();
    while at < duration {
        if deck.is_empty() {
            deck = shuffled_deck(&mut rng);
        }
        schedule.extend(deck.pop().map(|fault| (at, fault)));
        at += Duration::from_millis(rng.random_range(1_500..5_500));
    }
    schedule
}

/// Ten faults that include every kind of kill, so that even a short run has them all.
fn shuffled_deck(rng: &mut Pcg64Mcg) -> Vec<Fault> {
    let mut deck = vec![
        Fault::KillWorker,
        Fault::KillWorker,
        Fault::KillWebhook,
        Fault::KillTemporal,
        Fault::KillPostgres,
    ];
    deck.extend((0..3).filter_map(|_| PROVIDER_FAULTS.choose(rng).map(|r| Fault::Provider(r))));
    deck.extend((0..2).filter_map(|_| WEBHOOK_FAULTS.choose(rng).map(|r| Fault::Webhooks(r))));
    deck.shuffle(rng);
    deck
}

impl Fault {
    pub async fn inject(&self, stack: &mut Stack) -> Result<()> {
        match self {
            Self::KillWorker => {
                let worker = stack.worker.as_mut().context("the stack has no worker")?;
                worker.kill9().await?;
                worker.restart().await?;
            }
            Self::KillWebhook => {
                let webhook = stack.webhook.as_mut().context("the stack has no webhook server")?;
                webhook.process.kill9().await?;
                webhook.process.restart().await?;
            }
            Self::KillTemporal => {
                stack.temporal.kill9().await?;
                stack.temporal.restart().await?;
            }
            Self::KillPostgres => {
                let postgres = stack.postgres.as_mut().context("the stack has no PostgreSQL")?;
                postgres.kill9().await?;
                postgres.restart().await?;
            }
            Self::Provider(rules) => {
                let rules: Value = serde_json::from_str(rules)?;
                set_faults(stack.endpoints(), &json!({ "create_call": rules })).await?;
            }
            Self::Webhooks(rules) => {
                let rules: Value = serde_json::from_str(rules)?;
                set_faults(stack.endpoints(), &json!({ "webhooks": rules })).await?;
            }
        }
        Ok(())
    }
}

/// Ends all faults of the provider.
pub async fn clear_faults(endpoints: &Endpoints) -> Result<()> {
    let (status, body) =
        devstack::delete(&format!("{}/sim/faults", endpoints.simulator_url)).await?;
    ensure!(status == 200, "the simulator kept its faults: {body}");
    Ok(())
}

/// Changes the faults of the provider by the JSON of `/sim/faults`.
pub async fn set_faults(endpoints: &Endpoints, faults: &Value) -> Result<()> {
    let url = format!("{}/sim/faults", endpoints.simulator_url);
    let (status, body) = devstack::post(&url, &[], &faults.to_string()).await?;
    ensure!(status == 200, "the simulator rejected {faults}: {body}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_depends_only_on_the_seed() {
        let duration = Duration::from_secs(120);
        assert_eq!(schedule(7, duration), schedule(7, duration));
        assert_ne!(schedule(7, duration), schedule(8, duration));
        assert!(schedule(7, duration).len() > 20);
    }

    #[test]
    fn short_schedule_kills_every_process() {
        for seed in 0..20 {
            let faults = schedule(seed, Duration::from_secs(55));
            for kill in
                [Fault::KillWorker, Fault::KillWebhook, Fault::KillTemporal, Fault::KillPostgres]
            {
                assert!(faults.iter().any(|(_, fault)| *fault == kill), "{seed}: {kill}");
            }
        }
    }
}
