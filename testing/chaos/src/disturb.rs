//! What is done to the stack, and when.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use devstack::Stack;
use serde_json::{Value, json};

use crate::random::Random;

/// One thing that is done to the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The worker is killed, and started again.
    KillWorker,
    /// The webhook server is killed, and started again.
    KillWebhook,
    /// Temporal is killed, and started again on the same file.
    KillTemporal,
    /// PostgreSQL is killed, and started again.
    KillPostgres,
    /// The provider answers the next requests for a call badly.
    Provider(&'static str),
    /// Deliveries of webhooks go wrong from now on.
    Deliveries(&'static str),
}

/// Ways in which the provider answers badly. After those that accept, a phone rings.
const PROVIDER: [&str; 10] = [
    r#"[{"drop_after_accept": true, "times": 3}]"#,
    r#"[{"drop_before_accept": true, "times": 2}]"#,
    r#"[{"status_after_accept": 500, "times": 2}]"#,
    r#"[{"status_after_accept": 502, "times": 2}]"#,
    r#"[{"status_after_accept": 504, "times": 2}]"#,
    r#"[{"status_after_accept": 503, "times": 2}]"#,
    r#"[{"status_before_accept": 503, "times": 3}]"#,
    r#"[{"refuse_429": {"retry_after": 2}, "times": 4}]"#,
    r#"[{"slow_ms": 1500, "times": 3}]"#,
    // Longer than the worker waits for an answer.
    r#"[{"slow_ms": 27000, "times": 2}]"#,
];

/// Ways in which deliveries go wrong.
const DELIVERIES: [&str; 5] = [
    r#"{"drop": 0.5}"#,
    r#"{"duplicate": 5}"#,
    r#"{"reorder": 0.5, "hold_ms": 2000}"#,
    r#"{"delay_ms": 3000}"#,
    r"{}",
];

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker => f.write_str("kill -9 of the worker"),
            Self::KillWebhook => f.write_str("kill -9 of the webhook server"),
            Self::KillTemporal => f.write_str("kill -9 of Temporal"),
            Self::KillPostgres => f.write_str("kill -9 of PostgreSQL"),
            Self::Provider(how) => write!(f, "the provider: {how}"),
            Self::Deliveries(how) => write!(f, "deliveries: {how}"),
        }
    }
}

/// The faults of a seed, by the time from the start.
pub fn schedule(seed: u64, span: Duration) -> Vec<(Duration, Disturbance)> {
    let mut random = Random::new(seed);
    let mut at = Duration::from_secs(2);
    let mut schedule = Vec::new();
    let mut deck = Vec::new();
    while at < span {
        if deck.is_empty() {
            deck = shuffled_deck(&mut random);
        }
        schedule.extend(deck.pop().map(|disturbance| (at, disturbance)));
        at += Duration::from_millis(1_500 + random.below(4_000));
    }
    schedule
}

/// Ten faults, among which is each kind of kill, so that even a short run has them all.
fn shuffled_deck(random: &mut Random) -> Vec<Disturbance> {
    let provider: [_; 3] =
        std::array::from_fn(|_| Disturbance::Provider(one_of(&PROVIDER, random)));
    let deliveries: [_; 2] =
        std::array::from_fn(|_| Disturbance::Deliveries(one_of(&DELIVERIES, random)));
    let mut deck = vec![
        Disturbance::KillWorker,
        Disturbance::KillWorker,
        Disturbance::KillWebhook,
        Disturbance::KillTemporal,
        Disturbance::KillPostgres,
    ];
    deck.extend(provider.into_iter().chain(deliveries));
    for last in (1..deck.len()).rev() {
        deck.swap(last, random.below(last as u64 + 1) as usize);
    }
    deck
}

fn one_of(from: &[&'static str], random: &mut Random) -> &'static str {
    from[random.below(from.len() as u64) as usize]
}

impl Disturbance {
    /// Does it.
    pub async fn happen(&self, stack: &mut Stack) -> Result<()> {
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
            Self::Provider(how) => {
                let rules: Value = serde_json::from_str(how)?;
                set_faults(stack, &json!({ "create_call": rules })).await?;
            }
            Self::Deliveries(how) => {
                let rules: Value = serde_json::from_str(how)?;
                set_faults(stack, &json!({ "webhooks": rules })).await?;
            }
        }
        Ok(())
    }
}

/// Ends what still goes wrong.
pub async fn calm(stack: &Stack) -> Result<()> {
    set_faults(stack, &json!({ "webhooks": {} })).await
}

async fn set_faults(stack: &Stack, faults: &Value) -> Result<()> {
    let url = format!("{}/sim/faults", stack.addresses().simulator_url);
    let answer = reqwest::Client::new().post(url).json(faults).send().await?;
    ensure!(
        answer.status().is_success(),
        "the simulator refuses {faults}: {}",
        answer.text().await?
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_faults_and_another_seed_others() {
        let span = Duration::from_secs(120);
        assert_eq!(schedule(7, span), schedule(7, span));
        assert_ne!(schedule(7, span), schedule(8, span));
        assert!(schedule(7, span).len() > 20);
    }

    #[test]
    fn a_short_run_kills_everything() {
        for seed in 0..20 {
            let faults = schedule(seed, Duration::from_secs(55));
            for kill in [
                Disturbance::KillWorker,
                Disturbance::KillWebhook,
                Disturbance::KillTemporal,
                Disturbance::KillPostgres,
            ] {
                assert!(faults.iter().any(|(_, fault)| *fault == kill), "{seed}: {kill}");
            }
        }
    }
}
